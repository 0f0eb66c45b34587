"""What was paid with a coupon's balance goes back to it, what was paid with points to the very lots they came from."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from domain.coupons.model import CouponClaimed
from domain.orders.model import OrderState
from domain.points.policy import DEFAULT_POLICY
from domain.points.use_cases import AdjustPoints, adjust_points
from domain.shared.principal import Scope
from tests.coupon_world import NAMES, member, once
from tests.order_world import Shop, cart, shop
from tests.refund_world import refunded
from tests.reservation_world import ended_as, paid, reserved

__all__ = ["shop"]


async def balance(shop: Shop, coupon: CouponClaimed) -> tuple[int, str]:
    minor = await shop.world.value("SELECT balance_minor FROM coupons WHERE id = $1", coupon.coupon_id)
    return int(minor), await shop.state(coupon)


async def cash(shop: Shop) -> CouponClaimed:
    return await shop.coupon(kind="CASH", terms={"faceMinor": 10000})


async def test_a_balance_gets_its_part_of_each_refund_back(shop: Shop) -> None:
    coupon = await cash(shop)
    await shop.redeemed(coupon, ref="A1", given=cart(3000, 6000, 3000))
    assert await balance(shop, coupon) == (0, "REDEEMED")
    first = await refunded(shop, "A1", {"l0": 1})
    assert (first.refund_minor, first.restored) == (500, (coupon.coupon_id,))
    assert await balance(shop, coupon) == (2500, "CLAIMED")
    await shop.redeemed(coupon, ref="A2", given=cart(2500))
    assert await balance(shop, coupon) == (0, "REDEEMED")
    await shop.consistent()
    rest = await refunded(shop, "A1")
    assert (rest.refund_minor, await balance(shop, coupon)) == (1500, (7500, "CLAIMED"))
    assert await shop.events("wallet") == ["CLAIMED", "REDEEMED", "RESTORED", "REDEEMED", "RESTORED"]
    assert await shop.events("redemptions") == ["REDEEMED", "REFUNDED", "REDEEMED", "REVERSED"]


async def test_a_balance_whose_time_is_over_is_given_back_and_expired(shop: Shop) -> None:
    coupon = await cash(shop)
    await shop.redeemed(coupon, ref="A1", given=cart(12000))
    shop.world.clock.advance(days=7)
    await refunded(shop, "A1")
    assert await balance(shop, coupon) == (10000, "EXPIRED")


async def give(shop: Shop, points: int, *, expires_at: datetime | None = None) -> None:
    command = AdjustPoints(
        member_id=member(1),
        delta=points,
        reason="hello",
        expires_at=expires_at,
        once=once(NAMES, mutation="adjustPoints"),
    )
    await adjust_points(command, begin=lambda: shop.world.database.begin(Scope.system()))


async def lots(shop: Shop) -> list[int]:
    rows = await shop.world.rows("SELECT remaining FROM points_lots ORDER BY expires_at NULLS LAST, earned_at, id")
    return [row["remaining"] for row in rows]


async def paid_with_500_points(shop: Shop) -> None:
    """300 of a lot that expires in ten days, 200 of one that never does, for lines of ¥60 and ¥40."""
    await give(shop, 300, expires_at=shop.world.clock.at + timedelta(days=10))
    await give(shop, 1000)
    await paid(shop, await reserved(shop, given=cart(6000, 4000), points=500))
    assert await lots(shop) == [0, 800]
    assert await shop.world.value("SELECT paid_minor FROM orders") == 9500


async def test_points_go_back_to_the_lots_that_they_came_from_the_last_drawn_first(shop: Shop) -> None:
    await paid_with_500_points(shop)
    assert await shop.pending() == 95
    done = await refunded(shop, "A1", {"l0": 1})
    assert (done.refund_minor, done.points_returned, done.points_clawed_back) == (5700, 300, 95 - 38)
    assert await lots(shop) == [100, 1000], "as if 200 points had been spent"
    await shop.consistent()
    rest = await refunded(shop, "A1")
    assert (rest.refund_minor, rest.points_returned, rest.points_clawed_back) == (3800, 200, 38)
    assert (await lots(shop), await shop.available()) == ([300, 1000], 1300)
    assert await shop.events("points") == ["ADJUST", "ADJUST", "SPEND", "REFUND", "REFUND"]


@pytest.mark.parametrize(("grace_days", "left"), [(0, [0, 1000]), (5, [0, 300, 1000])])
async def test_what_goes_back_to_an_expired_lot_expires_at_once_or_after_a_grace(
    shop: Shop, grace_days: int, left: list[int]
) -> None:
    await paid_with_500_points(shop)
    shop.world.clock.advance(days=11)
    policy = replace(DEFAULT_POLICY, returned_grace_days=grace_days)
    done = await refunded(shop, "A1", policy=policy)
    assert (done.refund_minor, done.points_returned) == (9500, 500)
    assert await lots(shop) == left
    assert await shop.available() == sum(left)
    assert (await shop.events("points"))[3:] == (["REFUND"] if grace_days else ["REFUND", "EXPIRE"])


async def test_a_cancelled_order_returns_the_points_that_it_was_paid_with(shop: Shop) -> None:
    await paid_with_500_points(shop)
    await refunded(shop, "A1", {"l1": 1})
    await shop.recorded("A1", OrderState.CANCELLED)
    assert (await lots(shop), await shop.available(), await shop.pending()) == ([300, 1000], 1300, 0)


@pytest.mark.parametrize("cancelled", [False, True], ids=["refunded", "cancelled"])
@pytest.mark.parametrize(("days", "state"), [(0, "CLAIMED"), (7, "EXPIRED")], ids=["valid", "its time is over"])
async def test_a_balance_that_was_held_too_long_is_given_up_before_a_part_of_it_comes_back(
    shop: Shop, days: int, state: str, *, cancelled: bool
) -> None:
    """Swept or not: the last event tells the state that the coupon is in."""
    coupon = await cash(shop)
    await shop.redeemed(coupon, ref="A1", given=cart(4000))
    held = await reserved(shop, coupon, ref="B1", given=cart(1000))
    shop.world.clock.advance(days=days, minutes=16)
    if cancelled:
        await shop.recorded("A1", OrderState.CANCELLED)
    else:
        assert (await refunded(shop, "A1")).restored == (coupon.coupon_id,)
    assert await balance(shop, coupon) == (10000, state)
    last = "RESTORED" if state == "CLAIMED" else "EXPIRED"
    assert await shop.events("wallet") == ["CLAIMED", "REDEEMED", "RESERVED", "RELEASED", last]
    assert await ended_as(shop, held) == "EXPIRED"
    await shop.consistent()
