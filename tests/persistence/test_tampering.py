"""Rows that somebody changed by hand, behind the back of every rule: whatever other rows tell of them is found."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.jobs import ALL_CHECKS
from domain.coupons.drafts import ValidityDraft
from domain.coupons.model import RefundPolicy
from domain.shared.programme import Programme
from persistence.invariants import SqlInvariants
from tests.coupon_world import SetClock
from tests.coupon_world import world as world_of
from tests.order_world import Shop, cart, till
from tests.persistence.test_invariants import lived_in
from tests.reservation_world import give_points, paid, reserved
from tests.resolvers.test_points import member_id
from tests.resolvers.test_rewards import reward, rich, template
from tests.world import OPERATOR, World

# What is done by hand, and the invariant that finds it.
ORDERS: Mapping[str, tuple[str, str]] = {
    "a budget without its accounts": ("DELETE FROM budget_accounts", "budgets_within_limit"),
    "a budget without those of a funder": (
        "DELETE FROM budget_accounts WHERE funder = 'PLATFORM'",
        "budgets_within_limit",
    ),
    "a budget without one of its shards": (
        "DELETE FROM budget_accounts WHERE funder = 'ALL' AND shard = 3",
        "budgets_within_limit",
    ),
    "accounts of a budget that is no more": (
        "UPDATE campaigns SET budget_minor = NULL, funder_budgets = NULL",
        "budgets_within_limit",
    ),
    "what is spent, with its accounts gone": ("DELETE FROM budget_accounts", "budgets_match_redemptions"),
    "what is held, with its accounts gone": ("DELETE FROM budget_accounts", "budgets_match_reservations"),
    "a balance where there is none": (
        "UPDATE coupons SET balance_minor = 100000 WHERE kind <> 'CASH'",
        "balances_match_redemptions",
    ),
    "no balance where there is one": (
        "UPDATE coupons SET balance_minor = NULL WHERE kind = 'CASH'",
        "balances_match_redemptions",
    ),
    "a use that is none of a balance": (
        "UPDATE redemptions SET from_balance = NOT from_balance",
        "redemptions_fit_their_coupons",
    ),
    "held points, given up and not returned": (
        "UPDATE reservations SET state = 'RELEASED', ended_at = now() WHERE order_ref = 'P1'",
        "points_spent_are_owned",
    ),
    "held points, of another order": (
        "UPDATE reservations SET order_id = gen_random_uuid() WHERE order_ref = 'P1'",
        "points_spent_are_owned",
    ),
    "fewer points held": (
        "UPDATE reservations SET points = 0 WHERE order_ref = 'P1'",
        "points_spent_are_owned",
    ),
    "fewer points held than promised": (
        "UPDATE reservations SET points = 0 WHERE order_ref = 'P2'",
        "reservations_fit_their_orders",
    ),
    "more points paid": ("UPDATE orders SET points_used = points_used + 5", "points_spent_are_owned"),
    "points spent on nothing": (
        "UPDATE points_entries SET order_id = gen_random_uuid() WHERE kind = 'SPEND'",
        "points_spent_are_owned",
    ),
    "longer valid": (
        "UPDATE coupons SET valid_until = valid_until + interval '1 year'",
        "validity_is_the_templates",
    ),
    "a second longer valid": (
        "UPDATE coupons SET valid_until = valid_until + interval '1 second'",
        "validity_is_the_templates",
    ),
    "valid earlier": (
        "UPDATE coupons SET valid_from = valid_from - interval '1 second'",
        "validity_is_the_templates",
    ),
    "claimed on another day": ("UPDATE coupons SET claimed_on = claimed_on - 1", "claims_are_told"),
    "claimed at another time": (
        "UPDATE coupons SET claimed_at = claimed_at - interval '40 days', claimed_on = claimed_on - 40",
        "claims_are_told",
    ),
    "held longer": (
        "UPDATE coupons SET reserved_until = reserved_until + interval '1 year' WHERE state = 'RESERVED'",
        "reserved_is_held",
    ),
    "used in another store": ("UPDATE redemptions SET store_id = gen_random_uuid()", "redemptions_fit_their_coupons"),
    "used in no store": (
        "UPDATE redemptions SET store_id = NULL; UPDATE orders SET store_id = NULL",
        "reservations_fit_their_orders",
    ),
    "used at another merchant": (
        "UPDATE redemptions SET merchant_id = gen_random_uuid()",
        "redemptions_fit_their_coupons",
    ),
    "used under another refund policy": (
        "UPDATE redemptions SET refund_policy = 'CLAWBACK'",
        "redemptions_fit_their_coupons",
    ),
    "used in another currency": (
        "UPDATE orders SET currency = 'USD'; UPDATE redemptions SET currency = 'USD'",
        "redemptions_fit_their_coupons",
    ),
    "used at another time": (
        "UPDATE redemptions SET redeemed_at = redeemed_at - interval '1 day'",
        "uses_are_told",
    ),
    "a use that is told of and gone": (
        "DELETE FROM redemptions WHERE order_ref = 'A1'",
        "uses_are_told",
    ),
    "a use that the merchant was told of and that is gone": (
        "DELETE FROM redemptions WHERE order_ref = 'A1'",
        "merchants_are_told_of_redemptions",
    ),
    "another discount held": (
        "UPDATE reserved_coupons SET discount_minor = discount_minor + 1 WHERE campaign_id IS NULL",
        "reservations_hold_as_quoted",
    ),
    "another's share held": (
        """UPDATE reserved_coupons SET shares = '{"MERCHANT": 2000}'""",
        "reservations_hold_as_quoted",
    ),
    "held of no budget": ("UPDATE reserved_coupons SET campaign_id = NULL", "reservations_hold_as_quoted"),
    "a coupon that is held no more": ("DELETE FROM reserved_coupons", "reservations_hold_as_quoted"),
    "paid as no order": (
        "UPDATE reservations SET order_id = gen_random_uuid() WHERE state = 'REDEEMED'",
        "reservations_fit_their_orders",
    ),
    "paid and said to be given up": (
        "UPDATE reservations SET state = 'RELEASED' WHERE state = 'REDEEMED'",
        "reservations_fit_their_orders",
    ),
    "paid as an order of another name": (
        "UPDATE reservations SET order_ref = 'A9' WHERE state = 'REDEEMED'",
        "reservations_fit_their_orders",
    ),
    "paid in time and said to be late": (
        "UPDATE reservations SET late_capture = true WHERE order_ref = 'A1'",
        "reservations_fit_their_orders",
    ),
    "paid late and said to be in time": (
        "UPDATE reservations SET late_capture = false WHERE order_ref = 'L1'",
        "reservations_fit_their_orders",
    ),
    "promised at another price": (
        "UPDATE reservations SET quote = jsonb_set(quote, '{lines,0,subtotalMinor}', '1') WHERE order_ref = 'A1'",
        "reservations_fit_their_orders",
    ),
    "held longer than anybody may": (
        "UPDATE reservations SET expires_at = expires_at + interval '1 day' WHERE state = 'HELD'",
        "reservations_fit_their_orders",
    ),
}
WALLETS: Mapping[str, tuple[str, str]] = {
    "an exchanged coupon is gone, and back in stock": (
        """WITH gone AS (DELETE FROM coupons WHERE ordinal = 2 RETURNING template_id)
        UPDATE coupon_template_stock AS s SET remaining = remaining + 1 FROM gone
        WHERE s.template_id = gone.template_id""",
        "last_event_says_the_state",
    ),
    "a coupon of another merchant": ("UPDATE coupons SET merchant_id = gen_random_uuid()", "terms_are_those_published"),
    "points spent for nothing": ("DELETE FROM reward_exchanges", "exchanges_are_spent"),
}
# A coupon is taken away with all that its wallet was told, as if it never had been there.
TAKEN_AWAY = """WITH gone AS (DELETE FROM coupons RETURNING template_id),
    told AS (DELETE FROM events WHERE stream = 'wallet'), stream AS (DELETE FROM streams WHERE stream = 'wallet')
    UPDATE coupon_template_stock AS s SET remaining = remaining + 1 FROM gone WHERE s.template_id = gone.template_id"""
# What still tells of it: the answer that was kept, or who has used a code.
WAYS = ("claimed", "exchanged", "issued", "redeemed a code", "redeemed a code, without its receipt")


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    """A coupon paid in a store, one paid late, two that are held, a balance, and points that are held and paid."""
    async with world_of(database_url, size=2) as made:
        opened = Shop(made)
        await made.add_merchant(1)
        await opened.add_member(1)
        store = await opened.add_store(1)
        campaign_id = await opened.add_campaign(budget_minor=50000, PLATFORM=50000)
        late = await reserved(opened, await opened.coupon(), ref="L1", given=cart(12000))
        made.clock.advance(seconds=901)
        await paid(opened, late, ref="L1")
        in_store = await opened.coupon(campaign_id=campaign_id, limit_per_store=5, refund_policy=RefundPolicy.REPRICE)
        held = await reserved(opened, in_store, ref="A1", given=cart(12000, store_id=store))
        await paid(opened, held, ref="A1")
        await reserved(opened, await opened.coupon(campaign_id=campaign_id), ref="A2")
        await reserved(opened, await opened.coupon(), ref="A3")
        cash = await opened.coupon(kind="CASH", terms={"faceMinor": 5000})
        await opened.redeemed(cash, ref="C1", given=cart(3000), seller=till(1, store), store_id=store)
        await give_points(opened, 500)
        await reserved(opened, ref="P1", points=100)
        await paid(opened, await reserved(opened, ref="P2", points=100), ref="P2")
        await opened.consistent()
        yield opened


async def found(shop: Shop) -> set[str]:
    return {one.name for one in await SqlInvariants(shop.world.database, checks=ALL_CHECKS).violations(limit=5)}


@pytest.mark.parametrize("what", ORDERS)
async def test_what_was_changed_by_hand_of_an_order_is_found(shop: Shop, what: str) -> None:
    by_hand, name = ORDERS[what]
    await shop.world.database.pool.execute(by_hand)
    assert name in await found(shop)


@pytest.mark.parametrize("what", WALLETS)
async def test_what_was_changed_by_hand_of_a_wallet_is_found(world: World, what: str) -> None:
    by_hand, name = WALLETS[what]
    invariants = await lived_in(world)
    await world.database.pool.execute(by_hand)
    assert name in {one.name for one in await invariants.violations(limit=5)}


async def test_a_coupon_that_was_given_a_balance_and_used_twice_is_found(shop: Shop) -> None:
    coupon = await shop.coupon()
    await shop.world.database.pool.execute("UPDATE coupons SET balance_minor = 100000 WHERE kind <> 'CASH'")
    for ref in ("B1", "B2"):
        await shop.redeemed(coupon, ref=ref)
    assert await found(shop) >= {"redeemed_once_each", "balances_match_redemptions"}


@pytest.mark.parametrize("way", WAYS)
async def test_a_coupon_that_was_promised_and_taken_away_with_its_history_is_found(world: World, way: str) -> None:
    published, member = await template(world), await rich(world)
    if way == "claimed":
        await world.do("claimCoupon", member, couponTemplateId=published)
    elif way == "exchanged":
        gift = await reward(world, kind="COUPON", couponTemplateId=published)
        await world.do("exchangePoints", member, rewardId=gift)
    elif way == "issued":
        id_ = await member_id(world, member)
        await world.do("issueCoupons", OPERATOR, couponTemplateId=published, memberIds=[id_], reason="r")
    else:
        await world.do("createCouponCodes", OPERATOR, couponTemplateId=published, codes=["CODE-1"], usesPerCode=1)
        await world.do("redeemCode", member, code="CODE-1")
    invariants = SqlInvariants(world.database, checks=ALL_CHECKS)
    assert await world.database.pool.fetchval("SELECT count(*) FROM coupons") == 1
    assert await invariants.violations(limit=5) == []
    await world.database.pool.execute(TAKEN_AWAY)
    if way.endswith("receipt"):
        await world.database.pool.execute("DELETE FROM idempotency")
    assert {one.name for one in await invariants.violations(limit=5)} == {"receipts_name_coupons"}


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/Havana", "Africa/Cairo", "Asia/Beirut", "Pacific/Apia"])
async def test_a_validity_in_days_is_recomputed_wherever_and_whenever_clocks_change(
    database_url: str, zone: str
) -> None:
    """Midnight is left out or comes twice in some of these, and Samoa left out a whole day."""
    programme = Programme(ZoneInfo(zone), "CNY")
    began = datetime(2011, 12, 1, 12, tzinfo=UTC) if zone == "Pacific/Apia" else datetime(2026, 1, 1, 4, tzinfo=UTC)
    async with world_of(database_url, size=1, clock=SetClock(began), programme=programme) as made:
        opens, closes = began - timedelta(days=1), began + timedelta(days=400)
        template_id = await made.published(
            limit_per_member=None,
            stock=1000,
            claim_opens_at=opens,
            claim_closes_at=closes,
            validity=ValidityDraft(days_after_claim=1),
        )
        for _ in range(60 if zone == "Pacific/Apia" else 370):
            await made.claimed(template_id)
            made.clock.advance(days=1)
        invariants = SqlInvariants(made.database, checks=ALL_CHECKS)
        for name in ("validity_is_the_templates", "claims_are_told"):
            assert await invariants.violations_of(name, limit=5) == []
