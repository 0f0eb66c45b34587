"""An order is paid: it is stored with its lines and its quote, and promises points."""

from dataclasses import dataclass
from typing import Final

from domain.coupons.cart import Cart
from domain.coupons.pricing import PricingPolicy
from domain.orders.model import Order, OrderKey, OrderLine, OrderRef, OrderState, Quote
from domain.orders.ports import OrdersTransaction
from domain.orders.quotes import Buyer
from domain.orders.rules import cart_hash
from domain.shared.errors import InvalidStateChange
from domain.shared.events import POINTS, WALLET
from domain.shared.ids import MemberId, OrderId

OTHER_MEMBER: Final = "PAID by another member"
OTHER_CART: Final = "PAID with another cart"
OTHER_COUPONS: Final = "PAID with other coupons"


@dataclass(frozen=True, slots=True)
class Payment:
    """Who paid which cart under which reference."""

    ref: OrderRef
    member_id: MemberId
    cart: Cart


async def lock_member(tx: OrdersTransaction, member_id: MemberId) -> None:
    """Takes a member's streams, wallet first: all that changes its coupons, orders and points waits in line here."""
    await tx.events.lock([member_id], stream=WALLET)
    await tx.events.lock([member_id], stream=POINTS)


async def buyer_of(tx: OrdersTransaction, member_id: MemberId) -> Buyer:
    """The member as one who pays."""
    bonus = await tx.orders.bonus_basis_points(member_id)
    pricing = PricingPolicy(tx.programme.min_payable_minor)
    return Buyer(member_id, bonus_basis_points=bonus, points_currency=tx.programme.currency, pricing=pricing)


async def require_same(tx: OrdersTransaction, key: OrderKey, *, payment: Payment) -> Order:
    """The order that stands under the reference, locked, if it is of the same member and cart.

    Refusals: InvalidStateChange.
    """
    if key.member_id != payment.member_id:
        raise InvalidStateChange(OrderState.PAID.value, OTHER_MEMBER)
    order = await tx.orders.lock_or_none(key)
    assert order is not None, "an order of this member is within the scope that serves it"
    if order.cart_hash != cart_hash(payment.cart):
        raise InvalidStateChange(order.state.value, OTHER_CART)
    return order


async def store_order(tx: OrdersTransaction, payment: Payment, *, quote: Quote, order_id: OrderId) -> Order:
    """Stores the order at the quote's prices; its points are noted, and promised by whoever calls.

    Refusals: InvalidStateChange.
    """
    order = Order(
        key=OrderKey(payment.member_id, order_id),
        ref=payment.ref,
        state=OrderState.PAID,
        store_id=payment.cart.store_id,
        currency=quote.currency,
        subtotal_minor=quote.subtotal_minor,
        discount_minor=quote.discount_minor,
        shipping_minor=quote.shipping_minor,
        paid_minor=quote.payable_minor,
        points_used=quote.points_used,
        points_minor=quote.points_minor,
        points_pending=quote.points_earned,
        points_earned=0,
        cart_hash=cart_hash(payment.cart),
        quote=quote,
        paid_at=tx.now,
    )
    lines = [
        OrderLine(line, quoted.discount_minor, quoted.points_minor)
        for line, quoted in zip(payment.cart.lines, quote.lines, strict=True)
    ]
    if not await tx.orders.add(order, lines=lines):
        # Told at the same moment for another member: one's own telling would have waited at the member's streams.
        raise InvalidStateChange(OrderState.PAID.value, OTHER_MEMBER)
    return order
