"""Templates and coupons from their rows, and into them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import orjson
import sqlalchemy as sa

from domain.campaigns.model import CampaignState, RemainderPolicy
from domain.coupons.cart import Channel, MemberPriceRule, Scope
from domain.coupons.conditions import stored_conditions
from domain.coupons.kinds import KINDS
from domain.coupons.lanes import Lane
from domain.coupons.model import (
    CampaignStanding,
    Coupon,
    CouponTemplate,
    RefundPolicy,
    TemplateState,
    Validity,
    state_at,
)
from domain.coupons.offer import CouponState, Funder, FunderShare, PercentBase, Stacking, ThresholdBase
from domain.coupons.terms import Terms
from domain.shared.events import JSON
from domain.shared.ids import MerchantId, StoreId
from domain.shared.time import Interval
from persistence.base import Row
from persistence.campaigns.tables import campaigns
from persistence.coupons.tables import coupons, templates

TEMPLATE_COLUMNS: Final = (
    "id", "merchant_id", "campaign_id", "name", "state", "kind", "terms", "currency", "scope", "limit_per_member",
    "limit_per_member_per_day", "claim_opens_at", "claim_closes_at", "validity", "threshold_base", "stacking",
    "funders", "refund_policy", "conditions", "limit_per_member_per_week", "limit_per_member_per_month",
    "limit_per_member_in_campaign", "limit_per_store", "self_claim", "percent_base",
    "merchant_fault_grace_days", "budget_remainder",
)  # fmt: skip

# A coupon's columns for `coupon_of`, its terms as text.
COUPON: Final = tuple(
    sa.cast(column, sa.Text).label("terms") if column is coupons.c.terms else column for column in coupons.c
)
# Whether a coupon is of a kind that keeps a balance.
KEEPS_BALANCE: Final = coupons.c.kind.in_(
    [sa.literal_column(f"'{code}'") for code, kind in KINDS.items() if kind.keeps_balance]
)
# Of the campaign of a template, which it is joined to.
CAMPAIGN_STANDING: Final = (
    campaigns.c.state.label("campaign_state"),
    campaigns.c.starts_at.label("campaign_starts_at"),
    campaigns.c.ends_at.label("campaign_ends_at"),
)

# A document as PostgreSQL gave it back: its shape is that of the writer beside each reader.
Document = Mapping[str, Any]


def template_of(row: Row) -> CouponTemplate:
    """A template from its row."""
    return CouponTemplate(
        id=row["id"],
        merchant_id=row["merchant_id"],
        campaign_id=row["campaign_id"],
        name=row["name"],
        state=TemplateState(row["state"]),
        kind=row["kind"],
        terms=KINDS[row["kind"]].terms_from_json(row["terms"]),
        currency=row["currency"],
        scope=_scope_of(row["scope"]),
        limit_per_member=row["limit_per_member"],
        limit_per_member_per_day=row["limit_per_member_per_day"],
        claim_opens_at=row["claim_opens_at"],
        claim_closes_at=row["claim_closes_at"],
        validity=_validity_of(row["validity"]),
        threshold_base=ThresholdBase(row["threshold_base"]),
        stacking=_stacking_of(row["stacking"]),
        funders=tuple(FunderShare(f, row["funders"][f.value]) for f in Funder if f.value in row["funders"]),
        refund_policy=RefundPolicy(row["refund_policy"]),
        conditions=stored_conditions(row["conditions"]),
        limit_per_member_per_week=row["limit_per_member_per_week"],
        limit_per_member_per_month=row["limit_per_member_per_month"],
        limit_per_member_in_campaign=row["limit_per_member_in_campaign"],
        limit_per_store=row["limit_per_store"],
        self_claim=row["self_claim"],
        percent_base=PercentBase(row["percent_base"]),
        merchant_fault_grace_days=row["merchant_fault_grace_days"],
        budget_remainder=RemainderPolicy(row["budget_remainder"]),
    )


def campaign_standing_of(row: Row) -> CampaignStanding | None:
    """What of the template's campaign decides claims; None where it is of none."""
    if row["campaign_state"] is None:
        return None
    return CampaignStanding(
        CampaignState(row["campaign_state"]), starts_at=row["campaign_starts_at"], ends_at=row["campaign_ends_at"]
    )


def campaign_runs(now: sa.ColumnElement[datetime]) -> sa.ColumnElement[bool]:
    """Whether the campaign of a template runs at that instant, or there is none: the check "campaign" of a claim.

    The same rule as `domain.campaigns.rules.state_at`; a test holds the two together.
    """
    started = sa.or_(
        campaigns.c.state == sa.literal_column("'RUNNING'"),
        sa.and_(campaigns.c.state == sa.literal_column("'SCHEDULED'"), campaigns.c.starts_at <= now),
    )
    running = (
        sa.select(campaigns.c.id)
        .where(campaigns.c.id == templates.c.campaign_id, started, campaigns.c.ends_at > now)
        .correlate(templates)
        .exists()
    )
    return sa.or_(templates.c.campaign_id.is_(None), running)


