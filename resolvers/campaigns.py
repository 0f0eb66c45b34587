"""Campaigns: who may, which use-case."""

from typing import Annotated

import strawberry

from domain.campaigns.model import RemainderPolicy
from domain.campaigns.use_cases import ChangeCampaignState, CreateCampaign, change_campaign_state, create_campaign
from domain.shared.errors import BadUserInput
from domain.shared.ids import CampaignId
from resolvers.context import Info
from resolvers.inputs import merchant_id_of, name_of
from resolvers.once import once
from schema.campaigns import (
    Campaign,
    CampaignFilter,
    ChangeCampaignStateInput,
    ChangeCampaignStateResult,
    ChangeCampaignStateSuccess,
    CreateCampaignInput,
    CreateCampaignResult,
    CreateCampaignSuccess,
    campaigns_page,
    load_campaign,
)
from schema.node_ids import NodeType, expect_id
from schema.paging import PAGE_SIZE_DEFAULT, After, Connection, First, page_request

Filter = Annotated[CampaignFilter | None, strawberry.argument(description="Which campaigns.")]


@strawberry.type
class CampaignsQuery:
    @strawberry.field(description="Campaigns, newest start first; drafts are shown to their managers alone.")
    async def campaigns(
        self, info: Info, first: First = PAGE_SIZE_DEFAULT, after: After = None, filter: Filter = None
    ) -> Connection[Campaign]:
        """A page of campaigns."""
        return await campaigns_page(info.context, filter, page=page_request(first, after))


@strawberry.type
class CampaignsMutation:
    @strawberry.mutation(description="Plans a campaign; it begins as a draft.")
    async def create_campaign(self, info: Info, input: CreateCampaignInput) -> CreateCampaignResult:
        """Plans a campaign."""
        command = CreateCampaign(
            name=name_of(input.name),
            goal=input.goal,
            merchant_id=merchant_id_of(input.merchant_id),
            starts_at=input.starts_at,
            ends_at=input.ends_at,
            budget=None if input.budget is None else input.budget.to_domain(argument="input.budget"),
            once=once(info, input),
            limit_per_member=input.limit_per_member,
            funder_limits_minor=_funder_limits(input),
            remainder=input.budget_remainder or RemainderPolicy.REJECT,
        )
        done = await create_campaign(command, begin=info.context.begin)
        return CreateCampaignSuccess(campaign=await _managed(info, done.result.campaign_id), replayed=done.replayed)

    @strawberry.mutation(description="Moves a campaign: schedule, run, pause, end.")
    async def change_campaign_state(self, info: Info, input: ChangeCampaignStateInput) -> ChangeCampaignStateResult:
        """Moves a campaign."""
        ref = expect_id(input.campaign_id, NodeType.Campaign, argument="input.campaignId")
        command = ChangeCampaignState(campaign_id=CampaignId(ref.id), state=input.state, once=once(info, input))
        done = await change_campaign_state(command, begin=info.context.begin)
        return ChangeCampaignStateSuccess(
            campaign=await _managed(info, done.result.campaign_id), replayed=done.replayed
        )


def _funder_limits(given: CreateCampaignInput) -> dict[str, int]:
    """What single funders may bear, by their names, in minor units of the budget's currency."""
    limits: dict[str, int] = {}
    for place, one in enumerate(given.funder_budgets or ()):
        argument = f"input.funderBudgets.{place}"
        limit = one.limit.to_domain(argument=f"{argument}.limit")
        if given.budget is None or limit.currency != given.budget.to_domain(argument="input.budget").currency:
            raise BadUserInput(f"{argument} is a part of the budget, in its currency", path=argument.split("."))
        if one.funder.value in limits:
            raise BadUserInput(f"{argument} names a funder twice", path=argument.split("."))
        limits[one.funder.value] = limit.minor
    return limits


async def _managed(info: Info, campaign_id: CampaignId) -> Campaign:
    info.context.forget()
    campaign = await load_campaign(info.context, campaign_id)
    assert campaign is not None, "who may write a campaign may read it"
    return campaign
