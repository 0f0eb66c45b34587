"""Refunds that race with each other and with all else that happens to an order: several pools, as processes have."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Sequence
from random import Random
from typing import Any

import pytest

from domain.coupons.cart import Cart, CartLine
from domain.coupons.model import RefundPolicy
from domain.orders.errors import CouponNotUsable
from domain.orders.model import OrderState
from domain.orders.use_cases import release_points
from domain.points.policy import PointsPolicy
from domain.shared.errors import Refusal
from domain.shared.idempotency import Done
from domain.shared.principal import Scope
from tests.coupon_world import merchant
from tests.order_world import Shop, cart, shops_at_once, till
from tests.refund_world import refund

PAID, RECEIVED, CANCELLED = OrderState.PAID, OrderState.RECEIVED, OrderState.CANCELLED


@pytest.fixture
async def shops(database_url: str) -> AsyncIterator[list[Shop]]:
    async with shops_at_once(database_url, size=4, members=2) as made:
        yield made


def kinds(outcomes: Sequence[object]) -> Counter[str]:
    return Counter(
        ("repeated" if outcome.replayed else "done") if isinstance(outcome, Done) else type(outcome).__name__
        for outcome in outcomes
    )


def units(count: int, price_minor: int) -> Cart:
    return Cart("CNY", (CartLine("l0", "p0", merchant(1), count, price_minor),))


async def test_one_line_refunded_twice_at_once_is_refunded_once(shops: list[Shop]) -> None:
    for number in range(6):
        await shops[0].redeemed(await shops[0].coupon(), ref=f"A{number}", given=cart(6000, 6000))
        outcomes = await asyncio.gather(*(refund(shops[n], f"A{number}", {"l0": 1}) for n in range(4)))
        assert kinds(outcomes) == {"done": 1, "RefundExceedsOrder": 3}
    assert await shops[0].world.value("SELECT sum(refunded_minor) FROM orders") == 30000


async def test_the_units_of_a_line_refunded_at_once_sum_to_what_was_paid(shops: list[Shop]) -> None:
    coupon = await shops[0].coupon(kind="AMOUNT_OFF", terms={"amountMinor": 1000})
    await shops[0].redeemed(coupon, ref="A1", given=units(7, 1999))
    outcomes = await asyncio.gather(*(refund(shops[n % 4], "A1", {"l0": 1}) for n in range(12)))
    assert kinds(outcomes) == {"done": 7, "RefundExceedsOrder": 5}
    done = [outcome.result for outcome in outcomes if isinstance(outcome, Done)]
    assert sum(one.refund_minor for one in done) == 7 * 1999 - 1000
    assert sum(one.points_clawed_back for one in done) == (7 * 1999 - 1000) // 100
    assert [one.restored for one in done].count((coupon.coupon_id,)) == 1


async def test_one_key_at_once_is_one_refund_and_one_answer(shops: list[Shop]) -> None:
    await shops[0].recorded("A1", PAID, given=units(9, 1000))
    outcomes = await asyncio.gather(*(refund(shops[n % 4], "A1", {"l0": 1}, key="mine") for n in range(12)))
    assert kinds(outcomes) == {"done": 1, "repeated": 11}
    assert len({outcome.result for outcome in outcomes if isinstance(outcome, Done)}) == 1


async def test_a_coupon_is_redeemed_again_only_after_the_refund_that_gave_it_back(shops: list[Shop]) -> None:
    for number in range(6):
        coupon = await shops[0].coupon()
        await shops[0].redeemed(coupon, ref=f"A{number}")
        again, back = await asyncio.gather(shops[1].redeem(coupon, ref=f"B{number}"), refund(shops[2], f"A{number}"))
        assert isinstance(back, Done)
        assert back.result.restored == (coupon.coupon_id,)
        assert isinstance(again, Done | CouponNotUsable)
        assert await shops[0].state(coupon) == ("REDEEMED" if isinstance(again, Done) else "CLAIMED")


async def test_a_refund_and_the_release_of_its_points_leave_what_the_rest_earns(shops: list[Shop]) -> None:
    for number in range(6):
        ref = f"A{number}"
        await shops[0].recorded(ref, PAID, given=cart(3333, 6667))
        await shops[0].recorded(ref, RECEIVED)
    shops[0].world.clock.advance(days=8)
    work: list[Coroutine[Any, Any, object]] = [
        release_points(begin=lambda s=shop: s.world.database.begin(Scope.system()))  # type: ignore[misc]
        for shop in shops
    ]
    work += [refund(shops[n % 4], f"A{n}", {"l0": 1}) for n in range(6)]
    await asyncio.gather(*work)
    row = (await shops[0].world.rows("SELECT available, pending, debt FROM points_accounts"))[0]
    assert (row["available"], row["pending"], row["debt"]) == (6 * 66, 0, 0)
    assert await shops[0].world.value("SELECT sum(amount) FROM tier_metric_days") == 6 * 66


async def test_a_refund_while_the_order_is_received_leaves_what_the_rest_promises(shops: list[Shop]) -> None:
    for number in range(6):
        ref = f"A{number}"
        await shops[0].recorded(ref, PAID, given=cart(3333, 6667))
        at_once = PointsPolicy(release_days=0)
        outcomes = await asyncio.gather(
            refund(shops[1], ref, {"l0": 1}), shops[2].record(ref, RECEIVED, policy=at_once)
        )
        assert kinds(outcomes) == {"done": 2}
    assert (await shops[0].available(), await shops[0].pending()) == (6 * 66, 0)


async def test_refunded_while_it_is_cancelled_an_order_pays_back_what_was_paid(shops: list[Shop]) -> None:
    for number in range(6):
        coupon, ref = await shops[0].coupon(refund_policy=RefundPolicy.REPRICE), f"A{number}"
        await shops[0].redeemed(coupon, ref=ref, given=cart(6000, 6000))
        back, cancelled = await asyncio.gather(refund(shops[1], ref, {"l0": 1}), shops[2].record(ref, CANCELLED))
        assert isinstance(cancelled, Done)
        assert kinds([back]) in ({"done": 1}, {"InvalidStateChange": 1})
        assert await shops[0].state(coupon) == "CLAIMED"
    assert await shops[0].world.value("SELECT sum(refunded_minor) FROM orders") == 60000


async def test_all_that_can_happen_to_refunded_orders_at_once_waits_in_line_and_never_in_a_ring(
    shops: list[Shop],
) -> None:
    laurel, chance = shops[0], Random(1)
    campaign_id = await laurel.add_campaign(budget_minor=10**9)
    policies = [await _template(laurel, campaign_id=campaign_id, refund_policy=policy) for policy in RefundPolicy]
    for round_ in range(3):
        work: list[Coroutine[Any, Any, object]] = []
        for n in range(8):
            number, ref = 1 + n % 2, f"A{round_}-{n}"
            coupon = await laurel.world.claimed(policies[n % 3], number)
            await laurel.redeemed(coupon, ref=ref, seller=till(1), given=cart(6000, 6000))
            shop, other = shops[n % 4], shops[(n + 1) % 4]
            work += [
                refund(shop, ref, {"l0": 1}, seller=till(1)),
                refund(other, ref, {"l1": 1}, seller=till(1)),
                other.redeem(coupon, ref=f"B{round_}-{n}", seller=till(1)),
                shop.record(ref, chance.choice([RECEIVED, CANCELLED]), number=number, seller=till(1)),
                release_points(begin=lambda s=other: s.world.database.begin(Scope.system())),  # type: ignore[misc]
            ]
        laurel.world.clock.advance(days=1)
        outcomes = await asyncio.gather(*work, return_exceptions=True)
        assert [o for o in outcomes if isinstance(o, Exception) and not isinstance(o, Refusal)] == []
        await laurel.consistent()
    for ref in await laurel.world.rows("SELECT order_ref FROM orders WHERE state <> 'CANCELLED' ORDER BY order_ref"):
        await refund(laurel, ref["order_ref"], seller=till(1))
    assert await laurel.world.value("SELECT count(*) FROM orders WHERE refunded_minor <> paid_minor") == 0
    assert await laurel.world.value("SELECT sum(redeemed_minor) FROM budget_accounts") == 0


async def _template(laurel: Shop, **changed: Any) -> Any:
    return await laurel.world.published(limit_per_member=None, stock=1000, **changed)
