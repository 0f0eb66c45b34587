"""Each invariant holds after real work, and is seen to be broken when its rows are."""

import pytest

from app.jobs import ALL_CHECKS
from persistence.invariants import SqlInvariants
from persistence.orders.history_invariants import CHECKS as HISTORY_CHECKS
from persistence.orders.invariants import CHECKS as ORDER_CHECKS
from tests.published_templates import change_published
from tests.resolvers.test_rewards import reward, rich, template
from tests.world import World

# One way to break each, in rows that a world with points, coupons and exchanges has.
BREAKING = {
    "postings_sum_to_zero": "UPDATE points_postings SET amount = amount + 1 WHERE account = 'SPENT'",
    "accounts_are_sums_of_postings": "UPDATE points_accounts SET pending = pending + 1",
    "lots_mirror_what_is_available": "UPDATE points_lots SET remaining = remaining - 1",
    "draws_explain_lots": "UPDATE points_lot_draws SET points = points + 1",
    "entries_say_their_effect": "UPDATE points_entries SET delta = delta - 1",
    "points_streams_have_no_gap": "DELETE FROM events WHERE stream = 'points' AND sequence = 1",
    "reward_stock_matches_exchanges": "UPDATE reward_stock SET remaining = remaining - 1",
    "exchanges_are_spent": "UPDATE points_entries SET kind = 'ADJUST'",
    "stock_matches_coupons": "UPDATE coupon_template_stock SET remaining = remaining - 1",
    "ordinals_have_no_gap": "UPDATE coupons SET ordinal = ordinal + 10",
    "limits_per_member_kept": "UPDATE coupon_templates SET limit_per_member = 0",
    "limits_per_day_kept": "UPDATE coupon_templates SET limit_per_member_per_day = 0",
    "limits_per_week_kept": "UPDATE coupon_templates SET limit_per_member_per_week = 1",
    "limits_per_month_kept": "UPDATE coupon_templates SET limit_per_member_per_month = 1",
    "limits_per_campaign_kept": "UPDATE coupon_templates SET limit_per_member_in_campaign = 1",
    "limits_per_store_kept": (
        "WITH limited AS (UPDATE coupon_templates SET limit_per_store = 1 RETURNING id) "
        "INSERT INTO redemptions (member_id, id, coupon_id, template_id, store_id, order_id, order_ref, currency,"
        " discount_minor, shares, redeemed_at) SELECT id, uuidv7(), uuidv7(), id, id, uuidv7(), 'r', 'CNY', 1, '{}',"
        " now() FROM limited, generate_series(1, 2)"
    ),
    "issues_answer_every_row": (
        "INSERT INTO issues (caller_id, key, input_hash, template_id, reason, total, done, started_at, changed_at)"
        " VALUES (uuidv7(), 'k', '', uuidv7(), 'r', 2, 1, now(), now())"
    ),
    "codes_count_their_uses": (
        "INSERT INTO coupon_codes (id, code, printed, template_id, uses_limit, uses, created_at)"
        " VALUES (uuidv7(), 'CODE1', 'CODE1', uuidv7(), 1, 1, now())"
    ),
    "only_published_are_held": "UPDATE coupon_templates SET state = 'DRAFT'",
    "terms_are_those_published": "UPDATE coupon_templates SET terms = '{}'",
    "validity_is_the_templates": "UPDATE coupons SET valid_until = valid_until + interval '1 second'",
    "claims_are_told": "UPDATE coupons SET claimed_at = claimed_at - interval '1 second'",
    "last_event_says_the_state": "UPDATE coupons SET state = 'VOIDED'",
    "wallets_have_no_gap": "UPDATE streams SET sequence = sequence + 1 WHERE stream = 'wallet'",
}


async def lived_in(world: World) -> SqlInvariants:
    member = await rich(world)
    issued = await template(world, limitPerMember=3, limitPerMemberPerDay=3)
    await world.do("claimCoupon", member, couponTemplateId=issued)
    gift = await reward(world, kind="COUPON", couponTemplateId=issued)
    await world.do("exchangePoints", member, rewardId=gift)
    return SqlInvariants(world.database, checks=ALL_CHECKS)


async def test_all_hold_after_real_work(world: World) -> None:
    assert await (await lived_in(world)).violations(limit=5) == []


@pytest.mark.parametrize("name", BREAKING)
async def test_a_broken_row_is_found(world: World, name: str) -> None:
    invariants = await lived_in(world)
    await change_published(world.database.pool, BREAKING[name])
    assert [v.name for v in await invariants.violations_of(name, limit=1)] == [name]


def test_every_invariant_has_a_way_to_break_it() -> None:
    elsewhere = set(ORDER_CHECKS) | set(HISTORY_CHECKS)  # test_orders_invariants, test_history_invariants
    assert set(BREAKING) | elsewhere == set(ALL_CHECKS)
