"""What an order held and does not use: it is given up when the order is paid otherwise, and no old hold pays for it."""

from typing import Any

import pytest

from domain.orders.errors import ReservationExpired
from domain.orders.model import OrderState
from domain.shared.errors import InvalidStateChange
from domain.shared.events import WALLET
from domain.shared.idempotency import Done
from tests.coupon_world import merchant
from tests.order_world import Shop, cart, shop, till
from tests.reservation_world import (
    TTL_SECONDS,
    ended_as,
    give_points,
    paid,
    release,
    reserved,
    sweep,
    try_pay,
    try_reserve,
)

__all__ = ["shop"]

PAID, CANCELLED = OrderState.PAID, OrderState.CANCELLED


@pytest.mark.parametrize("swept", [False, True])
async def test_an_order_that_holds_something_newer_is_not_paid_by_what_has_run_out(shop: Shop, *, swept: bool) -> None:
    campaign_id = await shop.add_campaign(budget_minor=4000)
    old, new = [await shop.coupon(campaign_id=campaign_id) for _ in range(2)]
    first = await reserved(shop, old)
    shop.world.clock.advance(seconds=TTL_SECONDS)
    run_out_at = shop.world.clock.at
    if swept:
        await sweep(shop)
    second = await reserved(shop, new)
    refused = await try_pay(shop, first)
    assert isinstance(refused, ReservationExpired)
    assert refused.expired_at == run_out_at
    assert [await shop.state(one) for one in (old, new)] == ["CLAIMED", "RESERVED"]
    assert await shop.budget() == (2000, 2000, 0)
    assert not (await paid(shop, second)).late_capture
    assert await shop.budget() == (2000, 0, 2000)


@pytest.mark.parametrize("ended", ["released", "run out", "swept"])
async def test_what_has_run_out_pays_late_once_the_order_holds_nothing_newer_any_more(shop: Shop, ended: str) -> None:
    old, new = [await shop.coupon() for _ in range(2)]
    first = await reserved(shop, old)
    shop.world.clock.advance(seconds=TTL_SECONDS)
    second = await reserved(shop, new)
    if ended == "released":
        await release(shop, second)
    else:
        shop.world.clock.advance(seconds=TTL_SECONDS)
    if ended == "swept":
        await sweep(shop)
    assert (await paid(shop, first)).late_capture
    assert [await shop.state(one) for one in (old, new)] == ["REDEEMED", "CLAIMED"]
    assert isinstance(await try_pay(shop, second), InvalidStateChange)


@pytest.mark.parametrize("swept", [False, True])
@pytest.mark.parametrize("kind", ["coupon", "balance", "points"])
async def test_what_another_order_has_held_for_too_long_as_well_pays_late_swept_or_not(
    shop: Shop, kind: str, *, swept: bool
) -> None:
    cash: dict[str, Any] = {"kind": "CASH", "terms": {"faceMinor": 2000}} if kind == "balance" else {}
    coupons = [] if kind == "points" else [await shop.coupon(**cash)]
    await give_points(shop, 500)
    points = 500 if kind == "points" else 0
    first = await reserved(shop, *coupons, ref="A1", points=points)
    shop.world.clock.advance(seconds=TTL_SECONDS)
    second = await reserved(shop, *coupons, ref="B1", points=points)
    shop.world.clock.advance(seconds=TTL_SECONDS)
    if swept:
        await sweep(shop)
    assert (await paid(shop, first, ref="A1")).late_capture
    assert (await ended_as(shop, first), await ended_as(shop, second)) == ("REDEEMED", "EXPIRED")
    assert isinstance(await try_pay(shop, second, ref="B1"), ReservationExpired), "it is gone now"


