"""Coupon templates as clients see them."""

import sys
from collections.abc import Collection, Mapping
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from domain.coupons import model
from domain.coupons.cart import MemberPriceRule
from domain.coupons.kinds import KINDS
from domain.coupons.offer import Funder, PercentBase, ThresholdBase
from domain.coupons.rules import ClaimFacts, explain_claim
from domain.coupons.rules_text import places_named, rules_text
from domain.coupons.terms import Term
from domain.shared.ids import CampaignId, MerchantId, TemplateId
from domain.shared.listed import Listed
from domain.shared.paging import PageRequest
from schema.campaigns import Campaign, find_campaign
from schema.catalogue import PURE, FromCatalogue, now, read, shown
from schema.context import Context, Info, Later
from schema.coupon_codes import CouponCode
from schema.eligibility import ClaimDecision, Eligibility
from schema.enums import publish_enum
from schema.merchants import Merchant, find_merchant
from schema.node_ids import NodeType, expect_id, node_id
from schema.nodes import Node
from schema.paging import PAGE_SIZE_DEFAULT, After, Connection, First, connection, page_request
from schema.place_names import names_at_hand, read_names
from schema.scalars import SafeInt

if TYPE_CHECKING:

    class CouponKind(Enum):
        """Generated from the kinds when this runs; the type checker knows that it is an enum of their codes."""
else:
    CouponKind = Enum("CouponKind", {code: code for code in KINDS})

publish_enum(
    MemberPriceRule,
    "Whether a coupon acts on goods that are sold at a member's price.",
    values={
        "COMBINES": "As on any others, on top of the member's price.",
        "EXCLUDED": "Not at all: they are not in its scope, and count towards no threshold.",
    },
)
publish_enum(
    CouponKind,
    "How a coupon takes money off. Each kind has terms of its own.",
    values={code: sys.modules[f"domain.coupons.kinds.{code.lower()}"].__doc__ or code for code in KINDS},
)
publish_enum(
    ThresholdBase,
    "The subtotal of the eligible goods that a threshold is held against. Tax is in it, shipping and points are not.",
    values={
        "INITIAL": "Before any discount.",
        "BEFORE_THIS": "After the earlier offers, before this one.",
        "AFTER_THIS": "After this offer too.",
    },
)
publish_enum(
    PercentBase,
    "The subtotal of the eligible goods that a share is taken of. Tax is in it, shipping is not.",
    values={
        "REMAINING": "What is left to pay after the earlier offers.",
        "INITIAL": "Before any discount; no more is taken off than is left to pay.",
    },
)


@strawberry.type(description="One term of a coupon, for a reader.")
class CouponTerm:
    name: str = strawberry.field(description="Which term.")
    value: str = strawberry.field(description="Amounts as decimals, shares as percent.")
    unit: str | None = strawberry.field(description="A currency, %, or none.")

    @staticmethod
    def from_domain(term: Term) -> "CouponTerm":
        """The domain's term as clients see it."""
        return CouponTerm(name=term.name, value=term.value, unit=term.unit)


@strawberry.type(description="How many there are, counted now.")
class StockStatus:
    total: SafeInt = strawberry.field(description="In all.")
    remaining: SafeInt = strawberry.field(description="Left.")


@strawberry.type(description="Who bears how much of a discount.")
class FunderShare:
    funder: Funder = strawberry.field(description="Who.")
    basis_points: int = strawberry.field(description="Of 10000.")