def template_row(template: CouponTemplate) -> dict[str, object]:
    """A template as its row."""
    return {
        "id": template.id,
        "merchant_id": template.merchant_id,
        "campaign_id": template.campaign_id,
        "name": template.name,
        "state": template.state.value,
        "kind": template.kind,
        "terms": template.coupon_kind.terms_to_json(template.terms),
        "currency": template.currency,
        "scope": _scope_document(template.scope),
        "limit_per_member": template.limit_per_member,
        "limit_per_member_per_day": template.limit_per_member_per_day,
        "claim_opens_at": template.claim_opens_at,
        "claim_closes_at": template.claim_closes_at,
        "validity": _validity_document(template.validity),
        "threshold_base": template.threshold_base.value,
        "stacking": _stacking_document(template.stacking),
        "funders": {share.funder.value: share.basis_points for share in template.funders},
        "refund_policy": template.refund_policy.value,
        "conditions": None if template.conditions is None else template.conditions.to_json(),
        "limit_per_member_per_week": template.limit_per_member_per_week,
        "limit_per_member_per_month": template.limit_per_member_per_month,
        "limit_per_member_in_campaign": template.limit_per_member_in_campaign,
        "limit_per_store": template.limit_per_store,
        "self_claim": template.self_claim,
        "percent_base": template.percent_base.value,
        "merchant_fault_grace_days": template.merchant_fault_grace_days,
        "budget_remainder": template.budget_remainder.value,
    }


STATES: Final = {state.value: state for state in CouponState}  # quicker than CouponState(…)


@lru_cache(maxsize=10_000)
def _read_terms(kind: str, document: str) -> Terms:
    """The terms of a kind from their text: the coupons of a template have the same, which are read once."""
    terms: Terms = KINDS[kind].terms_from_json(orjson.loads(document))
    return terms


def coupon_of(row: Row) -> Coupon:
    """A coupon from its row, which says when it was read."""
    at: datetime = row["read_at"]
    kind, stored = row["kind"], row["terms"]
    return Coupon(
        id=row["id"],
        member_id=row["member_id"],
        template_id=row["template_id"],
        merchant_id=row["merchant_id"],
        ordinal=row["ordinal"],
        code=row["code"],
        state=state_at(
            STATES[row["state"]], valid_until=row["valid_until"], at=at, reserved_until=row["reserved_until"]
        ),
        kind=row["kind"],
        terms=_read_terms(kind, stored) if isinstance(stored, str) else KINDS[kind].terms_from_json(stored),
        claimed_at=row["claimed_at"],
        claimed_on=row["claimed_on"],
        valid_from=row["valid_from"],
        valid_until=row["valid_until"],
        read_at=at,
        balance_minor=row["balance_minor"],
        reserved_until=row["reserved_until"],
    )


def _scope_document(scope: Scope) -> dict[str, JSON]:
    named: dict[str, Sequence[str]] = {
        "productRefs": sorted(scope.product_refs),
        "categoryRefs": sorted(scope.category_refs),
        "merchantIds": sorted(map(str, scope.merchant_ids)),
        "storeIds": sorted(map(str, scope.store_ids)),
        "channels": sorted(channel.value for channel in scope.channels),
        "excludedProductRefs": sorted(scope.excluded_product_refs),
    }
    document: dict[str, JSON] = {name: list(values) for name, values in named.items() if values}
    if scope.spares_member_prices:
        document["withMemberPrice"] = scope.with_member_price.value
    return document


def _scope_of(document: Document) -> Scope:
    return Scope(
        product_refs=frozenset(document.get("productRefs", ())),
        category_refs=frozenset(document.get("categoryRefs", ())),
        merchant_ids=frozenset(MerchantId(UUID(text)) for text in document.get("merchantIds", ())),
        store_ids=frozenset(StoreId(UUID(text)) for text in document.get("storeIds", ())),
        channels=frozenset(map(Channel, document.get("channels", ()))),
        excluded_product_refs=frozenset(document.get("excludedProductRefs", ())),
        with_member_price=MemberPriceRule(document.get("withMemberPrice", "COMBINES")),
    )


def _validity_document(validity: Validity) -> dict[str, JSON]:
    if validity.period is None:
        return {"daysAfterClaim": validity.days_after_claim}
    return {"from": validity.period.starts_at.isoformat(), "until": validity.period.ends_at.isoformat()}


def _validity_of(document: Document) -> Validity:
    if "daysAfterClaim" in document:
        return Validity(period=None, days_after_claim=document["daysAfterClaim"])
    from_, until = datetime.fromisoformat(document["from"]), datetime.fromisoformat(document["until"])
    return Validity(period=Interval(from_, until), days_after_claim=None)


def _stacking_document(stacking: Stacking) -> dict[str, JSON]:
    return {
        "lane": stacking.lane and stacking.lane.value,
        "tags": sorted(stacking.tags),
        "combinesWithTags": sorted(stacking.combines_with_tags),
        "exclusiveGroup": stacking.exclusive_group,
        "priority": stacking.priority,
        "maxPerOrder": stacking.max_per_order,
    }


def _stacking_of(document: Document) -> Stacking:
    return Stacking(
        lane=document["lane"] and Lane(document["lane"]),
        tags=frozenset(document["tags"]),
        combines_with_tags=frozenset(document["combinesWithTags"]),
        exclusive_group=document["exclusiveGroup"],
        priority=document["priority"],
        max_per_order=document["maxPerOrder"],
    )
