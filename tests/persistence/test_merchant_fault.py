"""The merchant is at fault: a coupon that comes back is valid for the days of grace that its template promised."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from domain.coupons.drafts import StackingDraft, ValidityDraft
from domain.coupons.model import CouponClaimed, CouponKey, RefundPolicy
from domain.coupons.use_cases import expire_coupons
from domain.orders.model import OrderState
from domain.orders.refund_model import RefundCause
from domain.orders.voiding import VoidCoupon, void_coupon
from domain.shared.errors import BadUserInput
from domain.shared.principal import Scope
from domain.shared.programme import Programme
from persistence.coupons.invariants import CHECKS
from persistence.invariants import SqlInvariants
from tests.coupon_world import CLOSES_AT, NAMES, NOON, SetClock, member, once, world
from tests.order_world import Shop, cart, shop
from tests.published_templates import change_published
from tests.refund_world import refunded
from tests.reservation_world import paid, release, reserved

__all__ = ["shop"]

FAULT = RefundCause.MERCHANT_FAULT
# Claimed at noon of 1 June for 7 days: until 00:00 of 8 June in Shanghai.
UNTIL = datetime(2026, 6, 7, 16, tzinfo=UTC)
CASH: dict[str, Any] = {"kind": "CASH", "terms": {"faceMinor": 10_000}}


async def used(shop: Shop, ref: str = "A1", *, days: int = 3, price: int = 12_000, **changed: Any) -> CouponClaimed:
    coupon = await shop.coupon(merchant_fault_grace_days=days, **changed)
    await shop.redeemed(coupon, ref=ref, given=cart(price))
    return coupon


async def until(shop: Shop) -> datetime:
    found = await shop.world.value("SELECT valid_until FROM coupons")
    assert isinstance(found, datetime)
    return found


async def swept(shop: Shop) -> None:
    await expire_coupons(begin=lambda: shop.world.database.begin(Scope.system()), limit=100)


async def broken(shop: Shop) -> list[str]:
    return [one.name for one in await SqlInvariants(shop.world.database, checks=CHECKS).violations(limit=5)]


async def test_a_coupon_whose_time_is_over_is_valid_again_until_midnight_after_the_days_of_grace(shop: Shop) -> None:
    coupon = await used(shop)
    shop.world.clock.at = datetime(2026, 7, 1, 4, tzinfo=UTC)
    assert (await refunded(shop, "A1", cause=FAULT)).restored == (coupon.coupon_id,)
    assert await shop.state(coupon) == "CLAIMED"
    # 1, 2 and 3 July; not 72 hours.
    assert await until(shop) == datetime(2026, 7, 3, 16, tzinfo=UTC)
    assert await shop.events("wallet") == ["CLAIMED", "REDEEMED", "RESTORED"]


@pytest.mark.parametrize("hour", [16, 20, 39], ids=["at midnight", "in the night", "before midnight"])
async def test_the_day_on_which_it_comes_back_is_the_first_whatever_the_hour(shop: Shop, hour: int) -> None:
    await used(shop, days=1)
    shop.world.clock.at = datetime(2026, 6, 30, tzinfo=UTC) + timedelta(hours=hour, minutes=59 * (hour == 39))
    await refunded(shop, "A1", cause=FAULT)
    assert await until(shop) == datetime(2026, 7, 1, 16, tzinfo=UTC)


async def test_a_validity_that_lasts_longer_is_left_as_it_is(shop: Shop) -> None:
    await used(shop, days=6)
    await refunded(shop, "A1", cause=FAULT)
    assert await until(shop) == UNTIL
    other = await shop.coupon(2, merchant_fault_grace_days=3, validity=ValidityDraft(NOON, CLOSES_AT))
    await shop.redeemed(other, ref="B1")
    await shop.recorded("B1", OrderState.CANCELLED, number=2, cause=FAULT)
    of_other = await shop.world.value("SELECT valid_until FROM coupons WHERE id = $1", other.coupon_id)
    assert of_other == CLOSES_AT


async def test_one_that_ends_sooner_is_prolonged_before_its_time_is_over(shop: Shop) -> None:
    await used(shop, days=9)
    shop.world.clock.at = UNTIL - timedelta(seconds=1)
    await refunded(shop, "A1", cause=FAULT)
    assert await until(shop) == datetime(2026, 6, 15, 16, tzinfo=UTC)


async def test_a_cancelled_order_is_the_same(shop: Shop) -> None:
    coupon = await used(shop)
    shop.world.clock.at = datetime(2026, 7, 1, 4, tzinfo=UTC)
    await shop.recorded("A1", OrderState.CANCELLED, cause=FAULT)
    assert (await shop.state(coupon), await until(shop)) == ("CLAIMED", datetime(2026, 7, 3, 16, tzinfo=UTC))


@pytest.mark.parametrize(("days", "cause"), [(0, FAULT), (3, RefundCause.CUSTOMER)], ids=["no grace", "no fault"])
async def test_without_a_promise_or_a_fault_it_comes_back_expired(shop: Shop, days: int, cause: RefundCause) -> None:
    coupon = await used(shop, days=days)
    shop.world.clock.at = UNTIL
    await refunded(shop, "A1", cause=cause)
    assert (await shop.state(coupon), await until(shop)) == ("EXPIRED", UNTIL)


async def test_a_fault_is_told_of_a_cancelled_order_alone(shop: Shop) -> None:
    await used(shop)
    for state in (OrderState.PAID, OrderState.RECEIVED):
        with pytest.raises(BadUserInput) as refused:
            await shop.record("A1", state, given=cart(), cause=FAULT)
        assert list(refused.value.path or ()) == ["input", "cause"]
    assert await shop.world.value("SELECT state FROM orders") == "PAID"


async def test_the_cause_with_which_it_comes_back_decides(shop: Shop) -> None:
    given = cart(6000, 6000)
    for ref, causes, state in (
        ("A1", (FAULT, RefundCause.CUSTOMER), "EXPIRED"),
        ("B1", (RefundCause.CUSTOMER, FAULT), "CLAIMED"),
    ):
        coupon = await shop.coupon(merchant_fault_grace_days=3)
        await shop.redeemed(coupon, ref=ref, given=given)
        shop.world.clock.advance(days=30)
        first, last = causes
        assert (await refunded(shop, ref, {"l0": 1}, cause=first)).restored == ()
        await refunded(shop, ref, {"l1": 1}, cause=last)
        assert await shop.state(coupon) == state


async def test_the_promise_is_that_of_the_redemption(shop: Shop) -> None:
    await used(shop, refund_policy=RefundPolicy.REPRICE)
    assert await shop.world.value("SELECT merchant_fault_grace_days FROM redemptions") == 3
    await change_published(shop.world.database.pool, "UPDATE coupon_templates SET merchant_fault_grace_days = 30")
    shop.world.clock.at = datetime(2026, 7, 1, 4, tzinfo=UTC)
    await refunded(shop, "A1", cause=FAULT)
    assert await until(shop) == datetime(2026, 7, 3, 16, tzinfo=UTC)
    await change_published(shop.world.database.pool, "UPDATE coupon_templates SET merchant_fault_grace_days = 3")


async def test_it_expires_when_the_grace_is_over_swept_or_not_and_may_be_used_until_then(shop: Shop) -> None:
    coupon = await used(shop)
    shop.world.clock.at = datetime(2026, 7, 1, 4, tzinfo=UTC)
    await refunded(shop, "A1", cause=FAULT)
    shop.world.clock.at = datetime(2026, 7, 3, 16, tzinfo=UTC) - timedelta.resolution
    await swept(shop)
    assert await shop.state(coupon) == "CLAIMED"
    await shop.redeemed(coupon, ref="A2")
    await refunded(shop, "A2")
    shop.world.clock.at += timedelta.resolution
    read = "SELECT count(*) FROM coupons WHERE state = 'CLAIMED' AND valid_until <= $1"
    assert await shop.world.value(read, shop.world.clock.at) == 1
    await swept(shop)
    assert await shop.state(coupon) == "EXPIRED"


async def test_a_second_grace_is_of_the_second_return(shop: Shop) -> None:
    coupon = await used(shop)
    for ref, day in (("A1", 1), ("A2", 3)):
        shop.world.clock.at = datetime(2026, 7, day, 4, tzinfo=UTC)
        if ref == "A2":
            await shop.redeemed(coupon, ref=ref)
        await refunded(shop, ref, cause=FAULT)
        assert await until(shop) == datetime(2026, 7, day + 2, 16, tzinfo=UTC)
        await shop.consistent()


@pytest.mark.parametrize("sweep", [True, False], ids=["swept", "not swept"])
async def test_a_balance_is_valid_again_with_what_returns_to_it_swept_or_not(shop: Shop, sweep: bool) -> None:
    coupon = await used(shop, price=6000, **CASH)
    shop.world.clock.at = datetime(2026, 7, 1, 4, tzinfo=UTC)
    if sweep:
        await swept(shop)
        assert await shop.state(coupon) == "EXPIRED"
    await refunded(shop, "A1", cause=FAULT)
    (row,) = await shop.world.rows("SELECT state, balance_minor, valid_until FROM coupons")
    assert tuple(row) == ("CLAIMED", 10_000, datetime(2026, 7, 3, 16, tzinfo=UTC))
    assert (await shop.events("wallet"))[-1] == "RESTORED"


async def test_a_balance_that_is_held_stays_held_and_is_valid_for_longer(shop: Shop) -> None:
    coupon = await used(shop, price=6000, **CASH)
    shop.world.clock.at = UNTIL - timedelta(minutes=1)
    held = await reserved(shop, coupon, ref="B1", given=cart(3000))
    shop.world.clock.at = UNTIL
    await refunded(shop, "A1", cause=FAULT)
    (row,) = await shop.world.rows("SELECT state, balance_minor, valid_until FROM coupons")
    assert tuple(row) == ("RESERVED", 10_000, datetime(2026, 6, 10, 16, tzinfo=UTC))
    await shop.consistent()
    await release(shop, held)
    assert await shop.state(coupon) == "CLAIMED"
    await shop.consistent()
    shop.world.clock.at = datetime(2026, 6, 10, 16, tzinfo=UTC)
    await swept(shop)
    assert await shop.state(coupon) == "EXPIRED"


async def test_all_coupons_of_an_order_have_the_grace_of_their_own_templates(shop: Shop) -> None:
    together = StackingDraft(tags=["t"], combines_with_tags=["t"])
    coupons = [await shop.coupon(merchant_fault_grace_days=days, stacking=together) for days in (0, 2, 5)]
    held = await reserved(shop, *coupons, given=cart(30_000))
    await paid(shop, held)
    shop.world.clock.at = datetime(2026, 7, 1, 4, tzinfo=UTC)
    await shop.recorded("A1", OrderState.CANCELLED, cause=FAULT)
    rows = await shop.world.rows("SELECT id, state, valid_until FROM coupons")
    found = {row["id"]: (row["state"], row["valid_until"]) for row in rows}
    assert [found[one.coupon_id] for one in coupons] == [
        ("EXPIRED", UNTIL),
        ("CLAIMED", datetime(2026, 7, 2, 16, tzinfo=UTC)),
        ("CLAIMED", datetime(2026, 7, 5, 16, tzinfo=UTC)),
    ]


async def test_a_voided_balance_stays_voided_and_is_valid_no_longer(shop: Shop) -> None:
    coupon = await used(shop, price=6000, **CASH)
    key = CouponKey(coupon.member_id, coupon.coupon_id)
    voided = VoidCoupon(key, "a mistake", Scope.system(), once(NAMES, mutation="voidCoupon"))
    await void_coupon(voided, begin=shop.world.database.begin)
    await refunded(shop, "A1", cause=FAULT)
    assert (await shop.state(coupon), await until(shop)) == ("VOIDED", UNTIL)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE coupons SET valid_until = valid_until + interval '1 second'",
        "UPDATE coupons SET valid_until = valid_until - interval '1 second'",
        "UPDATE coupons SET valid_until = valid_until + interval '1 day'",
        "UPDATE coupons SET valid_until = valid_until - interval '1 day'",
        "UPDATE coupons SET valid_until = '2026-06-08 00:00+08'",
        "UPDATE refunds SET cause = 'CUSTOMER'",
        "UPDATE refunds SET refunded_at = refunded_at + interval '1 day'",
        "UPDATE redemptions SET merchant_fault_grace_days = 4",
    ],
)
async def test_a_validity_that_no_return_explains_is_found(shop: Shop, change: str) -> None:
    await used(shop, days=30)
    shop.world.clock.at = datetime(2026, 6, 5, 4, tzinfo=UTC)
    await refunded(shop, "A1", cause=FAULT)
    assert await broken(shop) == []
    kept = "c.valid_until, r.merchant_fault_grace_days AS days, f.refunded_at"
    (before,) = await shop.world.rows(f"SELECT {kept} FROM coupons c, redemptions r, refunds f")  # noqa: S608 - of ours
    await shop.world.database.pool.execute(change)
    assert await broken(shop) == ["validity_is_the_templates"]
    pool = shop.world.database.pool
    await pool.execute("UPDATE coupons SET valid_until = $1", before["valid_until"])
    await pool.execute("UPDATE refunds SET cause = $1, refunded_at = $2", FAULT.value, before["refunded_at"])
    await pool.execute("UPDATE redemptions SET merchant_fault_grace_days = $1", before["days"])


async def test_a_return_without_a_fault_explains_no_longer_validity(shop: Shop) -> None:
    await used(shop, days=30)
    await refunded(shop, "A1")
    await shop.world.database.pool.execute("UPDATE coupons SET valid_until = '2026-07-01 00:00+08'")
    assert await broken(shop) == ["validity_is_the_templates"]
    await shop.world.database.pool.execute("UPDATE coupons SET valid_until = $1", UNTIL)


async def test_a_fault_with_goods_that_the_coupon_has_left_before_explains_no_longer_validity(shop: Shop) -> None:
    """Also where another order gives the coupon back at the same moment, without a fault."""
    coupon = await used(shop, refund_policy=RefundPolicy.REPRICE, price=12_000)
    await refunded(shop, "A1")
    await shop.redeemed(coupon, ref="A2", given=cart(6000, 6000))
    shop.world.clock.at = datetime(2026, 6, 7, 4, tzinfo=UTC)
    assert (await refunded(shop, "A2", {"l0": 1}, cause=FAULT)).restored == (coupon.coupon_id,)
    assert await until(shop) == datetime(2026, 6, 9, 16, tzinfo=UTC)
    await shop.redeemed(coupon, ref="A3")
    shop.world.clock.advance(days=1)
    await refunded(shop, "A2", cause=FAULT)
    await refunded(shop, "A3")
    assert await until(shop) == datetime(2026, 6, 9, 16, tzinfo=UTC)
    assert await broken(shop) == []


async def test_the_cause_is_kept_with_the_refund(shop: Shop) -> None:
    await used(shop)
    await refunded(shop, "A1", cause=FAULT)
    await used(shop, "A2")
    await refunded(shop, "A2")
    assert {row["cause"] for row in await shop.world.rows("SELECT cause FROM refunds")} == {
        "CUSTOMER",
        "MERCHANT_FAULT",
    }
    assert await shop.world.value("SELECT count(*) FROM coupons WHERE member_id = $1", member(1)) == 2


@pytest.mark.parametrize(
    ("zone", "returned", "ends"),
    [
        # Midnight of 29 March is skipped: the day begins at 01:00.
        ("Asia/Beirut", datetime(2026, 3, 26, 12, tzinfo=UTC), datetime(2026, 3, 28, 22, tzinfo=UTC)),
        # Midnight of 1 November is repeated: the first of the two.
        ("America/Havana", datetime(2026, 10, 29, 12, tzinfo=UTC), datetime(2026, 11, 1, 4, tzinfo=UTC)),
    ],
)
async def test_a_grace_ends_with_the_first_instant_of_a_day_also_where_clocks_change(
    database_url: str, zone: str, returned: datetime, ends: datetime
) -> None:
    programme = Programme(zone=ZoneInfo(zone), currency="CNY")
    clock = SetClock(datetime(2026, 2, 1, 12, tzinfo=UTC))
    async with world(database_url, programme=programme, clock=clock) as made:
        opened = Shop(made)
        await made.add_merchant(1)
        await opened.add_member(1)
        await used(opened)
        clock.at = returned
        await refunded(opened, "A1", cause=FAULT)
        assert await until(opened) == ends
        await opened.consistent()
