"""Who may pay and give up what is held; points that are held; the order of locks."""

import pytest

from domain.coupons.model import CouponClaimed, CouponKey
from domain.orders.errors import (
    CouponNotUsable,
    ReservationExpired,
)
from domain.orders.model import OrderState
from domain.orders.reservation_model import ReservationKey
from domain.orders.voiding import CouponVoided, VoidCoupon, void_coupon
from domain.points.errors import InsufficientPoints
from domain.shared.errors import BadUserInput, InvalidStateChange, NotFound, Refusal
from domain.shared.events import POINTS, WALLET
from domain.shared.idempotency import Done
from domain.shared.principal import Scope
from persistence.base import on_statement
from persistence.orders.reservations import SqlReservationReads
from tests.coupon_world import NAMES, member, merchant, once
from tests.order_world import Shop, cart, shop, store, till
from tests.queries import names_into
from tests.reservation_world import (
    TTL_SECONDS,
    give_points,
    paid,
    release,
    reserved,
    sweep,
    try_pay,
    try_reserve,
)

__all__ = ["shop"]

CANCELLED = OrderState.CANCELLED


# ── who ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_till_pays_what_was_reserved_of_its_own_merchants_goods_alone(shop: Shop) -> None:
    await shop.add_store(1)
    coupon = await shop.coupon()
    held = await reserved(shop, coupon)
    stranger = await try_pay(shop, held, seller=till(2))
    assert isinstance(stranger, NotFound)
    assert stranger.noun == "Reservation"
    done = await paid(shop, held, seller=till(1, store(1)), store_id=store(1))
    assert done.redemption_ids
    assert await shop.world.value("SELECT store_id FROM orders") == store(1)
    mixed = await reserved(shop, await shop.coupon(), ref="A2", given=cart(12000, of=merchant(2)))
    assert isinstance(await try_pay(shop, mixed, ref="A2", seller=till(1)), NotFound)


async def test_nobody_elses_reservation_is_seen_or_released(shop: Shop) -> None:
    held = await reserved(shop, await shop.coupon())
    reads = SqlReservationReads(shop.world.database)
    assert list(await reads.reservations_by_key([held], scope=Scope.of_member(member(1)))) == [held]
    assert await reads.reservations_by_key([held], scope=Scope.of_member(member(2))) == {}
    stranger = ReservationKey(member(2), held.reservation_id)
    assert isinstance(await release(shop, stranger), NotFound)
    assert isinstance(await try_pay(shop, stranger), NotFound)
    with pytest.raises(BadUserInput):
        await try_pay(shop, held, ref="another order")


# ── points ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_points_are_held_with_the_coupons_and_are_not_there_for_anything_else(shop: Shop) -> None:
    await give_points(shop, 3000)
    coupon = await shop.coupon()
    held = await reserved(shop, coupon, points=2500)
    assert await shop.available() == 500
    assert isinstance(await try_reserve(shop, ref="A2", points=501), InsufficientPoints)
    done = await paid(shop, held)
    assert await shop.available() == 500
    row = (await shop.world.rows("SELECT points_used, points_minor, paid_minor FROM orders"))[0]
    assert tuple(row) == (2500, 2500, 7500)
    assert done.redemption_ids
    assert await shop.events(POINTS) == ["ADJUST", "SPEND"]


@pytest.mark.parametrize("how", ["released", "run out", "replaced"])
async def test_points_that_are_held_no_more_return_to_their_lots(shop: Shop, how: str) -> None:
    await give_points(shop, 1000)
    await give_points(shop, 2000)
    before = await shop.world.rows("SELECT id, remaining FROM points_lots ORDER BY id")
    held = await reserved(shop, points=1500)
    if how == "released":
        await release(shop, held)
    elif how == "run out":
        shop.world.clock.advance(seconds=TTL_SECONDS)
        await sweep(shop)
    else:
        again = await reserved(shop, points=3000)
        assert await shop.available() == 0
        await release(shop, again)
    assert await shop.world.rows("SELECT id, remaining FROM points_lots ORDER BY id") == before
    assert await shop.available() == 3000


async def test_points_alone_pay_late_while_they_are_there(shop: Shop) -> None:
    await give_points(shop, 1000)
    first, second = await reserved(shop, ref="A1", points=600), None
    shop.world.clock.advance(seconds=TTL_SECONDS)
    second = await reserved(shop, ref="A2", points=900)
    assert isinstance(await try_pay(shop, first, ref="A1"), ReservationExpired)
    await release(shop, second)
    assert (await paid(shop, first, ref="A1")).late_capture
    assert await shop.available() == 400


async def test_a_cancelled_order_gives_the_points_back_that_were_held_for_it(shop: Shop) -> None:
    await give_points(shop, 3000)
    await paid(shop, await reserved(shop, await shop.coupon(), points=2500))
    await shop.recorded("A1", CANCELLED)
    assert await shop.available() == 3000


# ── taken back ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def try_void(shop: Shop, coupon: CouponClaimed, *, key: str | None = None) -> Done[CouponVoided] | Refusal:
    asked = CouponKey(coupon.member_id, coupon.coupon_id)
    command = VoidCoupon(asked, "fraud", Scope.system(), once(NAMES, key=key, mutation="voidCoupon"))
    try:
        return await void_coupon(command, begin=shop.world.database.begin)
    except Refusal as refusal:
        return refusal


async def test_blnk_152_a_coupon_is_taken_back_once_and_not_used_afterwards(shop: Shop) -> None:
    """blnk#152: void twice."""
    coupon = await shop.coupon()
    assert isinstance(await try_void(shop, coupon, key="mine"), Done)
    replayed = await try_void(shop, coupon, key="mine")
    assert isinstance(replayed, Done)
    assert replayed.replayed
    again = await try_void(shop, coupon)
    assert isinstance(again, InvalidStateChange)
    assert (again.current, again.wanted) == ("VOIDED", "VOIDED")
    used = await shop.redeem(coupon)
    assert isinstance(used, CouponNotUsable)
    assert isinstance(await try_reserve(shop, coupon), CouponNotUsable)
    assert await shop.events(WALLET) == ["CLAIMED", "VOIDED"]


async def test_what_is_held_is_not_taken_back_before_its_time_is_over(shop: Shop) -> None:
    coupon = await shop.coupon()
    await reserved(shop, coupon)
    held = await try_void(shop, coupon)
    assert isinstance(held, InvalidStateChange)
    assert held.current == "RESERVED"
    shop.world.clock.advance(seconds=TTL_SECONDS)
    assert isinstance(await try_void(shop, coupon), Done)
    assert await shop.events(WALLET) == ["CLAIMED", "RESERVED", "RELEASED", "VOIDED"]


# ── in one order of locks ────────────────────────────────────────────────────────────────────────────────────────────


async def test_locks_are_taken_in_the_one_order(shop: Shop) -> None:
    campaign_id = await shop.add_campaign(budget_minor=20000)
    coupon = await shop.coupon(campaign_id=campaign_id)
    names: list[str] = []
    token = on_statement.set(names_into(names))
    try:
        held = await reserved(shop, coupon)
        await paid(shop, held)
    finally:
        on_statement.reset(token)
    places = ["advance_streams", "lock_coupons", "reserve_coupons", "post_on_free_budget_shard", "insert_events"]
    assert sorted(places, key=names.index) == places
