"""The moves of an order, and whether two tellings of it are the same. Pure functions."""

import hashlib
import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Final

from domain.coupons.cart import Cart, Channel
from domain.orders.model import OrderState
from domain.shared.errors import BadUserInput, InvalidStateChange
from domain.shared.ids import MemberId, MerchantId, StoreId
from domain.shared.principal import Scope

MOVES: Final[Mapping[OrderState, frozenset[OrderState]]] = {
    OrderState.PAID: frozenset({OrderState.RECEIVED, OrderState.CANCELLED}),
    OrderState.RECEIVED: frozenset(),
    OrderState.CANCELLED: frozenset(),
}


def require_move(current: OrderState, *, to: OrderState) -> None:
    """Raise InvalidStateChange unless the move is legal."""
    if to not in MOVES[current]:
        raise InvalidStateChange(current.value, to.value)


def cart_hash(cart: Cart) -> str:
    """SHA-256 of everything in a cart, so that an order told twice is known for the same or another."""
    merchants = {merchant_id: str(merchant_id) for merchant_id in {line.merchant_id for line in cart.lines}}
    lines = [
        [
            line.id,
            line.product_ref,
            merchants[line.merchant_id],
            line.quantity,
            line.unit_price_minor,
            sorted(line.category_refs),
            # Told only where it is so: other carts are known by the hash that they always had.
            *(["memberPrice"] if line.at_member_price else ()),
        ]
        for line in cart.lines
    ]
    content = [cart.currency, lines, cart.shipping_minor, str(cart.store_id), cart.channel.value]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Seller:
    """Who tells of orders: the order system (a scope of everything), or staff of merchants at their stores' tills.

    Empty `store_ids` means every store of its merchants.
    """

    scope: Scope
    store_ids: frozenset[StoreId] = frozenset()

    @property
    def is_order_system(self) -> bool:
        """Whether it tells of any merchant's orders."""
        return self.scope.everything

    def scope_with(self, member_id: MemberId) -> Scope:
        """How far it reaches while it serves this member: no further than this member and its own merchants."""
        return self.scope if self.scope.everything else replace(self.scope, member_id=member_id)

    def sells_in(self, store_id: StoreId, *, of: MerchantId) -> bool:
        """Whether the store, which is of that merchant, is one of its own."""
        if self.is_order_system:
            return True
        return of in self.scope.merchant_ids and (not self.store_ids or store_id in self.store_ids)


def till_cart(cart: Cart, *, merchant_id: MerchantId) -> Cart:
    """A cart at a till: bought in the store, whatever it says, and of the till's own merchant alone."""
    if any(line.merchant_id != merchant_id for line in cart.lines):
        raise BadUserInput("a till sells the goods of its own merchant", path=["input", "cart", "lines"])
    return replace(cart, channel=Channel.IN_STORE)


def at_store(cart: Cart, store_id: StoreId | None) -> Cart:
    """The cart in the store that the order names; the two must not differ."""
    if store_id is not None and cart.store_id is not None and cart.store_id != store_id:
        raise BadUserInput("storeId is not the cart's", path=["input", "storeId"])
    return cart if store_id is None else replace(cart, store_id=store_id)


def merchant_of_redemption(
    *, store_merchant: MerchantId | None, coupon_merchant: MerchantId | None, cart_merchants: AbstractSet[MerchantId]
) -> MerchantId | None:
    """Who a coupon was redeemed at: whose store it was, else whose coupon, else whose goods where all are one's."""
    only = next(iter(cart_merchants)) if len(cart_merchants) == 1 else None
    return store_merchant or coupon_merchant or only
