"""Redemptions and orders that race: several pools, as several server processes have."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import replace
from typing import Any

import pytest

from domain.coupons.model import CouponClaimed
from domain.coupons.use_cases import expire_coupons
from domain.orders.errors import BudgetExhausted, CouponExpired, CouponNotUsable
from domain.orders.model import OrderState
from domain.orders.use_cases import release_points
from domain.points.policy import DEFAULT_POLICY
from domain.points.use_cases import CheckIn, check_in
from domain.shared.errors import InvalidStateChange, Refusal
from domain.shared.idempotency import Done
from domain.shared.principal import Scope
from tests.coupon_world import member, once
from tests.order_world import Shop, shops_at_once, till

PAID, RECEIVED, CANCELLED = OrderState.PAID, OrderState.RECEIVED, OrderState.CANCELLED


@pytest.fixture
async def shops(database_url: str) -> AsyncIterator[list[Shop]]:
    async with shops_at_once(database_url, size=4, members=1) as made:
        yield made


def kinds(outcomes: Sequence[object]) -> Counter[str]:
    return Counter(
        ("repeated" if outcome.replayed or outcome.result.repeated else "done")
        if isinstance(outcome, Done)
        else type(outcome).__name__
        for outcome in outcomes
    )


async def test_one_coupon_at_two_tills_at_once_is_redeemed_once(shops: list[Shop]) -> None:
    stores = [await shops[0].add_store(n) for n in (1, 2)]
    for _ in range(10):
        coupon = await shops[0].coupon()
        outcomes = await asyncio.gather(
            *(shops[n].redeem(coupon, seller=till(1, stores[n]), store_id=stores[n]) for n in (0, 1))
        )
        assert kinds(outcomes) == {"done": 1, "CouponNotUsable": 1}
    assert await shops[0].world.value("SELECT count(*) FROM redemptions") == 10


async def test_one_order_redeemed_at_once_under_many_keys_is_one_use_and_one_answer(shops: list[Shop]) -> None:
    coupon = await shops[0].coupon()
    outcomes = await asyncio.gather(*(shops[n % 4].redeem(coupon, ref="A1") for n in range(12)))
    assert kinds(outcomes) == {"done": 1, "repeated": 11}
    assert len({o.result.redemption_ids for o in outcomes if isinstance(o, Done)}) == 1


async def test_one_key_at_once_is_one_use_and_one_answer(shops: list[Shop]) -> None:
    coupon = await shops[0].coupon()
    token = shops[0].token(coupon)
    outcomes = await asyncio.gather(
        *(shops[n % 4].redeem(coupon, ref="A1", key="mine", token=token) for n in range(12))
    )
    assert kinds(outcomes) == {"done": 1, "repeated": 11}


async def test_one_order_of_two_members_at_once_is_one_members(shops: list[Shop]) -> None:
    for number in range(10):
        coupons = [await shops[0].coupon(1), await shops[0].coupon(2)]
        outcomes = await asyncio.gather(*(shops[n].redeem(coupons[n], ref=f"B{number}") for n in (0, 1)))
        assert kinds(outcomes) == {"done": 1, "InvalidStateChange": 1}
        assert sorted([await shops[0].state(one) for one in coupons]) == ["CLAIMED", "REDEEMED"]


async def test_a_budget_for_10_takes_10_of_100_redemptions_at_once(shops: list[Shop]) -> None:
    laurel = shops[0]
    campaign_id = await laurel.add_campaign(budget_minor=20000)
    template_id = await laurel.world.published(campaign_id=campaign_id)
    coupons = [await laurel.world.claimed(template_id, number) for number in range(100)]
    outcomes = await asyncio.gather(*(shops[n % 4].redeem(coupon) for n, coupon in enumerate(coupons)))
    assert kinds(outcomes) == {"done": 10, "BudgetExhausted": 90}
    assert (await laurel.budget())[2] == 20000
    assert all(o.required_minor == 2000 for o in outcomes if isinstance(o, BudgetExhausted))


async def test_a_redemption_and_the_sweep_of_expired_coupons_never_both_have_it(shops: list[Shop]) -> None:
    laurel = shops[0]
    clock = laurel.world.clock
    for _ in range(10):
        coupon = await laurel.coupon()
        until = await laurel.world.value("SELECT valid_until FROM coupons WHERE id = $1", coupon.coupon_id)
        token = laurel.token(coupon, seconds=10**6)
        now = clock.at

        async def sweep() -> int:
            clock.at = until  # noqa: B023 - run in this round
            return await expire_coupons(limit=10, begin=lambda: shops[1].world.database.begin(Scope.system()))

        redeemed, _ = await asyncio.gather(shops[0].redeem(coupon, token=token), sweep())
        state = await laurel.state(coupon)
        if isinstance(redeemed, Done):
            assert state == "REDEEMED"
        else:
            assert isinstance(redeemed, CouponExpired | CouponNotUsable)
            assert state == "EXPIRED"
        clock.at = now


async def test_cancelling_while_the_order_is_redeemed_leaves_one_of_two_ends(shops: list[Shop]) -> None:
    for number in range(10):
        coupon, ref = await shops[0].coupon(), f"C{number}"
        await shops[0].redeemed(coupon, ref=ref)
        again, cancelled = await asyncio.gather(
            shops[1].redeem(coupon, ref=f"D{number}"), shops[2].record(ref, CANCELLED)
        )
        assert isinstance(cancelled, Done)
        if isinstance(again, Done):
            assert await shops[0].state(coupon) == "REDEEMED"
        else:
            assert isinstance(again, CouponNotUsable)
            assert await shops[0].state(coupon) == "CLAIMED"


async def test_a_payment_told_many_times_at_once_earns_once(shops: list[Shop]) -> None:
    outcomes = await asyncio.gather(*(shops[n % 4].record("A1", PAID) for n in range(12)))
    assert kinds(outcomes) == {"done": 1, "repeated": 11}
    assert await shops[0].world.value("SELECT pending FROM points_accounts") == 120


async def test_received_and_cancelled_at_once_is_one_of_the_two(shops: list[Shop]) -> None:
    for number in range(10):
        await shops[0].recorded(f"A{number}", PAID)
        outcomes = await asyncio.gather(
            shops[1].record(f"A{number}", RECEIVED), shops[2].record(f"A{number}", CANCELLED)
        )
        assert kinds(outcomes) == {"done": 1, "InvalidStateChange": 1}
        (refused,) = [o for o in outcomes if isinstance(o, InvalidStateChange)]
        assert {refused.current, refused.wanted} == {"RECEIVED", "CANCELLED"}


async def test_points_that_are_due_are_released_once_by_however_many_workers(shops: list[Shop]) -> None:
    for number in range(5):
        await shops[0].recorded(f"A{number}", PAID)
        await shops[0].recorded(f"A{number}", RECEIVED)
    shops[0].world.clock.advance(days=8)
    await asyncio.gather(
        *(release_points(begin=lambda s=shop: s.world.database.begin(Scope.system())) for shop in shops)  # type: ignore[misc]
    )
    row = (await shops[0].world.rows("SELECT available, pending FROM points_accounts"))[0]
    assert (row["available"], row["pending"]) == (600, 0)
    assert await shops[0].world.value("SELECT sum(amount) FROM tier_metric_days") == 600
    assert await shops[0].world.value("SELECT count(*) FROM points_lots") == 5
    assert await shops[0].world.value("SELECT member_id FROM points_accounts") == member(1)


async def test_all_that_can_happen_to_two_members_at_once_waits_in_line_and_never_in_a_ring(shops: list[Shop]) -> None:
    laurel = shops[0]
    campaign_id = await laurel.add_campaign(budget_minor=10**9)
    template_id = await laurel.world.published(campaign_id=campaign_id, limit_per_member=None, stock=1000)
    await laurel.add_member(2)
    for round_ in range(5):
        coupons = [await laurel.world.claimed(template_id, 1 + n % 2) for n in range(8)]
        for n in range(8):
            await laurel.recorded(f"R{round_}-{n}", PAID, number=1 + n % 2)
        laurel.world.clock.advance(days=1)
        policy = replace(DEFAULT_POLICY, release_days=0)
        work: list[Coroutine[Any, Any, object]] = []
        for n, coupon in enumerate(coupons):
            shop, other = shops[n % 4], shops[(n + 1) % 4]
            work += [
                shop.redeem(coupon, ref=f"A{round_}-{n}", seller=till(1)),
                other.redeem(coupon, ref=f"A{round_}-{n}", seller=till(1)),
                other.world.claim(template_id, 1 + n % 2),
                shop.record(f"R{round_}-{n}", (RECEIVED, CANCELLED)[n % 2], number=1 + n % 2, policy=policy),
                shop.record(f"A{round_}-{n}", CANCELLED, number=coupon_owner(coupon), seller=till(1)),
                check_in(
                    CheckIn(member(1 + n % 2), once(member(1 + n % 2), mutation="checkIn")),
                    begin=lambda s=shop: s.world.database.begin(Scope.system()),  # type: ignore[misc]
                ),
                release_points(begin=lambda s=other: s.world.database.begin(Scope.system())),  # type: ignore[misc]
            ]
        outcomes = await asyncio.gather(*work, return_exceptions=True)
        assert [o for o in outcomes if isinstance(o, Exception) and not isinstance(o, Refusal)] == []


def coupon_owner(coupon: CouponClaimed) -> int:
    return 1 if coupon.member_id == member(1) else 2