@pytest.mark.parametrize("run_out", [False, True])
async def test_an_order_that_is_recorded_as_paid_gives_up_what_it_held(shop: Shop, *, run_out: bool) -> None:
    campaign_id = await shop.add_campaign(budget_minor=2000, PLATFORM=2000)
    coupon = await shop.coupon(campaign_id=campaign_id)
    await give_points(shop, 500)
    held = await reserved(shop, coupon, points=300)
    if run_out:
        shop.world.clock.advance(seconds=TTL_SECONDS)
    await shop.recorded("A1", PAID)
    assert (await shop.state(coupon), await shop.available()) == ("CLAIMED", 500)
    assert (await shop.budget(), await shop.budget("PLATFORM")) == ((2000, 0, 0), (2000, 0, 0))
    assert await ended_as(shop, held) == ("EXPIRED" if run_out else "RELEASED")
    assert await shop.events(WALLET) == ["CLAIMED", "RESERVED", "RELEASED"]
    refused = await try_pay(shop, held)
    assert isinstance(refused, InvalidStateChange)
    assert refused.wanted == "PAID with other coupons"


async def test_an_order_that_is_paid_with_a_scanned_coupon_gives_up_what_it_held(shop: Shop) -> None:
    campaign_id = await shop.add_campaign(budget_minor=2000)
    held_coupon, scanned = [await shop.coupon(campaign_id=campaign_id) for _ in range(2)]
    held = await reserved(shop, held_coupon)
    await shop.redeemed(scanned, ref="A1")
    assert [await shop.state(one) for one in (held_coupon, scanned)] == ["CLAIMED", "REDEEMED"]
    assert await shop.budget() == (0, 0, 2000), "what it held is what it spends"
    assert await ended_as(shop, held) == "RELEASED"
    assert isinstance(await try_pay(shop, held), InvalidStateChange)


async def test_the_coupon_that_an_order_holds_may_be_scanned_for_it(shop: Shop) -> None:
    coupon = await shop.coupon()
    held = await reserved(shop, coupon)
    await shop.redeemed(coupon, ref="A1")
    assert (await shop.state(coupon), await ended_as(shop, held)) == ("REDEEMED", "RELEASED")
    assert await shop.events(WALLET) == ["CLAIMED", "RESERVED", "RELEASED", "REDEEMED"]


async def test_a_payment_that_is_refused_leaves_what_the_order_holds(shop: Shop) -> None:
    coupon, dear = await shop.coupon(), await shop.coupon(terms={"thresholdMinor": 90000, "amountMinor": 1})
    held = await reserved(shop, coupon)
    assert not isinstance(await shop.redeem(dear, ref="A1"), Done)
    assert (await shop.state(coupon), await ended_as(shop, held)) == ("RESERVED", "HELD")


async def test_other_orders_and_a_tills_order_of_the_same_name_leave_what_an_order_holds(shop: Shop) -> None:
    coupon = await shop.coupon()
    held = await reserved(shop, coupon, ref="A1")
    await shop.recorded("A2", PAID)
    store = await shop.add_store(1)
    at_till = {"seller": till(1, store), "given": cart(store_id=store, of=merchant(1))}
    await shop.recorded("A1", PAID, **at_till)
    assert (await shop.state(coupon), await ended_as(shop, held)) == ("RESERVED", "HELD")
    assert not (await paid(shop, held)).repeated, "a till's references are its own"


async def test_an_order_that_was_cancelled_reserves_nothing_since_it_cannot_be_paid(shop: Shop) -> None:
    campaign_id = await shop.add_campaign(budget_minor=2000)
    coupon, other = [await shop.coupon(campaign_id=campaign_id) for _ in range(2)]
    held = await reserved(shop, coupon)
    await paid(shop, held)
    await shop.recorded("A1", CANCELLED)
    refused, at_payment = await try_reserve(shop, other), await try_pay(shop, held)
    assert isinstance(refused, InvalidStateChange)
    assert isinstance(at_payment, InvalidStateChange)
    assert (refused.current, refused.wanted) == ("CANCELLED", "RESERVED")
    assert (at_payment.current, at_payment.wanted) == ("CANCELLED", "PAID")
    assert (await shop.state(other), await shop.budget()) == ("CLAIMED", (2000, 0, 0))
    assert await shop.world.value("SELECT count(*) FROM reservations") == 1
