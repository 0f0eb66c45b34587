"""What was reserved is paid: at the price that was promised, in time or late while nobody else took it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from domain.coupons.offer import CouponState
from domain.coupons.wallet import HeldCoupon
from domain.orders import budgets
from domain.orders.completing import Purchase, complete
from domain.orders.drawing import Drawing
from domain.orders.errors import BudgetExhausted, Lapsed, NotEligible, ReservationExpired
from domain.orders.holding import take_points
from domain.orders.lapsing import Begin, SweepCampaign, do_without_lapsed
from domain.orders.model import CouponsRedeemed, OrderKey, OrderRef, OrderState
from domain.orders.paying import OTHER_COUPONS, Payment, lock_member, require_same
from domain.orders.places import Place, find_place
from domain.orders.ports import OrdersTransaction
from domain.orders.reservation_model import Reservation, ReservationKey, ReservationState
from domain.orders.rules import Seller, require_move
from domain.points.errors import InsufficientPoints
from domain.shared.errors import BadUserInput, InvalidStateChange, NotFound
from domain.shared.idempotency import Done, Once, answer_together
from domain.shared.ids import OrderId, StoreId

REDEEMED = ReservationState.REDEEMED.value


@dataclass(frozen=True, slots=True)
class RedeemReservation:
    """Uses what was reserved for an order that is being paid."""

    order_ref: str
    reservation: ReservationKey
    store_id: StoreId | None
    seller: Seller
    once: Once


async def redeem_reservation(
    asked: RedeemReservation, *, begin: Begin, sweep: SweepCampaign | None = None
) -> Done[CouponsRedeemed]:
    """Redeems all that a reservation holds at the price that it was reserved for, and records the order as paid.

    One that has run out is redeemed too, as a late capture, while its coupons can be used, its budgets cover them and
    its points are there; otherwise it has expired, and the order must be priced anew. It has expired as well where the
    order holds something newer, which it is to be paid with. One that was given up is not redeemed. The same order
    completed again, under whatever key, is answered again.

    Refusals: NotFound, ReservationExpired, InvalidStateChange, IdempotencyKeyReused.
    """
    return await answer_together(asked.once, lambda once: _redeem(replace(asked, once=once), begin=begin, sweep=sweep))


async def _redeem(asked: RedeemReservation, *, begin: Begin, sweep: SweepCampaign | None) -> Done[CouponsRedeemed]:
    key = asked.reservation
    run_out_at: datetime | None = None

    # What was promised is drawn as it is.
    async def decide(tx: OrdersTransaction, _: Drawing) -> CouponsRedeemed:
        nonlocal run_out_at
        await lock_member(tx, key.member_id)
        reservation = await tx.reservations.lock_or_none(key)
        place = await _place(tx, asked, reservation=reservation)
        assert reservation is not None, "there is a place for a reservation that there is"
        payment = Payment(OrderRef(place.source_id, asked.order_ref), key.member_id, place.cart)
        existing = await tx.orders.find(payment.ref)
        if existing is not None:
            return await _redeemed_before(tx, existing, payment=payment, reservation=reservation)
        if reservation.state is ReservationState.HELD and reservation.state_at(tx.now) is ReservationState.EXPIRED:
            # As if it had been swept: from there on there is one way of being late.
            raise Lapsed(key.member_id)
        if reservation.state is ReservationState.HELD:
            return await _in_time(tx, payment, reservation=reservation, place=place)
        if reservation.state is ReservationState.EXPIRED:
            await _require_nothing_newer(tx, reservation)
            run_out_at = reservation.expires_at
            return await _late(tx, payment, reservation=reservation, place=place)
        raise InvalidStateChange(reservation.state.value, REDEEMED)

    scope = asked.seller.scope_with(key.member_id)
    try:
        return await do_without_lapsed(
            asked.once, scope=scope, decide=decide, result_type=CouponsRedeemed, begin=begin, sweep=sweep
        )
    except (BudgetExhausted, InsufficientPoints, NotEligible):
        # What is held is covered; but it may be paid in a store that was not named when it was reserved.
        if run_out_at is None:
            raise
        raise ReservationExpired(run_out_at) from None


async def _place(tx: OrdersTransaction, command: RedeemReservation, *, reservation: Reservation | None) -> Place:
    """Where the reserved cart is paid. What a seller may not sell is to it as if it were not there.

    Refusals: NotFound.
    """
    if reservation is None:
        raise NotFound("Reservation")
    seller, cart = command.seller, reservation.cart
    merchants = {line.merchant_id for line in cart.lines}
    if not seller.is_order_system and not (len(merchants) == 1 and merchants <= set(seller.scope.merchant_ids)):
        raise NotFound("Reservation")
    if reservation.order_ref != command.order_ref:
        if not seller.is_order_system:
            raise NotFound("Reservation")
        raise BadUserInput("orderRef is not that of the reservation", path=["input", "orderRef"])
    return await find_place(tx, seller, cart=cart, store_id=command.store_id)


async def _redeemed_before(
    tx: OrdersTransaction, key: OrderKey, *, payment: Payment, reservation: Reservation
) -> CouponsRedeemed:
    order = await require_same(tx, key, payment=payment)
    if order.state is OrderState.CANCELLED:
        require_move(order.state, to=OrderState.PAID)
    if reservation.state is not ReservationState.REDEEMED or reservation.order_id != key.order_id:
        raise InvalidStateChange(order.state.value, OTHER_COUPONS)
    redemptions = await tx.redemptions.of_order(key)
    redemption_ids = tuple(one.id for one in redemptions)
    return CouponsRedeemed(
        key.member_id, key.order_id, redemption_ids, repeated=True, late_capture=reservation.late_capture
    )


async def _in_time(
    tx: OrdersTransaction, payment: Payment, *, reservation: Reservation, place: Place
) -> CouponsRedeemed:
    coupons = await tx.reservations.lock_coupons(reservation.coupons)
    await tx.reservations.pay(reservation, order_id=reservation.order_id, late=False)
    purchase = Purchase(
        payment=payment,
        place=place,
        quote=reservation.quote,
        coupons=coupons,
        order_id=reservation.order_id,
        reservation_id=reservation.key.reservation_id,
        freed=[budgets.free(discount) for discount in reservation.discounts],
    )
    return await _complete(tx, purchase, late=False)


async def _require_nothing_newer(tx: OrdersTransaction, reservation: Reservation) -> None:
    """What an order reserved since replaces what has run out: it is paid with that one.

    Raises Lapsed where the member holds something else, of whatever order, that has run out and was not swept: its
    coupons and points are as free as they read, but not moved.

    Refusals: ReservationExpired.
    """
    held = await tx.reservations.lock_held(reservation.key.member_id)
    if any(one.state_at(tx.now) is ReservationState.EXPIRED for one in held):
        raise Lapsed(reservation.key.member_id)
    if any(one.order_ref == reservation.order_ref for one in held):
        raise ReservationExpired(reservation.expires_at)


async def _late(tx: OrdersTransaction, payment: Payment, *, reservation: Reservation, place: Place) -> CouponsRedeemed:
    """As it was promised, out of what is free now."""
    coupons = await tx.reservations.lock_coupons(reservation.coupons)
    _require_free(coupons, reservation=reservation)
    order_id = OrderId(tx.ids.new())
    await tx.reservations.pay(reservation, order_id=order_id, late=True)
    purchase = Purchase(
        payment=payment, place=place, quote=reservation.quote, coupons=coupons, order_id=order_id, reservation_id=None
    )
    await take_points(tx, replace(reservation, order_id=order_id))
    return await _complete(tx, purchase, late=True)


def _require_free(coupons: Sequence[HeldCoupon], *, reservation: Reservation) -> None:
    found = {one.coupon.id: one.coupon for one in coupons}
    for applied in reservation.quote.applied:
        coupon = found.get(applied.coupon_id)
        balance = None if coupon is None else coupon.balance_minor
        free = coupon is not None and coupon.state is CouponState.CLAIMED
        if not free or (balance is not None and balance < applied.amount_minor):
            raise ReservationExpired(reservation.expires_at)


async def _complete(tx: OrdersTransaction, purchase: Purchase, *, late: bool) -> CouponsRedeemed:
    redemption_ids = tuple(one.id for one in await complete(tx, purchase))
    member_id = purchase.payment.member_id
    return CouponsRedeemed(member_id, purchase.order_id, redemption_ids, repeated=False, late_capture=late)
