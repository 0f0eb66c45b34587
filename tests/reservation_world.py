"""What the tests of reservations do with the shop of the orders: reserve, pay what was reserved, give it up, sweep."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from domain.coupons.cart import Cart
from domain.coupons.model import CouponClaimed
from domain.orders.lapsing import expire_reservations
from domain.orders.model import CouponsRedeemed
from domain.orders.quote_tokens import QUOTE_TOKENS
from domain.orders.redeeming import RedeemReservation
from domain.orders.reservation_model import CouponsReserved, ReservationKey, ReservationReleased
from domain.orders.reserving import ReleaseReservation, ReserveCoupons, release_reservation, reserve_coupons
from domain.orders.rules import Seller
from domain.orders.use_cases import redeem_coupons
from domain.points.use_cases import AdjustPoints, adjust_points
from domain.shared.errors import Refusal
from domain.shared.idempotency import Done
from domain.shared.ids import MemberId, StoreId
from domain.shared.principal import Scope
from tests.coupon_world import NAMES, member, once
from tests.order_world import SERVICE, TOKENS, Shop, cart

TTL_SECONDS = 900


def reserve(
    coupons: Sequence[CouponClaimed],
    *,
    ref: str = "A1",
    given: Cart | None = None,
    member_id: MemberId | None = None,
    key: str | None = None,
    **changed: Any,
) -> ReserveCoupons:
    """The command of a member who holds these coupons for an order."""
    who = member_id or (coupons[0].member_id if coupons else member(1))
    command = ReserveCoupons(
        order_ref=ref,
        member_id=who,
        cart=given or cart(),
        coupon_ids=[one.coupon_id for one in coupons],
        points=changed.pop("points", 0),
        quote_token=None,
        ttl_seconds=TTL_SECONDS,
        scope=Scope.of_member(who),
        once=once(who, key=key, mutation="reserveCoupons"),
    )
    return replace(command, **changed)


async def try_reserve(shop: Shop, *coupons: CouponClaimed, **how: Any) -> Done[CouponsReserved] | Refusal:
    try:
        return await reserve_coupons(
            reserve(coupons, **how), begin=shop.world.database.begin, tokens=QUOTE_TOKENS, sweep=shop.sweep
        )
    except Refusal as refusal:
        return refusal


async def reserved(shop: Shop, *coupons: CouponClaimed, **how: Any) -> ReservationKey:
    done = await try_reserve(shop, *coupons, **how)
    assert isinstance(done, Done), done
    return ReservationKey(done.result.member_id, done.result.reservation_id)


async def try_pay(
    shop: Shop,
    reservation: ReservationKey,
    *,
    ref: str = "A1",
    seller: Seller = SERVICE,
    store_id: StoreId | None = None,
    key: str | None = None,
) -> Done[CouponsRedeemed] | Refusal:
    command = RedeemReservation(ref, reservation, store_id, seller, once(NAMES, key=key, mutation="redeemCoupons"))
    try:
        return await redeem_coupons(command, begin=shop.world.database.begin, tokens=TOKENS, sweep=shop.sweep)
    except Refusal as refusal:
        return refusal


async def paid(shop: Shop, reservation: ReservationKey, **how: Any) -> CouponsRedeemed:
    done = await try_pay(shop, reservation, **how)
    assert isinstance(done, Done), done
    return done.result


async def release(
    shop: Shop, reservation: ReservationKey, *, key: str | None = None
) -> Done[ReservationReleased] | Refusal:
    who = reservation.member_id
    command = ReleaseReservation(reservation, Scope.of_member(who), once(who, key=key, mutation="releaseReservation"))
    try:
        return await release_reservation(command, begin=shop.world.database.begin)
    except Refusal as refusal:
        return refusal


async def sweep(shop: Shop) -> int:
    return await expire_reservations(limit=100, begin=lambda: shop.world.database.begin(Scope.system()))


async def give_points(shop: Shop, points: int, *, number: int = 1) -> None:
    command = AdjustPoints(
        member_id=member(number),
        delta=points,
        reason="hello",
        expires_at=None,
        once=once(NAMES, mutation="adjustPoints"),
    )
    await adjust_points(command, begin=lambda: shop.world.database.begin(Scope.system()))


async def ended_as(shop: Shop, reservation: ReservationKey) -> str:
    return str(await shop.world.value("SELECT state FROM reservations WHERE id = $1", reservation.reservation_id))
