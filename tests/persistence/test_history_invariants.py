"""Each invariant of histories holds after real work, and is seen to be broken when its rows are."""

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from sqlalchemy.sql import visitors

from app.jobs import ALL_CHECKS
from domain.orders.histories import HISTORIES
from domain.orders.model import OrderState
from persistence.base import metadata
from persistence.invariants import SqlInvariants
from persistence.orders.history_invariants import CHECKS
from tests.coupon_world import world
from tests.order_world import Shop, cart, till
from tests.persistence.test_invariants import lived_in
from tests.world import World

BREAK_WALLETS = {
    "moves_are_legal": "UPDATE events SET kind = 'RELEASED' WHERE stream = 'wallet' AND sequence = 2",
    "every_event_has_its_place": "DELETE FROM streams WHERE stream = 'points'",
    "receipts_name_coupons": "UPDATE coupons SET id = gen_random_uuid()",
    "coupon_codes_are_unique": "UPDATE coupons SET code = 'ALIKE'",
    "balances_follow_entries": "UPDATE points_entries SET balance_after = balance_after + 1",
    "check_ins_follow_days": "UPDATE check_ins SET streak_day = 2",
    "pending_is_of_orders": "UPDATE points_accounts SET pending = pending + 1",
}
BREAK_ORDERS = {
    "moves_are_legal": "UPDATE events SET kind = 'CLAIMED' WHERE kind = 'REDEEMED'",
    "every_event_has_its_place": "DELETE FROM events WHERE stream = 'redemptions'",
    "uses_are_told": "UPDATE redemptions SET redeemed_at = redeemed_at + interval '1 second'",
    "merchants_are_told_of_redemptions": "UPDATE redemptions SET reversed_at = now() WHERE reversed_at IS NULL",
    "redemptions_fit_their_coupons": "UPDATE redemptions SET order_ref = 'another'",
    "allocations_sum_to_redemptions": """UPDATE orders SET quote =
        jsonb_set(quote, '{lines,0,allocations,0,amountMinor}', '1')""",
    "allocations_sum_to_lines": "UPDATE order_lines SET discount_minor = discount_minor - 1 WHERE position = 0",
    "orders_say_when": "UPDATE orders SET received_at = now()",
    "pending_is_of_orders": "DELETE FROM points_pending",
}
# What an allocation says of its funders is held against the redemption too, where the amounts are right.
SHARES = """UPDATE orders SET quote = jsonb_set(quote, '{lines,0,allocations,0,shares}', '{"MERCHANT": 1}')"""
# Tables in which nothing can be wrong that other rows would show: what was said once, and what is worked out anew.
PLAIN = {
    "catalogue_version", "code_attempts", "documents", "member_tags", "member_tiers", "members",
    "merchants", "offline_limits", "rewards", "tier_metric_days",
}  # fmt: skip


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with world(database_url, size=2) as made:
        opened = Shop(made)
        await made.add_merchant(1)
        await opened.add_member(1)
        campaign_id = await opened.add_campaign(budget_minor=9000)
        for ref in ("A1", "A2"):
            coupon = await opened.coupon(campaign_id=campaign_id)
            await opened.redeemed(coupon, ref=ref, given=cart(8000, 4000), seller=till(1))
        await opened.recorded("A2", OrderState.CANCELLED, seller=till(1))
        await opened.recorded("A3", OrderState.PAID)
        await opened.consistent()
        yield opened


async def found(shop: Shop) -> set[str]:
    return {one.name for one in await SqlInvariants(shop.world.database, checks=CHECKS).violations(limit=5)}


async def test_all_hold_after_orders_of_every_kind(shop: Shop) -> None:
    assert await found(shop) == set()


@pytest.mark.parametrize("name", BREAK_ORDERS)
async def test_a_history_that_does_not_explain_an_order_is_found(shop: Shop, name: str) -> None:
    await shop.world.database.pool.execute(BREAK_ORDERS[name])
    assert name in await found(shop)


async def test_an_allocation_that_names_another_funder_is_found(shop: Shop) -> None:
    await shop.world.database.pool.execute(SHARES)
    assert "allocations_sum_to_redemptions" in await found(shop)


@pytest.mark.parametrize("name", BREAK_WALLETS)
async def test_a_history_that_does_not_explain_a_wallet_is_found(world: World, name: str) -> None:
    invariants = await lived_in(world)
    await world.do("checkIn", await world.member("early bird"))
    assert await invariants.violations(limit=5) == []
    await world.database.pool.execute(BREAK_WALLETS[name])
    assert [v.name for v in await invariants.violations_of(name, limit=1)] == [name]


async def test_a_check_in_without_its_points_is_found(world: World) -> None:
    await world.do("checkIn", await world.member("early bird"))
    invariants = SqlInvariants(world.database, checks=CHECKS)
    assert await invariants.violations(limit=5) == []
    await world.database.pool.execute("UPDATE points_entries SET kind = 'ADJUST'")
    assert [v.name for v in await invariants.violations(limit=5)] == ["check_ins_follow_days"]


def test_every_history_is_broken_here() -> None:
    assert set(BREAK_WALLETS) | set(BREAK_ORDERS) == set(HISTORIES)


def test_every_table_is_read_by_an_invariant_or_has_nothing_to_be_checked() -> None:
    read = {
        element.name
        for check in ALL_CHECKS.values()
        for element in visitors.iterate(check.clause)  # type: ignore[arg-type] # a Select is visited as any clause
        if isinstance(element, sa.Table)
    }
    assert {table.name for table in metadata.sorted_tables} - read == PLAIN
