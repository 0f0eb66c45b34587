"""A scanned token, decided: at once at a till that is connected, later for one that was not, by the same rules."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from domain.coupons.model import CouponKey
from domain.coupons.offer import CouponState
from domain.coupons.ports import RedemptionPermission
from domain.coupons.wallet import HeldCoupon, with_owner
from domain.orders.drawing import PriceWith
from domain.orders.errors import (
    CouponExpired,
    CouponNotUsable,
    Lapsed,
    NotEligible,
    OfflineLimitReached,
    RedemptionCodeExpired,
    RedemptionCodeUsed,
    ScanTimeRefused,
)
from domain.orders.model import CouponsRedeemed, OrderKey, OrderState, Quote, Redemption
from domain.orders.paying import OTHER_COUPONS, Payment, buyer_of, require_same
from domain.orders.ports import OrdersTransaction
from domain.orders.quotes import make_quote
from domain.orders.room import AMPLE, Room
from domain.orders.rules import require_move
from domain.orders.tills import CLOCK_TOLERANCE, MAX_OFFLINE_AGE, MAX_TOKEN_LIFE, OfflineScan, token_hash
from domain.points.policy import PointsPolicy
from domain.shared.errors import InvalidStateChange, NotFound
from domain.shared.ids import OrderId


@dataclass(frozen=True, slots=True)
class Scanned:
    """A token, what it permits, and where it was scanned without a network; None: it is scanned now."""

    token: str
    permission: RedemptionPermission
    offline: OfflineScan | None = None

    def at(self, now: datetime) -> datetime:
        """The instant that decides."""
        return now if self.offline is None else self.offline.scanned_at


async def used_before(tx: OrdersTransaction, key: OrderKey, *, payment: Payment, coupon: CouponKey) -> CouponsRedeemed:
    """The answer for an order that stands already, if it is of the same member, cart and coupon.

    Refusals: InvalidStateChange.
    """
    order = await require_same(tx, key, payment=payment)
    if order.state is OrderState.CANCELLED:
        require_move(order.state, to=OrderState.PAID)
    redemptions = await tx.redemptions.of_order(key)
    if [one.coupon for one in redemptions] != [coupon]:
        raise InvalidStateChange(order.state.value, OTHER_COUPONS)
    return CouponsRedeemed(key.member_id, key.order_id, tuple(one.id for one in redemptions), repeated=True)


async def lock_usable(tx: OrdersTransaction, scanned: Scanned) -> HeldCoupon:
    """The coupon, locked, if it could be used when it was scanned; decided after the lock.

    One whose time was over only after a till without a network had scanned it is used as it was then.

    Refusals: NotFound, RedemptionCodeExpired, ScanTimeRefused, CouponExpired, CouponNotUsable.
    """
    permission, at = scanned.permission, scanned.at(tx.now)
    if permission.expires_at <= at:
        raise RedemptionCodeExpired(permission.expires_at)
    if scanned.offline is not None:
        require_scan_time(permission, scanned_at=at, now=tx.now)
    held = await tx.redemptions.lock_coupon(permission.coupon)
    if held is None:
        raise NotFound("Coupon")
    coupon = held.coupon
    if coupon.was_held_too_long:
        raise Lapsed(coupon.member_id)
    if scanned.offline is not None and coupon.state is CouponState.EXPIRED and at < coupon.valid_until:
        return replace(held, coupon=replace(coupon, state=CouponState.CLAIMED))
    if coupon.state is CouponState.EXPIRED:
        raise CouponExpired(coupon.valid_until)
    if coupon.state is not CouponState.CLAIMED:
        raise CouponNotUsable(coupon.state)
    return held


def require_scan_time(permission: RedemptionPermission, *, scanned_at: datetime, now: datetime) -> None:
    """Refuse a till's clock that cannot be right: the future, too long ago, or before the token can have been made.

    Refusals: ScanTimeRefused.
    """
    earliest = max(now - MAX_OFFLINE_AGE, permission.expires_at - MAX_TOKEN_LIFE - CLOCK_TOLERANCE)
    latest = now + CLOCK_TOLERANCE
    if not earliest <= scanned_at <= latest:
        raise ScanTimeRefused(scanned_at, earliest, latest)


async def price_alone(
    tx: OrdersTransaction, payment: Payment, *, held: HeldCoupon, at: datetime, policy: PointsPolicy
) -> PriceWith:
    """What makes the price with this coupon at that instant."""
    buyer = await buyer_of(tx, payment.member_id)
    known = await with_owner(tx.facts, [held])

    def price_with(room: Room) -> Quote:
        return make_quote(payment.cart, known, buyer=buyer, points_policy=policy, at=at, room=room)

    return price_with


def quote_alone(price_with: PriceWith) -> Quote:
    """The price with the coupon, whatever its budget has left.

    Refusals: NotEligible.
    """
    quote = price_with(AMPLE)
    for rejected in quote.not_applied:
        raise NotEligible(rejected.eligibility, quote.currency)
    return quote


async def use_token(tx: OrdersTransaction, scanned: Scanned, *, quote: Quote, order_id: OrderId) -> None:
    """Uses the token, once for ever; what was scanned without a network counts towards limits of till and store.

    Refusals: RedemptionCodeUsed, OfflineLimitReached.
    """
    coupon, scan = scanned.permission.coupon, scanned.offline
    fresh = await tx.tills.use_token(
        token_hash(scanned.token), coupon=coupon, order_id=order_id, scan=scan, discount_minor=quote.discount_minor
    )
    if not fresh:
        raise RedemptionCodeUsed
    if scan is None:
        return
    currency = tx.programme.currency
    # The limits are amounts of the programme's currency, and cover nothing in another.
    counted = quote.discount_minor if quote.currency == currency else None
    reached = await tx.tills.accept_unseen(scan, discount_minor=counted)
    if reached is not None:
        raise OfflineLimitReached(
            scan.on_date, reached.max_count, reached.max_minor, currency, per_till=reached.per_till
        )


async def count_less(
    tx: OrdersTransaction, scanned: Scanned, *, quoted: Quote, redemptions: Sequence[Redemption]
) -> None:
    """What was counted towards a store's limits, where a budget covered only a part of it: the limits ask for all."""
    scan, taken_minor = scanned.offline, sum(one.discount_minor for one in redemptions)
    if scan is None or taken_minor == quoted.discount_minor:
        return
    hash_, coupon = token_hash(scanned.token), scanned.permission.coupon
    await tx.tills.count_less(hash_, coupon=coupon, scan=scan, minor=(quoted.discount_minor, taken_minor))
