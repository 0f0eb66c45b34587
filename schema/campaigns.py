"""Campaigns as clients see them."""

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain.campaigns import model
from domain.campaigns.model import CampaignGoal, CampaignState, RemainderPolicy
from domain.coupons.offer import Funder
from domain.shared.ids import CampaignId, MerchantId
from domain.shared.listed import Listed
from domain.shared.paging import PageRequest
from schema.catalogue import PURE, FromCatalogue, now, read, shown
from schema.context import Context, Info, Later
from schema.enums import publish_enum
from schema.merchants import Merchant, find_merchant
from schema.money import Money, MoneyInput
from schema.node_ids import NodeType, expect_id, node_id
from schema.nodes import Node
from schema.paging import PAGE_SIZE_DEFAULT, After, Connection, First, connection, page_request
from schema.problems import (
    IdempotencyKeyReusedProblem,
    InvalidStateChangeProblem,
    NotFoundProblem,
    OperationInProgressProblem,
)
from schema.scalars import SafeInt

if TYPE_CHECKING:
    from schema.coupon_templates import CouponTemplate

publish_enum(
    CampaignGoal,
    "What a campaign is for.",
    values={
        "ACQUISITION": "Win members 拉新.",
        "ACTIVATION": "Wake members 促活.",
        "RETENTION": "Keep members 留存.",
        "CONVERSION": "Make members buy 转化.",
    },
)
publish_enum(
    CampaignState,
    "Where a campaign stands. Its period moves it from SCHEDULED to RUNNING, and to ENDED, by itself.",
    values={
        "DRAFT": "Being planned; its managers alone see it.",
        "SCHEDULED": "Will run from startsAt.",
        "RUNNING": "Its coupons can be claimed.",
        "PAUSED": "Halted by its managers.",
        "ENDED": "Over; nothing of it can be claimed any more.",
    },
)
publish_enum(
    RemainderPolicy,
    "What becomes of a discount that is more than what a campaign's budget, or a funder's part of it, has left.",
    values={
        "REJECT": "The coupon does not act, and is not used up.",
        "PARTIAL": "The coupon acts with what is left, shared out over its lines in proportion.",
    },
)
publish_enum(
    Funder,
    "Who bears a discount.",
    values={"PLATFORM": "The platform.", "MERCHANT": "The merchant who sells the goods."},
)


@strawberry.type(description="What one funder may bear of a budget, and what of that is held and spent.")
class FunderBudget:
    funder: Funder = strawberry.field(description="Who.")
    limit: Money = strawberry.field(description="What it may bear at most.")
    reserved: Money = strawberry.field(description="Its part of what is held.")
    redeemed: Money = strawberry.field(description="Its part of what is spent.")
    available: Money = strawberry.field(description="What is left of its part.")

    @staticmethod
    def from_domain(account: model.BudgetAccount, *, funder: Funder, currency: str) -> "FunderBudget":
        """The domain's account as clients see it."""
        return FunderBudget(
            funder=funder,
            limit=Money.of(account.limit_minor, currency),
            reserved=Money.of(account.reserved_minor, currency),
            redeemed=Money.of(account.redeemed_minor, currency),
            available=Money.of(account.available_minor, currency),
        )


@strawberry.type(description="What a campaign may cost, and what of that is held and spent. Its managers see it.")
class Budget:
    limit: Money = strawberry.field(description="What it may cost at most.")
    reserved: Money = strawberry.field(description="Held by reserved coupons.")
    redeemed: Money = strawberry.field(description="Spent, less what was reversed.")
    available: Money = strawberry.field(description="What is left to promise.")
    by_funder: list[FunderBudget] = strawberry.field(description="Of those who may bear only so much of it.")
    remainder: RemainderPolicy = strawberry.field(
        description="What becomes of a discount that is more than what is available. It never changes."
    )

    @staticmethod
    def from_domain(budget: model.Budget) -> "Budget":
        """The domain's budget as clients see it."""
        return Budget(
            limit=Money.of(budget.limit_minor, budget.currency),
            reserved=Money.of(budget.reserved_minor, budget.currency),
            redeemed=Money.of(budget.redeemed_minor, budget.currency),
            available=Money.of(budget.available_minor, budget.currency),
            by_funder=[
                FunderBudget.from_domain(account, funder=Funder(name), currency=budget.currency)
                for name, account in sorted(budget.by_funder.items())
            ],
            remainder=budget.remainder,
        )


