"""Coupons and points are held for an order, given up again, or paid: in time, or late while nobody else took them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Protocol

from domain.campaigns.model import RemainderPolicy
from domain.coupons.cart import Cart
from domain.coupons.model import CouponKey
from domain.coupons.offer import MAX_COUPONS_PER_ORDER, CouponState
from domain.coupons.wallet import HeldCoupon, with_owner
from domain.orders import budgets
from domain.orders.drawing import Drawing, PriceWith, draw
from domain.orders.errors import (
    CouponExpired,
    CouponNotUsable,
    Lapsed,
    NotEligible,
    OnlyRestLeft,
    QuoteChanged,
    StackingConflict,
)
from domain.orders.holding import give_up, hold, return_points, take_points
from domain.orders.lapsing import Begin, SweepCampaign, do_without_lapsed
from domain.orders.model import ORDER_SYSTEM, OrderRef, Quote
from domain.orders.paying import buyer_of, lock_member
from domain.orders.points_payment import PointsOffered
from domain.orders.ports import OrdersTransaction
from domain.orders.quotes import make_quote
from domain.orders.reservation_model import (
    CouponsReserved,
    Reservation,
    ReservationKey,
    ReservationReleased,
    ReservationState,
)
from domain.orders.room import AMPLE, Room
from domain.orders.store_limits import require_room_in_store
from domain.points.errors import InsufficientPoints
from domain.points.ledger import open_account
from domain.points.policy import DEFAULT_POLICY, PointsPolicy
from domain.shared.errors import BadUserInput, InvalidStateChange, NotFound
from domain.shared.idempotency import Done, Once, do_once
from domain.shared.ids import CouponId, MemberId, OrderId, ReservationId
from domain.shared.principal import Scope

TTL_SECONDS_DEFAULT: Final = 900
TTL_SECONDS_MIN, TTL_SECONDS_MAX = 10, 86_400
RESERVED: Final = CouponState.RESERVED.value


class QuoteTokens(Protocol):
    """Knows a quote again by the token that it was shown with."""

    def matches(self, token: str, quote: Quote) -> bool:
        """Whether the token was given for this price of this cart; False for anything that is not a token of ours."""
        ...


@dataclass(frozen=True, slots=True)
class ReserveCoupons:
    """Holds coupons and points of a member for an order, `ttl_seconds` by the database's clock.

    `quote_token` is that of the quote that the member was shown; None: whatever the price is now. `scope` reaches the
    member.
    """

    order_ref: str
    member_id: MemberId
    cart: Cart
    coupon_ids: Sequence[CouponId]
    points: int
    quote_token: str | None
    ttl_seconds: int
    scope: Scope
    once: Once

    def __post_init__(self) -> None:
        """Refuse what holds nothing, too much, or for no sensible time."""
        if not TTL_SECONDS_MIN <= self.ttl_seconds <= TTL_SECONDS_MAX:
            raise BadUserInput(f"ttlSeconds is {TTL_SECONDS_MIN} to {TTL_SECONDS_MAX}", path=["input", "ttlSeconds"])
        if len(self.coupon_ids) > MAX_COUPONS_PER_ORDER:
            raise BadUserInput(f"couponIds names at most {MAX_COUPONS_PER_ORDER}", path=["input", "couponIds"])
        if len(set(self.coupon_ids)) < len(self.coupon_ids):
            raise BadUserInput("couponIds names a coupon twice", path=["input", "couponIds"])
        if self.points < 0:
            raise BadUserInput("points is not negative", path=["input", "points"])
        if not self.coupon_ids and not self.points:
            raise BadUserInput("there is nothing to reserve: name coupons or points", path=["input", "couponIds"])


async def reserve_coupons(
    command: ReserveCoupons,
    *,
    begin: Begin,
    tokens: QuoteTokens,
    policy: PointsPolicy = DEFAULT_POLICY,
    sweep: SweepCampaign | None = None,
) -> Done[CouponsReserved]:
    """Holds all of the coupons and points at the price of now, or none of them.

    What is held counts against budgets and limits as if it were used. Whatever the same order held before is replaced.

    Refusals: NotFound, CouponNotUsable, CouponExpired, NotEligible, StackingConflict, QuoteChanged, BudgetExhausted,
    InsufficientPoints, InvalidStateChange, IdempotencyKeyReused.
    """

    async def decide(tx: OrdersTransaction, drawing: Drawing) -> CouponsReserved:
        return await _reserve(tx, command, tokens=tokens, policy=policy, drawing=drawing)

    return await do_without_lapsed(
        command.once, scope=command.scope, decide=decide, result_type=CouponsReserved, begin=begin, sweep=sweep
    )


async def _reserve(
    tx: OrdersTransaction, command: ReserveCoupons, *, tokens: QuoteTokens, policy: PointsPolicy, drawing: Drawing
) -> CouponsReserved:
    await lock_member(tx, command.member_id)
    await _require_unpaid(tx, command)
    held = await tx.reservations.lock_held(command.member_id)
    if any(one.state_at(tx.now) is ReservationState.EXPIRED for one in held):
        raise Lapsed(command.member_id)
    replaced = [one for one in held if one.order_ref == command.order_ref]
    told = [event for one in replaced for event in await give_up(tx, one, state=ReservationState.RELEASED)]
    for one in replaced:
        await return_points(tx, one)
    coupons = await _lock_usable(tx, command)
    price_with = await _price(tx, command, coupons=coupons, policy=policy)
    quote, may_be_cut = price_with(AMPLE), any(_may_be_cut(one) for one in coupons)
    if may_be_cut and quote.not_applied and drawing is Drawing.IN_FULL:
        # Where one takes less off than it would, others may act that do not beside all of it.
        raise OnlyRestLeft
    if not may_be_cut:
        _require_all(quote, command)

    def require_promised(priced: Quote) -> None:
        if command.quote_token is not None and not tokens.matches(command.quote_token, priced):
            raise QuoteChanged(priced)

    if not may_be_cut:
        require_promised(quote)
    await require_room_in_store(tx, coupons, store_id=command.cart.store_id, currency=quote.currency)
    # What is held is known at once, unless budgets may cover only a part of it.
    draws_first = drawing is Drawing.WHAT_IS_LEFT
    reservation = _reservation(tx, command, coupons=coupons, quote=quote)
    if not draws_first:
        told += await hold(tx, reservation)
    quote = await draw(
        tx,
        quote,
        campaign_ids={one.coupon.id: one.template.campaign_id for one in coupons},
        change=budgets.hold,
        freed=[budgets.free(discount) for one in replaced for discount in one.discounts],
        price_with=price_with,
        drawing=drawing,
    )
    # What was shown may have counted on less than the whole discount: only now it is known how much there is.
    require_promised(_require_all(quote, command))
    if draws_first:
        reservation = replace(reservation, quote=quote, points=quote.points_used)
        told += await hold(tx, reservation)
    await take_points(tx, reservation)
    await tx.events.append(told)
    return CouponsReserved(command.member_id, reservation.key.reservation_id)


def _may_be_cut(held: HeldCoupon) -> bool:
    return held.template.budget_remainder is RemainderPolicy.PARTIAL


async def _require_unpaid(tx: OrdersTransaction, command: ReserveCoupons) -> None:
    """An order of the order system that was paid, or paid and cancelled, is not paid again, and holds nothing more.

    Tills have references of their own.

    Refusals: InvalidStateChange.
    """
    paid = await tx.orders.find(OrderRef(ORDER_SYSTEM, command.order_ref))
    if paid is not None and paid.member_id == command.member_id:
        order = await tx.orders.lock_or_none(paid)
        assert order is not None, "an order of this member is within the scope that serves it"
        raise InvalidStateChange(order.state.value, RESERVED)


async def _lock_usable(tx: OrdersTransaction, command: ReserveCoupons) -> Sequence[HeldCoupon]:
    """The coupons, locked, if each can be used now; decided after the lock."""
    keys = [CouponKey(command.member_id, coupon_id) for coupon_id in command.coupon_ids]
    found: Mapping[CouponId, HeldCoupon] = {one.coupon.id: one for one in await tx.reservations.lock_coupons(keys)}
    for coupon_id in command.coupon_ids:
        if coupon_id not in found:
            raise NotFound("Coupon")
        require_usable(found[coupon_id])
    return [found[coupon_id] for coupon_id in command.coupon_ids]


def require_usable(held: HeldCoupon) -> None:
    """Refuse a coupon that is used, held for another order, voided or expired.

    Refusals: CouponNotUsable, CouponExpired.
    """
    if held.coupon.state is CouponState.EXPIRED:
        raise CouponExpired(held.coupon.valid_until)
    if held.coupon.state is not CouponState.CLAIMED:
        raise CouponNotUsable(held.coupon.state)


async def _price(
    tx: OrdersTransaction, command: ReserveCoupons, *, coupons: Sequence[HeldCoupon], policy: PointsPolicy
) -> PriceWith:
    """What makes the price with the coupons and points."""
    buyer = await buyer_of(tx, command.member_id)
    known = await with_owner(tx.facts, coupons)
    points = await _points_offered(tx, command) if command.points else None

    def price_with(room: Room) -> Quote:
        return make_quote(command.cart, known, buyer=buyer, points_policy=policy, at=tx.now, points=points, room=room)

    return price_with


def _require_all(quote: Quote, command: ReserveCoupons) -> Quote:
    """The price with all of the coupons: one that does not act is no good to hold.

    Refusals: NotEligible, StackingConflict.
    """
    for rejected in quote.not_applied:
        if rejected.conflicts_with is not None:
            raise StackingConflict(
                CouponKey(command.member_id, rejected.coupon_id),
                CouponKey(command.member_id, rejected.conflicts_with),
                rejected.eligibility,
                quote.currency,
            )
        raise NotEligible(rejected.eligibility, quote.currency)
    return quote


async def _points_offered(tx: OrdersTransaction, command: ReserveCoupons) -> PointsOffered:
    """The points that are to be held, if the member has them.

    Refusals: InsufficientPoints.
    """
    account = await open_account(tx, command.member_id)
    offered = PointsOffered(command.points, account.available, account.debt)
    # Nothing is spent while points are owed.
    available = 0 if offered.debt else offered.available
    shortfall = offered.asked - available + offered.debt
    if shortfall > 0:
        raise InsufficientPoints(required=offered.asked, available=available, shortfall=shortfall)
    return offered


def _reservation(
    tx: OrdersTransaction, command: ReserveCoupons, *, coupons: Sequence[HeldCoupon], quote: Quote
) -> Reservation:
    return Reservation(
        key=ReservationKey(command.member_id, ReservationId(tx.ids.new())),
        order_ref=command.order_ref,
        state=ReservationState.HELD,
        cart=command.cart,
        quote=quote,
        campaign_ids={one.coupon.id: one.template.campaign_id for one in coupons},
        # Of those that were offered, what the goods leave something to pay for.
        points=quote.points_used,
        order_id=OrderId(tx.ids.new()),
        reserved_at=tx.now,
        expires_at=tx.now + timedelta(seconds=command.ttl_seconds),
    )


@dataclass(frozen=True, slots=True)
class ReleaseReservation:
    """Gives up what is held for an order. `scope` reaches the member."""

    reservation: ReservationKey
    scope: Scope
    once: Once


async def release_reservation(command: ReleaseReservation, *, begin: Begin) -> Done[ReservationReleased]:
    """Frees all that a reservation holds. One that was given up, has run out or was paid is not released again.

    Refusals: NotFound, InvalidStateChange, IdempotencyKeyReused.
    """
    key = command.reservation
    if not command.scope.everything and command.scope.member_id != key.member_id:
        raise NotFound("Reservation")

    async def decide(tx: OrdersTransaction) -> ReservationReleased:
        await lock_member(tx, key.member_id)
        reservation = await tx.reservations.lock_or_none(key)
        if reservation is None:
            raise NotFound("Reservation")
        state = reservation.state_at(tx.now)
        if state is not ReservationState.HELD:
            raise InvalidStateChange(state.value, ReservationState.RELEASED.value)
        told = await give_up(tx, reservation, state=ReservationState.RELEASED)
        short = await tx.budgets.post([budgets.free(discount) for discount in reservation.discounts])
        assert short is None, "what was held can be given up"
        await return_points(tx, reservation)
        await tx.events.append(told)
        coupon_ids = tuple(coupon.coupon_id for coupon in reservation.coupons)
        return ReservationReleased(key.member_id, coupon_ids)

    return await do_once(
        command.once, begin=lambda: begin(command.scope), decide=decide, result_type=ReservationReleased
    )
