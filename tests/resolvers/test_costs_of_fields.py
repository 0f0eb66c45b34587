"""A field that was not asked for costs no SQL: what each field adds to what stands around it."""

from collections.abc import AsyncIterator, Mapping
from typing import Final

import pytest
import pytest_asyncio
from graphql import GraphQLObjectType, get_named_type, is_leaf_type

from persistence.catalogue.follower import Catalogue
from tests.architecture.test_schema import schema
from tests.queries import queries
from tests.resolvers.test_read_path import Reader, Street, street
from tests.world import OPERATOR, open_world

__all__ = ["street"]

MEMBER: Final = ["members_by_id"]
# For each type, what stands around its fields, and what that costs with nothing listed.
AROUND: Final[Mapping[str, tuple[str, list[str]]]] = {
    "Member": ("{ me { %s } }", MEMBER),
    "PointsAccount": ("{ me { points { %s } } }", MEMBER),
    "CheckInStatus": ("{ me { checkIn { %s } } }", [*MEMBER, "recent_check_ins"]),
    "Wallet": ("{ me { wallet { %s } } }", MEMBER),
    "Coupon": ("{ me { wallet { coupons { nodes { %s } } } } }", ["member_and_wallet_claimed_latest"]),
    "CouponTemplate": ("{ couponTemplates { nodes { %s } } }", ["coupon_templates_page"]),
    "Campaign": ("{ campaigns { nodes { %s } } }", ["campaigns_page"]),
    "Reward": ("{ rewards { nodes { %s } } }", ["rewards_page"]),
    "Merchant": ("{ viewer { merchants { nodes { %s } } } }", ["merchants_page"]),
}
BALANCE: Final = ["points_accounts"]
TEMPLATE: Final = ["coupon_templates_by_id"]
CART: Final = """{ currencyCode: "CNY", lines: [{ id: "1", productRef: "p", merchantId: "MERCHANT", quantity: 1,
    unitPrice: { amount: "50.00", currencyCode: "CNY" } }] }"""
# The fields that cost something, or have a selection or arguments of their own. Every other one adds nothing.
FIELDS: Final[Mapping[str, tuple[str, list[str]]]] = {
    "Member.points": ("points { id }", []),
    "Member.tags": ("tags", []),
    "Member.tier": ("tier { metric tier { name } next { name } }", ["tier_standings"]),
    "Member.recommendations": (
        "recommendations { items { score } }",
        ["candidate_templates", "candidate_rewards", "candidate_campaigns"],
    ),
    "Member.checkIn": ("checkIn { streakDays }", ["recent_check_ins"]),
    "Member.wallet": ("wallet { __typename }", []),
    "PointsAccount.available": ("available", BALANCE),
    "PointsAccount.pending": ("pending", BALANCE),
    "PointsAccount.debt": ("debt", BALANCE),
    "PointsAccount.lifetimeEarned": ("available lifetimeEarned", BALANCE),
    "PointsAccount.expiring": ("expiring { id }", ["expiring_points_lots"]),
    "PointsAccount.transactions": ("transactions { nodes { id } }", ["points_transactions"]),
    "PointsAccount.asOf": ('asOf(at: "2026-06-01T00:00:00Z")', ["points_available_at"]),
    "PointsAccount.sequence": ("sequence", ["stream_sequences"]),
    "CheckInStatus.calendar": ('calendar(month: "2026-06-01")', ["check_ins_between"]),
    "Wallet.counts": ("counts { claimed }", ["wallet_counts"]),
    "Wallet.sequence": ("sequence", ["wallet_sequences"]),
    "Coupon.template": ("template { name }", TEMPLATE),
    "Coupon.headline": ("headline", TEMPLATE),
    "Coupon.terms": ("terms { name }", TEMPLATE),
    "Coupon.balance": ("balance { amount }", []),
    "Coupon.eligibility": (f"eligibility(cart: {CART}) {{ eligible }}", [*TEMPLATE]),
    "Coupon.history": ("history { nodes { change } }", ["coupon_events"]),
    "CouponTemplate.terms": ("terms { name }", []),
    "CouponTemplate.campaign": ("campaign { name }", ["campaigns_by_id"]),
    "CouponTemplate.merchant": ("merchant { name }", ["merchants_by_id"]),
    "CouponTemplate.stock": ("stock { remaining }", ["template_stocks"]),
    "CouponTemplate.funders": ("funders { funder }", []),
    "CouponTemplate.rulesText": ("rulesText", ["merchants_by_id"]),
    "CouponTemplate.codes": ("codes { nodes { uses } }", ["codes_of_templates"]),
    "CouponTemplate.viewerCanClaim": ("viewerCanClaim { allowed }", ["claim_standings"]),
    "Campaign.merchant": ("merchant { name }", ["merchants_by_id"]),
    "Campaign.couponTemplates": ("couponTemplates { nodes { name } }", ["coupon_templates_of_campaigns"]),
    "Campaign.budget": ("budget { __typename }", []),
    "Campaign.metrics": ("metrics { claimed }", []),
    "Reward.stock": ("stock { remaining }", []),
    "Reward.couponTemplate": ("couponTemplate { name }", []),
    "Merchant.stores": ("stores { nodes { name } }", ["stores_of_merchants"]),
    "Merchant.campaigns": ("campaigns { nodes { name } }", ["campaigns_of_merchants"]),
    "Merchant.redemptions": ("redemptions { nodes { orderRef } }", ["redemptions_of_merchants"]),
}
# What the catalogue lists costs nothing to a member.
LISTED: Final = frozenset({"coupon_templates_page", "campaigns_page", "rewards_page", *TEMPLATE, "campaigns_by_id"})


