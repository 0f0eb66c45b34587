"""What is published is fixed: PostgreSQL refuses to change it, and so no owned coupon is decided otherwise later."""

from typing import Any

import asyncpg
import pytest

from domain.coupons.cart import Channel
from domain.coupons.drafts import ConditionsDraft, ScopeDraft, StackingDraft
from domain.coupons.lanes import Lane
from domain.coupons.offer import Funder, FunderShare, Offer, PercentBase, ThresholdBase
from domain.coupons.pricing import PricingPolicy, price
from domain.shared.principal import Scope
from persistence.coupons.tables import templates
from persistence.orders.reads import SqlOrderReads
from tests.coupon_world import PROGRAMME, member, merchant
from tests.order_world import Shop, cart, shop
from tests.published_templates import change_published

__all__ = ["shop"]

RICH: dict[str, Any] = {
    "kind": "PERCENT_OFF",
    "terms": {"payableBasisPoints": 8500, "thresholdMinor": 5000},
    "scope": ScopeDraft(product_refs=["p0", "p1"], channels=[Channel.ONLINE]),
    "stacking": StackingDraft(lane=Lane.STORE_ORDER, tags=["t"], combines_with_tags=["t"], priority=2),
    "funders": [FunderShare(Funder.PLATFORM, 5000), FunderShare(Funder.MERCHANT, 5000)],
    "threshold_base": ThresholdBase.INITIAL,
    "percent_base": PercentBase.INITIAL,
    "conditions": ConditionsDraft({"cartQuantity": {"atLeast": 1}}, PROGRAMME.zone),
}
# Another value for each column but the name. One that is added fails here until it has one.
OTHERWISE: dict[str, str] = {
    "id": "uuidv7()",
    "merchant_id": "uuidv7()",
    "campaign_id": "uuidv7()",
    "state": "'DRAFT'",
    "kind": "'AMOUNT_OFF'",
    "terms": """'{"payableBasisPoints": 1}'""",
    "currency": "'USD'",
    "scope": "'{}'",
    "conditions": "NULL",
    "limit_per_member": "9",
    "limit_per_member_per_day": "9",
    "limit_per_member_per_week": "9",
    "limit_per_member_per_month": "9",
    "limit_per_member_in_campaign": "9",
    "limit_per_store": "9",
    "self_claim": "false",
    "claim_opens_at": "now() - interval '9 years'",
    "claim_closes_at": "now() + interval '9 years'",
    "validity": """'{"daysAfterClaim": 9}'""",
    "threshold_base": "'AFTER_THIS'",
    "percent_base": "'REMAINING'",
    "stacking": "stacking || '{\"priority\": 9}'",
    "funders": """'{"PLATFORM": 10000}'""",
    "refund_policy": "'REPRICE'",
    "merchant_fault_grace_days": "9",
    "budget_remainder": "'PARTIAL'",
    "created_at": "now() - interval '9 years'",
    "published_at": "now() - interval '9 years'",
}


async def offer_of(shop: Shop, coupon: Any) -> Offer:
    """The coupon as pricing sees it now."""
    found = await SqlOrderReads(shop.world.database).quotable(
        member(1), coupon_ids=[coupon.coupon_id], with_points=False, scope=Scope.of_member(member(1))
    )
    assert found is not None
    return found.held[next(iter(found.held))].offer


def test_every_column_is_tried() -> None:
    assert set(OTHERWISE) | {"name"} == {column.name for column in templates.c}


@pytest.mark.parametrize("column", OTHERWISE)
async def test_a_published_template_is_not_changed_and_an_owned_coupon_is_decided_as_before(
    shop: Shop, column: str
) -> None:
    coupon = await shop.coupon(**RICH)
    before, pool = await offer_of(shop, coupon), shop.world.database.pool
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="is published: it never changes"):
        await pool.execute(f"UPDATE coupon_templates SET {column} = {OTHERWISE[column]}")  # noqa: S608 - of ours
    after = await offer_of(shop, coupon)
    assert after == before
    priced = [price(cart(6000, 4000), [one], policy=PricingPolicy(), at=shop.world.clock.at) for one in (before, after)]
    assert priced[0] == priced[1]
    assert priced[0].discount_minor == 1500


async def test_what_was_tried_would_have_been_another_decision(shop: Shop) -> None:
    # Were it not refused, the coupons in all wallets would be decided otherwise: their scope is their template's.
    coupon = await shop.coupon(**RICH)
    before = await offer_of(shop, coupon)
    sql = """UPDATE coupon_templates SET scope = '{"productRefs": ["p9"]}'"""
    await change_published(shop.world.database.pool, sql)
    assert (await offer_of(shop, coupon)).scope != before.scope


async def test_a_published_template_is_not_deleted(shop: Shop) -> None:
    await shop.coupon()
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError):
        await shop.world.database.pool.execute("DELETE FROM coupon_templates")


async def test_its_name_is_no_rule_and_a_draft_is_its_managers_own(shop: Shop) -> None:
    published, drafted = await shop.world.published(), await shop.world.create()
    pool = shop.world.database.pool
    await pool.execute("UPDATE coupon_templates SET name = 'another'")
    await pool.execute("UPDATE coupon_templates SET terms = '{}' WHERE id = $1", drafted)
    await pool.execute("DELETE FROM coupon_templates WHERE id = $1", drafted)
    assert await shop.world.rows("SELECT id, name FROM coupon_templates") == [(published, "another")]


async def test_a_template_of_a_merchant_keeps_its_base_for_percentages(shop: Shop) -> None:
    coupon = await shop.coupon(
        kind="PERCENT_OFF",
        terms={"payableBasisPoints": 3000},
        percent_base=PercentBase.INITIAL,
        merchant_id=merchant(1),
    )
    assert (await offer_of(shop, coupon)).percent_base is PercentBase.INITIAL
    assert await shop.world.value("SELECT percent_base FROM coupon_templates") == "INITIAL"