@strawberry.type(description="A coupon template 券模板: what is published; members claim coupons of it.")
class CouponTemplate(FromCatalogue, Node):
    name: str = strawberry.field(description="Its name.")
    kind: CouponKind = strawberry.field(description="How it takes money off.")
    claim_opens_at: datetime = strawberry.field(description="Claiming is open from this instant.")
    claim_closes_at: datetime = strawberry.field(description="Until before this instant.")
    limit_per_member: int | None = strawberry.field(description="How many one member may claim; null: any.")
    limit_per_member_per_day: int | None = strawberry.field(
        description="How many one member may claim on a day of the programme; null: any."
    )
    limit_per_member_per_week: int | None = strawberry.field(
        description="How many one member may claim in a week of the programme, which begins on Monday; null: any."
    )
    limit_per_member_per_month: int | None = strawberry.field(
        description="How many one member may claim in a calendar month of the programme; null: any."
    )
    limit_per_store: int | None = strawberry.field(
        description="How many of its coupons may be used in one store; null: any."
    )
    self_claim: bool = strawberry.field(
        description="Whether members claim it themselves, or it is issued, had for a code or exchanged for points."
    )
    merchant_fault_grace_days: int = strawberry.field(
        description="For how many days a coupon is valid at least that comes back by the merchant's fault, the day of "
        "its return first; 0: its validity is the original one."
    )
    published: bool = strawberry.field(description="Whether it can be claimed; a draft is its managers' alone.")
    entity: strawberry.Private[model.CouponTemplate]

    @staticmethod
    def from_domain(template: model.CouponTemplate) -> "CouponTemplate":
        """The domain's template as clients see it."""
        return CouponTemplate(
            id=node_id(NodeType.CouponTemplate, template.id),
            name=template.name,
            kind=CouponKind(template.kind),
            claim_opens_at=template.claim_opens_at,
            claim_closes_at=template.claim_closes_at,
            limit_per_member=template.limit_per_member,
            limit_per_member_per_day=template.limit_per_member_per_day,
            limit_per_member_per_week=template.limit_per_member_per_week,
            limit_per_member_per_month=template.limit_per_member_per_month,
            limit_per_store=template.limit_per_store,
            self_claim=template.self_claim,
            merchant_fault_grace_days=template.merchant_fault_grace_days,
            published=template.state is model.TemplateState.PUBLISHED,
            entity=template,
        )

    @staticmethod
    def of(listed: Listed[model.CouponTemplate]) -> "CouponTemplate":
        """The catalogue's template as clients see it."""
        return shown(listed, CouponTemplate, CouponTemplate.from_domain)

    @strawberry.field(description="What it says in a list, in the viewer's locale: 满100减20.", metadata=PURE)
    def headline(self, info: Info) -> str:
        """Its headline."""
        return self.entity.headline.read_in(info.context.locale)

    @strawberry.field(description="Its terms, fixed once it is published.", metadata=PURE)
    def terms(self) -> list[CouponTerm]:
        """Its terms."""
        return [CouponTerm.from_domain(term) for term in self.entity.term_list]

    @strawberry.field(description="What its threshold is held against; null where it has none.", metadata=PURE)
    def threshold_base(self) -> ThresholdBase | None:
        """Its threshold's base."""
        return self.entity.threshold_base if self.entity.coupon_kind.threshold(self.entity.terms) else None

    @strawberry.field(description="What its share is taken of; null of a kind that takes none.", metadata=PURE)
    def percent_base(self) -> PercentBase | None:
        """Its percentage's base."""
        return self.entity.percent_base if self.entity.coupon_kind.takes_share else None

    @strawberry.field(description="Whether it acts on lines with a memberPrice.", metadata=PURE)
    def with_member_price(self) -> MemberPriceRule:
        """Its rule for member prices."""
        return self.entity.scope.with_member_price

    @strawberry.field(
        description="The campaign that it belongs to, where the viewer may see it.",
        graphql_type=Campaign | None,
        metadata=PURE,
    )
    def campaign(self, info: Info) -> Later[Campaign | None]:
        """Its campaign."""
        return find_campaign(info.context, self.entity.campaign_id)

    @strawberry.field(description="Whose it is; null: the platform's own.", graphql_type=Merchant | None, metadata=PURE)
    def merchant(self, info: Info) -> Later[Merchant | None]:
        """Its merchant."""
        return find_merchant(info.context, self.entity.merchant_id)

    @strawberry.field(description="How many coupons there are of it, and how many are left.")
    async def stock(self, info: Info) -> StockStatus:
        """Its stock."""
        stock = await info.context.load.template_stocks.load(self.entity.id)
        assert stock is not None, "a template has a stock"
        return StockStatus(total=SafeInt(stock.total), remaining=SafeInt(stock.remaining))

    @strawberry.field(description="Who bears it, in basis points that sum to 10000.", metadata=PURE)
    def funders(self) -> list[FunderShare]:
        """Its funders."""
        return [FunderShare(funder=s.funder, basis_points=s.basis_points) for s in self.entity.funders]

    @strawberry.field(
        description="The whole conditions, one per line: there is no hidden rule.", graphql_type=str, metadata=PURE
    )
    def rules_text(
        self,
        info: Info,
        locale: Annotated[
            str | None, strawberry.argument(description="zh-CN or en; the viewer's unless given.")
        ] = None,
    ) -> Later[str]:
        """Its conditions."""
        context, speaks = info.context, locale or info.context.locale
        places = places_named(self.entity)
        names = names_at_hand(context, places)
        if len(names) < len(places):
            return self._rules_read(context, places=places, locale=speaks)
        return self._rules(context, names=names, locale=speaks)

    async def _rules_read(self, context: Context, *, places: Collection[UUID], locale: str) -> str:
        names = await read_names(context, places)
        return self._rules(context, names=names, locale=locale)

    def _rules(self, context: Context, *, names: Mapping[UUID, str], locale: str) -> str:
        zone, least = context.programme.zone, context.programme.min_payable_minor
        return rules_text(self.entity, zone=zone, names=names, min_payable_minor=least).read_in(locale)

    @strawberry.field(description="Its codes, the newest first; for everybody but its managers there are none.")
    async def codes(self, info: Info, first: First = PAGE_SIZE_DEFAULT, after: After = None) -> Connection[CouponCode]:
        """A page of its codes."""
        found = await info.context.load.codes_of_template.load((self.entity.id, page_request(first, after)))
        return connection(found, nodes=[CouponCode.from_domain(code) for code in found.items])

    @strawberry.field(description="Whether the viewer could claim it now, and why.")
    async def viewer_can_claim(self, info: Info) -> ClaimDecision:
        """What a claim would be answered with."""
        context = info.context
        standing = await context.load.claim_standings.load(self.entity.id)
        assert standing is not None, "a template has a stock"
        principal = context.principal
        decision = explain_claim(
            ClaimFacts(
                template=self.entity,
                campaign=standing.campaign,
                remaining=standing.stock.remaining,
                claimed=standing.claimed,
                at=standing.read_at,
                zone=context.programme.zone,
            ),
            by_member=principal is not None and principal.member_id is not None,
        )
        return ClaimDecision(
            allowed=decision.eligibility.eligible,
            problem=None if decision.refusal is None else context.problem_of(decision.refusal),
            eligibility=Eligibility.from_domain(
                decision.eligibility, currency=self.entity.currency, locale=context.locale
            ),
        )