@pytest_asyncio.fixture
async def reader(database_url: str) -> AsyncIterator[Reader]:
    async with open_world(database_url) as opened:
        yield Reader(opened, Catalogue(clock=opened.clock, trust_seconds=60))


def every_field() -> list[str]:
    """Those of these types, but for what makes a page of its own or a token."""
    found = []
    for name in AROUND:
        type_ = schema().type_map[name]
        assert isinstance(type_, GraphQLObjectType)
        found += [f"{name}.{field}" for field in type_.fields]
    return [field for field in found if field not in {"Wallet.coupons", "Coupon.redemptionCode"}]


@pytest.mark.parametrize("field", every_field())
async def test_a_field_costs_what_it_says_and_nothing_that_was_not_asked_for(street: Street, field: str) -> None:
    type_, name = field.split(".")
    around, cost = AROUND[type_]
    selection, more = FIELDS.get(field, (name, []))
    asked = (around % selection).replace("MERCHANT", street.merchants[0])
    viewer = OPERATOR if type_ == "Merchant" else street.member
    with queries(20) as names:
        await street.reader.ask(asked, viewer, listed=False)
    assert sorted(names) == sorted([*cost, *more])
    if viewer is not OPERATOR:
        with queries(20) as names:
            await street.reader.ask(asked, viewer)
        assert sorted(names) == sorted({*cost, *more} - LISTED - {"merchants_by_id"})


def test_what_is_not_in_the_table_is_a_plain_value() -> None:
    for field in set(every_field()) - set(FIELDS):
        type_, name = field.split(".")
        found = schema().type_map[type_]
        assert isinstance(found, GraphQLObjectType)
        assert is_leaf_type(get_named_type(found.fields[name].type)), field


async def test_managers_alone_have_budgets_and_metrics_counted(street: Street) -> None:
    with queries(3) as names:
        await street.reader.ask("{ campaigns { nodes { metrics { claimed } budget { __typename } } } }", OPERATOR)
    assert names[0] == "campaigns_page"
    assert "campaign_metrics" in names
    assert "campaign_budgets" in names


async def test_what_two_fields_need_is_read_once(street: Street) -> None:
    asked = """{ me { points { available debt sequence }
        wallet { counts { claimed } coupons { nodes { headline terms { name } } } } } }"""
    with queries(20) as names:
        await street.reader.ask(asked, street.member, listed=False)
    expected = ["member_and_wallet_claimed_latest", *BALANCE, "stream_sequences", "wallet_counts", *TEMPLATE]
    assert sorted(names) == sorted(expected)
