from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.coupons.cart import Cart
from domain.orders.model import OrderRecorded, OrderState
from domain.orders.use_cases import release_points
from domain.points.policy import DEFAULT_POLICY
from domain.shared.errors import InvalidStateChange, NotFound
from domain.shared.principal import Scope
from tests.coupon_world import member
from tests.order_world import Shop, cart, shop, till

__all__ = ["shop"]

PAID, RECEIVED, CANCELLED = OrderState.PAID, OrderState.RECEIVED, OrderState.CANCELLED


async def test_points_are_released_on_the_local_day_after_the_return_window(shop: Shop) -> None:
    assert await shop.recorded("A1", PAID) == OrderRecorded("A1", PAID, 120, 0, repeated=False)
    assert await shop.recorded("A1", RECEIVED) == OrderRecorded("A1", RECEIVED, 120, 0, repeated=False)
    due = datetime(2026, 6, 7, 16, tzinfo=UTC)  # 00:00 on 8 June in Shanghai
    assert await shop.world.value("SELECT release_at FROM points_pending") == due

    def system() -> object:
        return shop.world.database.begin(Scope.system())

    shop.world.clock.at = due - timedelta(seconds=1)
    assert await release_points(begin=system) == 0  # type: ignore[arg-type]
    shop.world.clock.at = due
    assert await release_points(begin=system) == 1  # type: ignore[arg-type]
    assert await release_points(begin=system) == 0  # type: ignore[arg-type]
    assert (await shop.pending(), await shop.available()) == (0, 120)
    assert await shop.recorded("A1", RECEIVED) == OrderRecorded("A1", RECEIVED, 0, 120, repeated=True)
    assert await shop.world.value("SELECT amount FROM tier_metric_days") == 120
    expires_at = await shop.world.value("SELECT expires_at FROM points_lots")
    assert expires_at == datetime(2027, 6, 7, 16, tzinfo=UTC)
    assert await shop.events("points") == ["EARN"]


async def test_without_a_return_window_points_are_there_at_once(shop: Shop) -> None:
    policy = replace(DEFAULT_POLICY, release_days=0)
    await shop.recorded("A1", PAID, policy=policy)
    assert await shop.recorded("A1", RECEIVED, policy=policy) == OrderRecorded("A1", RECEIVED, 0, 120, repeated=False)
    assert (await shop.pending(), await shop.available()) == (0, 120)


async def test_a_tier_adds_its_bonus(shop: Shop) -> None:
    await shop.world.database.pool.execute(
        "INSERT INTO member_tiers VALUES ($1, 'GOLD', now(), '2027-01-01')", member(1)
    )
    assert (await shop.recorded("A1", PAID)).points_pending == 144, "1.2 times the points of gold"


async def test_an_order_in_another_currency_earns_nothing(shop: Shop) -> None:
    dollars = Cart(currency="USD", lines=cart().lines)
    assert (await shop.recorded("A1", PAID, given=dollars)).points_pending == 0
    assert (await shop.recorded("A1", RECEIVED)).points_earned == 0
    assert (await shop.recorded("A2", PAID, given=dollars)).state is PAID
    assert (await shop.recorded("A2", CANCELLED)).state is CANCELLED


async def test_a_cancelled_order_gives_coupon_budget_and_promise_back(shop: Shop) -> None:
    campaign_id = await shop.add_campaign(budget_minor=2000)
    coupon = await shop.coupon(campaign_id=campaign_id)
    await shop.redeemed(coupon, ref="A1")
    assert await shop.recorded("A1", CANCELLED) == OrderRecorded("A1", CANCELLED, 0, 0, repeated=False)
    assert await shop.state(coupon) == "CLAIMED"
    assert (await shop.pending(), await shop.available()) == (0, 0)
    assert (await shop.budget())[2] == 0
    assert await shop.world.value("SELECT reversed_at FROM redemptions") == shop.world.clock.at
    assert await shop.events("wallet") == ["CLAIMED", "REDEEMED", "RESTORED"]
    assert await shop.events("redemptions") == ["REDEEMED", "REVERSED"]
    assert await shop.events("points") == [], "a promise withdrawn never was a balance"
    await shop.redeemed(coupon, ref="A2")
    refused = await shop.redeem(coupon, ref="A1")
    assert isinstance(refused, InvalidStateChange)
    assert (refused.current, refused.wanted) == ("CANCELLED", "PAID")


async def test_a_coupon_given_back_after_its_time_is_expired(shop: Shop) -> None:
    coupon = await shop.coupon()
    await shop.redeemed(coupon, ref="A1")
    shop.world.clock.advance(days=7)
    await shop.recorded("A1", CANCELLED)
    assert await shop.state(coupon) == "EXPIRED"
    assert await shop.events("wallet") == ["CLAIMED", "REDEEMED", "EXPIRED"]


@pytest.mark.parametrize(
    ("told", "then"), [(RECEIVED, CANCELLED), (CANCELLED, RECEIVED), (RECEIVED, PAID), (CANCELLED, PAID)]
)
async def test_an_order_does_not_go_back(shop: Shop, told: OrderState, then: OrderState) -> None:
    await shop.recorded("A1", PAID)
    await shop.recorded("A1", told)
    refused = await shop.record("A1", then)
    assert isinstance(refused, InvalidStateChange)
    assert (refused.current, refused.wanted) == (told.value, then.value)


@pytest.mark.parametrize("state", [PAID, RECEIVED, CANCELLED])
async def test_the_same_told_twice_is_done_once(shop: Shop, state: OrderState) -> None:
    await shop.recorded("A1", PAID)
    first = await shop.recorded("A1", state)
    assert await shop.recorded("A1", state) == replace(first, repeated=True)
    assert await shop.world.value("SELECT count(*) FROM points_pending") == (0 if state is CANCELLED else 1)


async def test_an_order_is_found_by_its_own_teller_and_member_alone(shop: Shop) -> None:
    here, there = await shop.add_store(1), await shop.add_store(2)
    await shop.recorded("A1", PAID)
    await shop.recorded("1001", PAID, seller=till(1, here), given=cart(store_id=here))
    for ref, how in (
        ("A9", {}),
        ("A1", {"number": 2}),
        ("A1", {"seller": till(1)}),
        ("1001", {}),
        ("1001", {"seller": till(2)}),
        ("1001", {"seller": till(1, there)}),
        ("1001", {"seller": till(1), "number": 2}),
    ):
        refused = await shop.record(ref, RECEIVED, **how)
        assert isinstance(refused, NotFound), (ref, how)
        assert refused.noun == "Order"
    await shop.recorded("1001", RECEIVED, seller=till(1, here))
    unknown = await shop.record("A2", PAID, number=99)
    assert isinstance(unknown, NotFound)
    assert unknown.noun == "Member"