@strawberry.type(description="What a campaign has done, counted now. Its managers see it.")
class CampaignMetrics:
    claimed: SafeInt = strawberry.field(description="Coupons claimed of its templates.")
    redeemed: SafeInt = strawberry.field(description="Coupons redeemed, less those reversed.")
    redemption_rate: float = strawberry.field(description="Redeemed of claimed, 0 to 1.")
    discount: Money = strawberry.field(description="What its coupons took off, less what refunds took back.")
    revenue: Money = strawberry.field(description="What members paid for orders that used them, less refunds.")
    roi: float | None = strawberry.field(description="(revenue - discount) / discount; null while nothing was given.")

    @staticmethod
    def from_domain(metrics: model.CampaignMetrics) -> "CampaignMetrics":
        """The domain's metrics as clients see them."""
        return CampaignMetrics(
            claimed=SafeInt(metrics.claimed),
            redeemed=SafeInt(metrics.redeemed),
            redemption_rate=metrics.redemption_rate,
            discount=Money.of(metrics.discount_minor, metrics.currency),
            revenue=Money.of(metrics.revenue_minor, metrics.currency),
            roi=metrics.roi,
        )


@strawberry.type(description="A campaign 营销活动: a goal, a period, its coupons.")
class Campaign(FromCatalogue, Node):
    name: str = strawberry.field(description="Its name.")
    goal: CampaignGoal = strawberry.field(description="What it is for.")
    state: CampaignState = strawberry.field(description="Where it stands now.")
    starts_at: datetime = strawberry.field(description="From this instant.")
    ends_at: datetime = strawberry.field(description="Until before this instant.")
    limit_per_member: int | None = strawberry.field(
        description="How many coupons of all its templates together one member may have; null: any."
    )
    entity: strawberry.Private[model.Campaign]

    @staticmethod
    def from_domain(campaign: model.Campaign) -> "Campaign":
        """The domain's campaign as clients see it."""
        return Campaign(
            id=node_id(NodeType.Campaign, campaign.id),
            name=campaign.name,
            goal=campaign.goal,
            state=campaign.state,
            starts_at=campaign.starts_at,
            ends_at=campaign.ends_at,
            limit_per_member=campaign.limit_per_member,
            entity=campaign,
        )

    @staticmethod
    def of(listed: Listed[model.Campaign]) -> "Campaign":
        """The catalogue's campaign as clients see it."""
        return shown(listed, Campaign, Campaign.from_domain)

    @strawberry.field(description="Whose it is; null: the platform's own.", graphql_type=Merchant | None, metadata=PURE)
    def merchant(self, info: Info) -> Later[Merchant | None]:
        """Its merchant."""
        return find_merchant(info.context, self.entity.merchant_id)

    @strawberry.field(description="Its coupon templates that the viewer may claim or manage, the newest first.")
    async def coupon_templates(
        self, info: Info, first: First = PAGE_SIZE_DEFAULT, after: After = None
    ) -> Connection[Annotated["CouponTemplate", strawberry.lazy("schema.coupon_templates")]]:
        """A page of its templates."""
        from schema.coupon_templates import CouponTemplate

        found = await info.context.load.templates_of_campaign.load((self.entity.id, page_request(first, after)))
        return connection(found, nodes=[CouponTemplate.from_domain(t) for t in found.items])

    @strawberry.field(description="Null where it has none, and for everybody but its managers.")
    async def budget(self, info: Info) -> Budget | None:
        """Its budget."""
        if info.context.managing_scope.is_public:
            return None
        budget = await info.context.load.campaign_budgets.load(self.entity.id)
        return None if budget is None else Budget.from_domain(budget)

    @strawberry.field(description="Null for everybody but its managers.")
    async def metrics(self, info: Info) -> CampaignMetrics | None:
        """What it has done."""
        if info.context.managing_scope.is_public:
            return None
        metrics = await info.context.load.campaign_metrics.load(self.entity.id)
        return None if metrics is None else CampaignMetrics.from_domain(metrics)


def find_campaign(context: Context, campaign_id: CampaignId | None) -> Later[Campaign | None]:
    """A campaign by id, where the viewer may see it."""
    if campaign_id is None:
        return None
    listed = context.catalogue.campaigns.get(campaign_id)
    return read(context.load.campaigns, campaign_id, Campaign.from_domain) if listed is None else Campaign.of(listed)


async def load_campaign(context: Context, campaign_id: CampaignId) -> Campaign | None:
    """The same, waited for."""
    return await now(find_campaign(context, campaign_id))


async def campaigns_page(
    context: Context, given: "CampaignFilter | None", *, page: PageRequest
) -> Connection[Campaign]:
    """A page of campaigns that the viewer may see: of the catalogue, for those who see what all see."""
    query, scope = campaign_query(given), context.managing_scope
    listed = context.catalogue.campaigns_page(query, page=page) if scope.is_public else None
    if listed is not None:
        return connection(listed, nodes=[Campaign.of(each) for each in listed.items])
    found = await context.reads.campaigns.campaigns_page(query, page=page, scope=scope)
    return connection(found, nodes=[Campaign.from_domain(c) for c in found.items])


