"""What is worked out once for all moments of a cart: which lines are in a scope, and lines as kinds have seen them."""

from collections.abc import Hashable, Iterable, Mapping
from fractions import Fraction
from typing import TypeVar

from domain.coupons.cart import Cart, CartLine, Scope
from domain.coupons.offer import Offer
from domain.coupons.terms import BasketLine, every_line
from domain.shared.ids import MerchantId

_Key = TypeVar("_Key")


class SeenLine(BasketLine):
    """A line that knows what is asked of it again and again, since coupon after coupon looks at the same ones."""

    # What the line itself works out anew each time it is asked.
    open_minor: int = 0
    open_units: int = 0
    unit_price: Fraction | int = 0

    def __init__(self, line: CartLine, left_minor: int, touched_units: int, touched_minor: int) -> None:
        super().__init__(line, left_minor, touched_units, touched_minor)
        plain = BasketLine(line, left_minor, touched_units, touched_minor)
        units = plain.open_units
        # Past the frozen fields, into what is this object's own.
        self.__dict__.update(open_minor=plain.open_minor, open_units=units, unit_price=plain.unit_price if units else 0)


class Sights:
    """The cart's lines by what scopes name, as bits of integers, and what was seen of them."""

    def __init__(self, cart: Cart) -> None:
        self._cart = cart
        self._every = (1 << len(cart.lines)) - 1
        self._at_member_price = 0
        self._merchants: dict[MerchantId, int] = {}
        self._products: dict[str, int] = {}
        self._categories: dict[str, int] = {}
        self._scopes: dict[Hashable, tuple[int, ...]] = {}
        self._offers: dict[int, tuple[Offer, tuple[int, ...]]] = {}
        self._lines: dict[tuple[int, int, int, int], SeenLine] = {}
        for place, line in enumerate(cart.lines):
            bit = 1 << place
            self._merchants[line.merchant_id] = self._merchants.get(line.merchant_id, 0) | bit
            self._products[line.product_ref] = self._products.get(line.product_ref, 0) | bit
            if line.at_member_price:
                self._at_member_price |= bit
            for category in line.category_refs:
                self._categories[category] = self._categories.get(category, 0) | bit

    def places(self, offer: Offer) -> tuple[int, ...]:
        """The lines that the offer may act on: those in its scope that its kind does not leave out."""
        # The very same offer is looked at again and again; while it is remembered here nothing else has its identity.
        seen = self._offers.get(id(offer))
        if seen is None:
            seen = self._offers[id(offer)] = (offer, self._places(offer))
        return seen[1]

    def _places(self, offer: Offer) -> tuple[int, ...]:
        acts_on = offer.coupon_kind.acts_on
        own = None if acts_on is every_line else (offer.kind, offer.terms)
        key = (offer.scope, offer.merchant_ids, own)
        known = self._scopes.get(key)
        if known is None:
            places = bits(self._mask(offer.scope, merchant_ids=offer.merchant_ids))
            if own is not None:
                places = [place for place in places if acts_on(offer.terms, self._cart.lines[place])]
            known = self._scopes[key] = tuple(places)
        return known

    def _mask(self, scope: Scope, *, merchant_ids: Iterable[MerchantId]) -> int:
        """What `Scope.holds_line` says of each line."""
        held = self._every
        if merchant_ids:
            held &= _union(self._merchants, merchant_ids)
        if scope.product_refs or scope.category_refs:
            held &= _union(self._products, scope.product_refs) | _union(self._categories, scope.category_refs)
        if scope.spares_member_prices:
            held &= ~self._at_member_price
        return held & ~_union(self._products, scope.excluded_product_refs)

    def line(self, place: int, *, left_minor: int, touched_units: int, touched_minor: int) -> SeenLine:
        """The line at this place with so much left to pay on it."""
        key = (place, left_minor, touched_units, touched_minor)
        known = self._lines.get(key)
        if known is None:
            known = self._lines[key] = SeenLine(self._cart.lines[place], left_minor, touched_units, touched_minor)
        return known


def bits(places: int) -> list[int]:
    """The places in a set of bits, the earliest first."""
    length = places.bit_length()
    if 4 * places.bit_count() > length:
        return [place for place in range(length) if places >> place & 1]
    found = []
    while places:
        lowest = places & -places
        found.append(lowest.bit_length() - 1)
        places ^= lowest
    return found


def _union(masks: Mapping[_Key, int], keys: Iterable[_Key]) -> int:
    union = 0
    for key in keys:
        union |= masks.get(key, 0)
    return union
