"""Each invariant of orders is broken by hand, and found."""

from collections.abc import AsyncIterator

import pytest

from domain.orders.invariants import INVARIANTS
from domain.orders.model import OrderState
from persistence.invariants import SqlInvariants
from persistence.orders.invariants import CHECKS
from tests.coupon_world import world
from tests.order_world import Shop, cart
from tests.persistence.test_refund_invariants import BREAK as REFUNDS_BREAK
from tests.reservation_world import reserved

BREAK = {
    "lines_sum_to_order": "UPDATE order_lines SET discount_minor = discount_minor - 1 WHERE position = 0",
    "orders_add_up": "UPDATE orders SET paid_minor = paid_minor + 1",
    "redemptions_sum_to_order": "UPDATE redemptions SET discount_minor = discount_minor - 1",
    "shares_sum_to_discount": """UPDATE redemptions SET shares = '{"PLATFORM": 1999}'""",
    "redeemed_once_each": "UPDATE coupons SET state = 'CLAIMED' WHERE kind <> 'CASH'",
    "balances_match_redemptions": "UPDATE coupons SET balance_minor = balance_minor + 1 WHERE kind = 'CASH'",
    "budgets_match_redemptions": "UPDATE budget_accounts SET redeemed_minor = redeemed_minor - 1 WHERE shard = 0",
    "budgets_match_reservations": "UPDATE budget_accounts SET reserved_minor = reserved_minor - 1 WHERE shard = 0",
    "budgets_within_limit": "UPDATE campaigns SET budget_minor = 1999",
    "cuts_are_of_partial_budgets": """UPDATE orders SET quote = jsonb_set(quote, '{applied,0,fullMinor}', '9999')
        WHERE jsonb_array_length(quote->'applied') > 0""",
    "remainders_are_published": """ALTER TABLE campaigns DISABLE TRIGGER budget_remainder_is_fixed;
        UPDATE campaigns SET budget_remainder = 'PARTIAL'""",
    "reserved_is_held": "UPDATE coupons SET state = 'CLAIMED' WHERE state = 'RESERVED'",
    "holds_end_together": "UPDATE reservations SET state = 'EXPIRED', ended_at = now()",
    "reservations_hold_as_quoted": "UPDATE reserved_coupons SET discount_minor = discount_minor + 1",
    "reservations_fit_their_orders": "UPDATE reservations SET state = 'REDEEMED', ended_at = now()",
    "points_spent_are_owned": "UPDATE orders SET points_used = 1",
    "tokens_used_by_redemptions": "UPDATE redemption_token_uses SET order_id = gen_random_uuid()",
    "offline_days_match_tokens": "INSERT INTO offline_days VALUES (gen_random_uuid(), gen_random_uuid(), now(), 1, 1)",
    "offline_tills_match_tokens": (
        "INSERT INTO offline_till_days VALUES (gen_random_uuid(), gen_random_uuid(), 'till', now(), 1, 1)"
    ),
    "batches_keep_their_rows": "INSERT INTO batches VALUES (gen_random_uuid(), 'm', 'k', '', 3, 1, now(), now())",
    "pending_matches_orders": "DELETE FROM points_pending",
    "directory_names_each_order": "DELETE FROM order_directory",
}


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with world(database_url, size=2) as made:
        opened = Shop(made)
        await opened.add_member(1)
        campaign_id = await opened.add_campaign(budget_minor=5000)
        await opened.redeemed(await opened.coupon(campaign_id=campaign_id), ref="A1", given=cart(8000, 4000))
        cash = await opened.coupon(kind="CASH", terms={"faceMinor": 5000})
        await opened.redeemed(cash, given=cart(3000))
        await opened.recorded("A2", OrderState.PAID)
        await reserved(opened, await opened.coupon(campaign_id=campaign_id), ref="A3")
        await opened.consistent()
        yield opened


async def found(shop: Shop) -> set[str]:
    return {one.name for one in await SqlInvariants(shop.world.database, checks=CHECKS).violations(limit=5)}


@pytest.mark.parametrize("name", BREAK)
async def test_a_broken_invariant_is_found(shop: Shop, name: str) -> None:
    await shop.world.database.pool.execute(BREAK[name])
    assert name in await found(shop)


async def test_a_reference_without_its_order_is_found(shop: Shop) -> None:
    await shop.world.database.pool.execute("DELETE FROM orders")
    assert "directory_names_each_order" in await found(shop)


def test_every_invariant_is_broken_here() -> None:
    assert set(BREAK) | set(REFUNDS_BREAK) == set(INVARIANTS)