async def campaigns_of(
    context: Context, merchant_id: MerchantId, given: "CampaignFilter | None", *, page: PageRequest
) -> Connection[Campaign]:
    """A page of a merchant's campaigns that the viewer may see."""
    query = campaign_query(replace(given or CampaignFilter(), merchant_id=None))
    found = await context.load.campaigns_of_merchant.load((merchant_id, (page, query)))
    return connection(found, nodes=[Campaign.from_domain(c) for c in found.items])


@strawberry.input(description="Which campaigns a list shows; what is not given does not limit it.")
class CampaignFilter:
    states: list[CampaignState] | None = strawberry.field(default=None, description="In one of these states.")
    goal: CampaignGoal | None = strawberry.field(default=None, description="With this goal.")
    merchant_id: strawberry.ID | None = strawberry.field(default=None, description="Of this merchant.")


def campaign_query(given: CampaignFilter | None) -> model.CampaignQuery:
    """A filter as the domain asks it."""
    if given is None:
        return model.CampaignQuery()
    merchant = given.merchant_id and expect_id(given.merchant_id, NodeType.Merchant, argument="filter.merchantId")
    return model.CampaignQuery(
        states=None if given.states is None else tuple(given.states),
        goal=given.goal,
        merchant_id=MerchantId(merchant.id) if merchant else None,
    )


@strawberry.input(description="What one funder may bear of a budget.")
class FunderBudgetInput:
    funder: Funder = strawberry.field(description="Who.")
    limit: MoneyInput = strawberry.field(description="How much at most; of the budget's currency.")


@strawberry.input(description="A campaign to plan; it begins as a draft.")
class CreateCampaignInput:
    name: str = strawberry.field(description="1 to 128 characters.")
    goal: CampaignGoal = strawberry.field(description="What it is for.")
    merchant_id: strawberry.ID | None = strawberry.field(
        default=None, description="Whose it is; without one the platform's, which operators plan."
    )
    starts_at: datetime = strawberry.field(description="From this instant.")
    ends_at: datetime = strawberry.field(description="Until before this instant.")
    budget: MoneyInput | None = strawberry.field(default=None, description="What its coupons may cost at most.")
    funder_budgets: list[FunderBudgetInput] | None = strawberry.field(
        default=None, description="What single funders may bear of the budget at most, each named once."
    )
    budget_remainder: RemainderPolicy | None = strawberry.field(
        default=RemainderPolicy.REJECT,
        description="What becomes of a discount that is more than what the budget has left. It never changes, and its "
        "coupons' rulesText says it.",
    )
    limit_per_member: int | None = strawberry.field(
        default=None, description="How many coupons of all its templates together one member may have."
    )
    idempotency_key: strawberry.ID = strawberry.field(description="Made by the client before it sends.")


@strawberry.type(description="The campaign is planned.")
class CreateCampaignSuccess:
    campaign: Campaign = strawberry.field(description="The campaign, a draft.")
    replayed: bool = strawberry.field(description="Whether this is the first answer again.")


@strawberry.input(description="A move of a campaign.")
class ChangeCampaignStateInput:
    campaign_id: strawberry.ID = strawberry.field(description="The campaign.")
    state: CampaignState = strawberry.field(
        description="DRAFT → SCHEDULED, RUNNING, ENDED; SCHEDULED → DRAFT, RUNNING, PAUSED, ENDED; "
        "RUNNING → PAUSED, ENDED; PAUSED → RUNNING, ENDED."
    )
    idempotency_key: strawberry.ID = strawberry.field(description="Made by the client before it sends.")


@strawberry.type(description="The campaign has moved.")
class ChangeCampaignStateSuccess:
    campaign: Campaign = strawberry.field(description="The campaign.")
    replayed: bool = strawberry.field(description="Whether this is the first answer again.")


CreateCampaignResult = Annotated[
    CreateCampaignSuccess | NotFoundProblem | IdempotencyKeyReusedProblem | OperationInProgressProblem,
    strawberry.union("CreateCampaignResult", description="The campaign, or why not."),
]
ChangeCampaignStateResult = Annotated[
    ChangeCampaignStateSuccess
    | NotFoundProblem
    | InvalidStateChangeProblem
    | IdempotencyKeyReusedProblem
    | OperationInProgressProblem,
    strawberry.union("ChangeCampaignStateResult", description="The campaign, or why not."),
]
