"""What a member is about to buy, and which part of it a coupon may act on."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import Final

from domain.shared.ids import MerchantId, StoreId
from domain.shared.money import SAFE_INT_MAX, currency_exponent
from domain.shared.references import REFERENCE_RULE, is_reference

MAX_LINES: Final = 200
MAX_CATEGORIES: Final = 50


class Channel(Enum):
    """Where the member buys."""

    ONLINE = "ONLINE"
    IN_STORE = "IN_STORE"


class MemberPriceRule(Enum):
    """Whether an offer acts on goods that are sold at a member's price already."""

    COMBINES = "COMBINES"
    EXCLUDED = "EXCLUDED"


class CartError(ValueError):
    """A cart that cannot be priced; `path` leads to what is wrong, as in ("lines", "3", "quantity")."""

    def __init__(self, reason: str, *, path: tuple[str, ...]) -> None:
        super().__init__(f"{'.'.join(path)}: {reason}")
        self.reason = reason
        self.path = path


@dataclass(frozen=True, slots=True)
class CartLine:
    """Some units of one product of one merchant, at one price (tax included), which may be a member's."""

    id: str
    product_ref: str
    merchant_id: MerchantId
    quantity: int
    unit_price_minor: int
    category_refs: frozenset[str] = frozenset()
    at_member_price: bool = False

    @property
    def subtotal_minor(self) -> int:
        """The line before any discount."""
        return self.quantity * self.unit_price_minor


@dataclass(frozen=True, slots=True)
class Cart:
    """Lines of one currency, with shipping, a place and a channel; sound by construction."""

    currency: str
    lines: tuple[CartLine, ...]
    shipping_minor: int = 0
    store_id: StoreId | None = None
    channel: Channel = Channel.ONLINE

    def __post_init__(self) -> None:
        """Refuse what cannot be priced: CartError, or UnknownCurrency."""
        currency_exponent(self.currency)
        _require(1 <= len(self.lines) <= MAX_LINES, "lines", reason=f"a cart has 1 to {MAX_LINES} lines")
        _require(self.shipping_minor >= 0, "shipping", reason="shipping is not negative")
        repeated = [line_id for line_id, count in Counter(line.id for line in self.lines).items() if count > 1]
        _require(not repeated, "lines", reason=f"the line id {repeated[:1]} is not unique in the cart")
        for place, line in enumerate(self.lines):
            _check_line(line, path=("lines", str(place)))
        # Whatever is computed of a cart is at most its total, so that nothing later leaves the safe integers.
        _require(self.total_minor <= SAFE_INT_MAX, "lines", reason="the total is outside the safe integers")

    @property
    def subtotal_minor(self) -> int:
        """All lines before any discount, without shipping."""
        return sum(line.subtotal_minor for line in self.lines)

    @property
    def total_minor(self) -> int:
        """All lines and shipping before any discount."""
        return self.subtotal_minor + self.shipping_minor


def _check_line(line: CartLine, *, path: tuple[str, ...]) -> None:
    _require(is_reference(line.id), *path, "id", reason=REFERENCE_RULE)
    _require(is_reference(line.product_ref), *path, "productRef", reason=REFERENCE_RULE)
    _require(
        len(line.category_refs) <= MAX_CATEGORIES and all(map(is_reference, line.category_refs)),
        *path,
        "categoryRefs",
        reason=f"at most {MAX_CATEGORIES}; {REFERENCE_RULE}",
    )
    _require(line.quantity >= 1, *path, "quantity", reason="a line has one unit at least")
    _require(line.unit_price_minor >= 0, *path, "unitPrice", reason="a price is not negative")


def _require(condition: object, *path: str, reason: str) -> None:
    if not condition:
        raise CartError(reason, path=path)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a coupon may act on; an empty set restricts nothing.

    A line is in scope when it is of a named product or a named category (either will do), of a named merchant, and of
    no excluded product, and not at a member's price where these are excluded. Stores and channels restrict the whole
    cart.
    """

    product_refs: frozenset[str] = frozenset()
    category_refs: frozenset[str] = frozenset()
    merchant_ids: frozenset[MerchantId] = frozenset()
    store_ids: frozenset[StoreId] = frozenset()
    channels: frozenset[Channel] = frozenset()
    excluded_product_refs: frozenset[str] = frozenset()
    with_member_price: MemberPriceRule = MemberPriceRule.COMBINES

    @property
    def spares_member_prices(self) -> bool:
        """Whether goods at a member's price are left out."""
        return self.with_member_price is MemberPriceRule.EXCLUDED

    def holds_line(self, line: CartLine, *, merchant_ids: Collection[MerchantId]) -> bool:
        """Whether a line is in scope; `merchant_ids` are the merchants in question, none meaning any."""
        if merchant_ids and line.merchant_id not in merchant_ids:
            return False
        if line.product_ref in self.excluded_product_refs or (line.at_member_price and self.spares_member_prices):
            return False
        if not self.product_refs and not self.category_refs:
            return True
        return line.product_ref in self.product_refs or not self.category_refs.isdisjoint(line.category_refs)

    def holds_store(self, store_id: StoreId | None) -> bool:
        """Whether a purchase in this store is in scope; a purchase in no store is in no named one."""
        return not self.store_ids or store_id in self.store_ids

    def holds_channel(self, channel: Channel) -> bool:
        """Whether a purchase over this channel is in scope."""
        return not self.channels or channel in self.channels


EVERYTHING: Final = Scope()
"""The scope that restricts nothing."""
