"""What can be done with orders: redeem coupons at payment, record what became of an order, release its points."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import TypeAlias

from domain.coupons.cart import Cart
from domain.coupons.ports import RedemptionTokens
from domain.orders.completing import Purchase, complete
from domain.orders.drawing import Drawing
from domain.orders.holding import give_up_unused
from domain.orders.lapsing import SweepCampaign, do_without_lapsed
from domain.orders.model import (
    ORDER_SYSTEM,
    CouponsRedeemed,
    Order,
    OrderKey,
    OrderRecorded,
    OrderRef,
    OrderState,
)
from domain.orders.paying import Payment, buyer_of, lock_member, require_same, store_order
from domain.orders.places import find_place
from domain.orders.ports import OrdersTransaction
from domain.orders.promises import promise_points, release, start_return_window
from domain.orders.quotes import make_quote
from domain.orders.redeeming import RedeemReservation, redeem_reservation
from domain.orders.refund_model import RefundCause
from domain.orders.refunding import refund_what_is_left
from domain.orders.rules import Seller, require_move
from domain.orders.scanning import Scanned, lock_usable, price_alone, quote_alone, use_token, used_before
from domain.points.policy import DEFAULT_POLICY, PointsPolicy
from domain.shared.errors import BadUserInput, NotFound
from domain.shared.events import POINTS
from domain.shared.idempotency import Done, Once
from domain.shared.ids import MemberId, OrderId, StoreId
from domain.shared.principal import Scope

Begin: TypeAlias = Callable[[Scope], AbstractAsyncContextManager[OrdersTransaction]]
BeginSystem: TypeAlias = Callable[[], AbstractAsyncContextManager[OrdersTransaction]]


@dataclass(frozen=True, slots=True)
class RedeemCoupons:
    """Uses the coupon of a scanned token for an order that is being paid."""

    order_ref: str
    token: str
    cart: Cart
    store_id: StoreId | None
    seller: Seller
    once: Once


async def redeem_coupons(
    command: RedeemCoupons | RedeemReservation,
    *,
    begin: Begin,
    tokens: RedemptionTokens,
    policy: PointsPolicy = DEFAULT_POLICY,
    sweep: SweepCampaign | None = None,
) -> Done[CouponsRedeemed]:
    """Redeems what was reserved, or the coupon of a scanned code; records the order as paid and promises its points.

    All of it, or nothing.

    The token lets the seller touch this member's rows, and no others. An order that has used this coupon for this cart
    before is answered again, whatever the key: a second completion of an order is no second use. What the order system
    held for the order beside what it is paid with is given up.
    An order that stands with another cart, other coupons or another member is an InvalidStateChange that says which.

    Refusals: NotFound, RedemptionCodeExpired, RedemptionCodeUsed, ReservationExpired, CouponNotUsable, CouponExpired,
    NotEligible, BudgetExhausted, InvalidStateChange, IdempotencyKeyReused.
    """
    if isinstance(command, RedeemReservation):
        return await redeem_reservation(command, begin=begin, sweep=sweep)
    permission = tokens.read(command.token)
    if permission is None:
        raise NotFound("RedemptionCode")
    member_id = permission.coupon.member_id

    async def decide(tx: OrdersTransaction, drawing: Drawing) -> CouponsRedeemed:
        place = await find_place(tx, command.seller, cart=command.cart, store_id=command.store_id)
        payment = Payment(OrderRef(place.source_id, command.order_ref), member_id, place.cart)
        await lock_member(tx, member_id)
        existing = await tx.orders.find(payment.ref)
        if existing is not None:
            return await used_before(tx, existing, payment=payment, coupon=permission.coupon)
        unused = await give_up_unused(tx, payment.ref, member_id=member_id)
        scanned = Scanned(command.token, permission)
        held = await lock_usable(tx, scanned)
        price_with = await price_alone(tx, payment, held=held, at=tx.now, policy=policy)
        quote = quote_alone(price_with)
        purchase = Purchase(
            payment,
            place,
            quote,
            [held],
            order_id=OrderId(tx.ids.new()),
            freed=unused.freed,
            told=unused.told,
            price_with=price_with,
            drawing=drawing,
        )
        await use_token(tx, scanned, quote=quote, order_id=purchase.order_id)
        redemptions = await complete(tx, purchase)
        redemption_ids = tuple(one.id for one in redemptions)
        return CouponsRedeemed(member_id, purchase.order_id, redemption_ids, repeated=False)

    scope = command.seller.scope_with(member_id)

    return await do_without_lapsed(
        command.once, scope=scope, decide=decide, result_type=CouponsRedeemed, begin=begin, sweep=sweep
    )


@dataclass(frozen=True, slots=True)
class RecordOrder:
    """Tells what became of an order. The cart comes with PAID, and only with it; a fault with CANCELLED alone."""

    order_ref: str
    member_id: MemberId
    state: OrderState
    cart: Cart | None
    seller: Seller
    once: Once
    cause: RefundCause = RefundCause.CUSTOMER

    def __post_init__(self) -> None:
        """Refuse a cart that is missing, or that nobody asked for, and a fault where nothing is given back."""
        if self.cause is not RefundCause.CUSTOMER and self.state is not OrderState.CANCELLED:
            raise BadUserInput("a fault is told with CANCELLED, and only with it", path=["input", "cause"])
        if (self.cart is not None) != (self.state is OrderState.PAID):
            raise BadUserInput("a cart comes with PAID, and only with it", path=["input", "cart"])


async def record_order(
    command: RecordOrder, *, begin: Begin, policy: PointsPolicy = DEFAULT_POLICY
) -> Done[OrderRecorded]:
    """Records an order without coupons as paid, or that an order was received or cancelled.

    PAID gives up what the order held, and promises points. RECEIVED starts their return window. CANCELLED withdraws
    them and gives the order's coupons back. The same told twice, with nothing different, is answered twice and done
    once.

    Refusals: NotFound, InvalidStateChange, IdempotencyKeyReused.
    """

    async def decide(tx: OrdersTransaction, _: Drawing) -> OrderRecorded:
        if command.cart is not None:
            return await _paid(tx, command, cart=command.cart, policy=policy)
        return await _moved(tx, command, policy=policy)

    scope = command.seller.scope_with(command.member_id)

    return await do_without_lapsed(command.once, scope=scope, decide=decide, result_type=OrderRecorded, begin=begin)


async def _paid(tx: OrdersTransaction, command: RecordOrder, *, cart: Cart, policy: PointsPolicy) -> OrderRecorded:
    place = await find_place(tx, command.seller, cart=cart, store_id=None)
    payment = Payment(OrderRef(place.source_id, command.order_ref), command.member_id, place.cart)
    if await tx.members.lock_or_none(command.member_id) is None:
        raise NotFound("Member")
    await lock_member(tx, command.member_id)
    existing = await tx.orders.find(payment.ref)
    if existing is not None:
        order = await require_same(tx, existing, payment=payment)
        if order.state is not OrderState.PAID:
            require_move(order.state, to=OrderState.PAID)
        return _recorded(order, repeated=True)
    unused = await give_up_unused(tx, payment.ref, member_id=command.member_id)
    short = await tx.budgets.post(unused.freed)
    assert short is None, "what was held can be given up"
    buyer = await buyer_of(tx, command.member_id)
    quote = make_quote(place.cart, [], buyer=buyer, points_policy=policy, at=tx.now)
    order = await store_order(tx, payment, quote=quote, order_id=OrderId(tx.ids.new()))
    await promise_points(tx, order)
    await tx.events.append(unused.told)
    return _recorded(order, repeated=False)


async def _moved(tx: OrdersTransaction, command: RecordOrder, *, policy: PointsPolicy) -> OrderRecorded:
    await lock_member(tx, command.member_id)
    order = await _own_order(tx, command)
    if order.state is command.state:
        return _recorded(order, repeated=True)
    require_move(order.state, to=command.state)
    if command.state is OrderState.RECEIVED:
        order = await start_return_window(tx, order, policy=policy)
        order = replace(order, state=OrderState.RECEIVED, received_at=tx.now)
        await tx.orders.move(order)
    else:
        order = await _cancelled(tx, order, policy=policy, cause=command.cause)
    return _recorded(order, repeated=False)


async def _cancelled(tx: OrdersTransaction, order: Order, *, policy: PointsPolicy, cause: RefundCause) -> Order:
    order, tell = await refund_what_is_left(tx, order, policy=policy, cause=cause)
    order = replace(order, state=OrderState.CANCELLED, cancelled_at=tx.now)
    await tx.orders.move(order)
    await tx.events.append(tell)
    return order


async def _own_order(tx: OrdersTransaction, command: RecordOrder) -> Order:
    """The order that the seller calls so, of that member, locked."""
    seller = command.seller
    sources = [ORDER_SYSTEM] if seller.is_order_system else list(seller.scope.merchant_ids)
    found = [key for source in sources if (key := await tx.orders.find(OrderRef(source, command.order_ref)))]
    own = [key for key in found if key.member_id == command.member_id]
    if len(own) > 1:
        raise BadUserInput("several of your merchants have an order of this reference", path=["input", "orderRef"])
    order = await tx.orders.lock_or_none(own[0]) if own else None
    if order is None or (seller.store_ids and order.store_id not in seller.store_ids):
        raise NotFound("Order")
    return order


def _recorded(order: Order, *, repeated: bool) -> OrderRecorded:
    return OrderRecorded(order.ref.ref, order.state, order.points_pending, order.points_earned, repeated)


async def release_points(*, begin: BeginSystem, limit: int = 100, policy: PointsPolicy = DEFAULT_POLICY) -> int:
    """Releases the points that are due, a transaction for each member; returns how many members it served.

    `begin` is a transaction of the system. Run it again for more; run twice at once it releases nothing twice.

    Refusals: none.
    """
    async with begin() as tx:
        members = await tx.orders.due_members(limit=limit)
    for member_id in members:
        async with begin() as tx:
            await tx.events.lock([member_id], stream=POINTS)
            for order_id in await tx.orders.due_orders(member_id):
                order = await tx.orders.lock_or_none(OrderKey(member_id, order_id))
                assert order is not None, "what promises points is there, whoever asks for the system"
                await tx.orders.move(await release(tx, order, policy=policy))
    return len(members)
