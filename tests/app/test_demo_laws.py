"""What must hold of the demo programme's rows, whichever part of it is loaded."""

from collections.abc import Iterator

import pytest

from app.jobs import ALL_CHECKS
from persistence.invariants import SqlInvariants
from tests.app.demo_world import connected, database_of, loaded
from tests.servers import drop_database, fresh_database

# Each must find no row. An hour is left for the load: midnight may pass in it.
LAWS = {
    "an entry's postings sum to zero": (
        "SELECT entry_id FROM points_postings GROUP BY member_id, entry_id HAVING sum(amount) <> 0"
    ),
    "every entry has postings, and they say what it did": """
        SELECT e.id FROM points_entries e LEFT JOIN points_postings p
            ON p.member_id = e.member_id AND p.entry_id = e.id AND p.account = 'AVAILABLE'
        WHERE e.delta IS DISTINCT FROM p.amount""",
    "an account is the sum of its lots": """
        SELECT a.member_id FROM points_accounts a LEFT JOIN points_lots l USING (member_id)
        GROUP BY a.member_id, a.available HAVING a.available <> coalesce(sum(l.remaining), 0)""",
    "an account is the sum of its entries": """
        SELECT a.member_id FROM points_accounts a LEFT JOIN points_entries e USING (member_id)
        GROUP BY a.member_id, a.available, a.lifetime_earned HAVING a.available <> coalesce(sum(e.delta), 0)
            OR a.lifetime_earned <> coalesce(sum(e.delta) FILTER (WHERE e.kind = 'EARN'), 0)""",
    "a lot is what it earned less its draws": """
        SELECT l.id FROM points_lots l LEFT JOIN points_lot_draws d ON d.member_id = l.member_id AND d.lot_id = l.id
        GROUP BY l.id, l.earned, l.remaining HAVING l.remaining <> l.earned - coalesce(sum(d.points), 0)""",
    "balances run in the order in which transactions are shown": """
        SELECT id FROM (SELECT id, balance_after,
            sum(delta) OVER (PARTITION BY member_id ORDER BY occurred_at, id) AS ran FROM points_entries) e
        WHERE balance_after <> ran""",
    "no lot outlives its expiry": """
        SELECT id FROM points_lots WHERE expires_at <= now() - interval '1 hour' AND remaining > 0""",
    "what an order earned is its entry": """
        SELECT o.id FROM orders o LEFT JOIN points_entries e ON e.member_id = o.member_id AND e.order_id = o.id
        WHERE o.points_earned <> coalesce(e.delta, 0)""",
    "tier days are what was earned": """
        SELECT 1 FROM tier_metric_days
        HAVING sum(amount) <> (SELECT sum(delta) FROM points_entries WHERE kind = 'EARN')""",
    "a template's stock is short of its coupons": """
        SELECT s.template_id FROM coupon_template_stock s LEFT JOIN coupons c USING (template_id)
        GROUP BY s.template_id, s.total, s.remaining HAVING s.total - s.remaining <> count(c.id)""",
    "a reward's stock is short of its exchanges": """
        SELECT s.reward_id FROM reward_stock s LEFT JOIN reward_exchanges x USING (reward_id)
        GROUP BY s.reward_id, s.total, s.remaining HAVING s.total - s.remaining <> coalesce(sum(x.quantity), 0)""",
    "shares sum to the discount": """
        SELECT id FROM redemptions WHERE discount_minor <= 0
            OR discount_minor <> (shares->>'PLATFORM')::bigint + (shares->>'MERCHANT')::bigint""",
    "an order's discount is that of its redemptions": """
        SELECT o.id FROM orders o LEFT JOIN redemptions r ON r.member_id = o.member_id AND r.order_id = o.id
        GROUP BY o.id, o.discount_minor HAVING o.discount_minor <> coalesce(sum(r.discount_minor), 0)""",
    "lines sum to their order": """
        SELECT o.id FROM orders o LEFT JOIN order_lines l ON l.member_id = o.member_id AND l.order_id = o.id
        GROUP BY o.id, o.subtotal_minor, o.discount_minor, o.paid_minor
        HAVING (o.subtotal_minor, o.discount_minor, o.paid_minor)
            <> (sum(l.subtotal_minor), sum(l.discount_minor), sum(l.payable_minor))""",
    "a line is its pieces, and what is paid is what is not taken off": """
        SELECT line_id FROM order_lines WHERE quantity < 1 OR payable_minor < 0
            OR subtotal_minor <> quantity * unit_price_minor OR payable_minor <> subtotal_minor - discount_minor""",
    "an order is found by its ref": """
        SELECT o.id FROM orders o LEFT JOIN order_directory d
            ON (d.source_id, d.order_ref, d.member_id, d.order_id) = (o.source_id, o.order_ref, o.member_id, o.id)
        WHERE d.order_id IS NULL""",
    "a store is the merchant's that redeemed in it": """
        SELECT r.id FROM redemptions r LEFT JOIN stores s ON s.id = r.store_id
        WHERE s.merchant_id IS DISTINCT FROM r.merchant_id""",
    "sequences have no gap and end where their stream does": """
        SELECT s.owner_id FROM streams s FULL JOIN events e USING (owner_id, stream)
        GROUP BY s.owner_id, s.stream, s.sequence
        HAVING (count(*), min(e.sequence), max(e.sequence)) IS DISTINCT FROM (s.sequence, 1, s.sequence)""",
    "history is told to nobody": "SELECT owner_id FROM events WHERE published_at IS NULL",
    "a member's events are in the order of time": """
        SELECT e.owner_id FROM events e JOIN events f USING (owner_id, stream)
        WHERE f.sequence = e.sequence + 1 AND f.occurred_at < e.occurred_at AND stream <> 'redemptions'""",
    "a coupon is redeemed once, by its own member, while it is valid": """
        SELECT c.id FROM coupons c LEFT JOIN redemptions r ON r.member_id = c.member_id AND r.coupon_id = c.id
        GROUP BY c.id, c.state, c.claimed_at, c.valid_from, c.valid_until
        HAVING count(r.id) <> (c.state = 'REDEEMED')::int OR min(r.redeemed_at) < c.claimed_at
            OR max(r.redeemed_at) >= c.valid_until OR c.claimed_at < c.valid_from""",
    "an unused coupon is expired when its time is over": """
        SELECT id FROM coupons WHERE (state = 'EXPIRED' AND valid_until > now())
            OR (state = 'CLAIMED' AND valid_until <= now() - interval '1 hour')""",
    "limits are kept": """
        SELECT c.template_id FROM coupons c JOIN coupon_templates t ON t.id = c.template_id
        GROUP BY c.member_id, c.template_id, t.limit_per_member
        HAVING count(*) > t.limit_per_member OR count(*) <> max(c.ordinal)""",
    "nobody acted before joining": """
        SELECT m.member_id FROM members m JOIN events e ON e.owner_id = m.member_id
        WHERE e.occurred_at < m.joined_at""",
    "nothing happened in the future": "SELECT owner_id FROM events WHERE occurred_at > now()",
}


@pytest.fixture(scope="module")
def shared_url() -> Iterator[str]:
    url = fresh_database(template=loaded())
    yield url
    drop_database(url)


@pytest.mark.parametrize("law", LAWS)
async def test_the_law_holds(law: str, shared_url: str) -> None:
    async with connected(shared_url) as connection:
        assert await connection.fetch(f"{LAWS[law]} LIMIT 3") == []


async def test_what_holds_of_every_programme_holds_of_the_demo(shared_url: str) -> None:
    async with database_of(shared_url) as database:
        assert await SqlInvariants(database, checks=ALL_CHECKS).violations(limit=3) == []