def find_template(context: Context, template_id: TemplateId | None) -> Later[CouponTemplate | None]:
    """A template by id, where the viewer may see it."""
    if template_id is None:
        return None
    listed = context.catalogue.templates.get(template_id)
    return (
        read(context.load.templates, template_id, CouponTemplate.from_domain)
        if listed is None
        else CouponTemplate.of(listed)
    )


async def load_template(context: Context, template_id: TemplateId) -> CouponTemplate | None:
    """The same, waited for."""
    return await now(find_template(context, template_id))


@strawberry.input(description="Which templates a list shows; what is not given does not limit it.")
class CouponTemplateFilter:
    claimable_now: bool | None = strawberry.field(
        default=None,
        description="Published, in its claim window, of a running campaign or none, and in stock; or (false) not.",
    )
    merchant_id: strawberry.ID | None = strawberry.field(default=None, description="Of this merchant.")
    campaign_id: strawberry.ID | None = strawberry.field(default=None, description="Of this campaign.")


async def templates_page(
    context: Context, given: CouponTemplateFilter | None, *, page: PageRequest
) -> Connection[CouponTemplate]:
    """A page of the templates that the viewer may see: of the catalogue, for those who see what all see."""
    query, scope = _query(given or CouponTemplateFilter()), context.managing_scope
    listed = context.catalogue.templates_page(query, page=page) if scope.is_public else None
    if listed is not None:
        return connection(listed, nodes=[CouponTemplate.of(each) for each in listed.items])
    found = await context.reads.coupons.templates_page(query, page=page, scope=scope)
    return connection(found, nodes=[CouponTemplate.from_domain(t) for t in found.items])


def _query(given: CouponTemplateFilter) -> model.TemplateQuery:
    merchant = given.merchant_id and expect_id(given.merchant_id, NodeType.Merchant, argument="filter.merchantId")
    campaign = given.campaign_id and expect_id(given.campaign_id, NodeType.Campaign, argument="filter.campaignId")
    return model.TemplateQuery(
        claimable_now=given.claimable_now,
        merchant_id=MerchantId(merchant.id) if merchant else None,
        campaign_id=CampaignId(campaign.id) if campaign else None,
    )
