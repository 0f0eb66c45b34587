"""What can be done with campaigns."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias

from domain.campaigns.model import (
    Campaign,
    CampaignCreated,
    CampaignGoal,
    CampaignState,
    CampaignStateChanged,
    RemainderPolicy,
)
from domain.campaigns.ports import CampaignsTransaction
from domain.campaigns.rules import may_move, state_at
from domain.merchants.rules import manages
from domain.shared.errors import BadUserInput, InvalidStateChange, NotFound
from domain.shared.idempotency import Done, Once, do_once
from domain.shared.ids import CampaignId, MerchantId
from domain.shared.money import Money

MAX_LIMIT: Final = 1_000_000

Begin: TypeAlias = Callable[[], AbstractAsyncContextManager[CampaignsTransaction]]


@dataclass(frozen=True, slots=True)
class CreateCampaign:
    """Plans a campaign: a draft, which its managers alone see."""

    name: str
    goal: CampaignGoal
    merchant_id: MerchantId | None
    starts_at: datetime
    ends_at: datetime
    budget: Money | None
    once: Once
    limit_per_member: int | None = None
    # What single funders may bear of the budget at most, by their names.
    funder_limits_minor: Mapping[str, int] = field(default_factory=dict)
    remainder: RemainderPolicy = RemainderPolicy.REJECT


@dataclass(frozen=True, slots=True)
class ChangeCampaignState:
    """Moves a campaign."""

    campaign_id: CampaignId
    state: CampaignState
    once: Once


async def create_campaign(command: CreateCampaign, *, begin: Begin) -> Done[CampaignCreated]:
    """Plans a campaign of a merchant, or of the platform where no merchant is named.

    Refusals: NotFound, IdempotencyKeyReused.
    """
    _require_sound(command)

    async def decide(tx: CampaignsTransaction) -> CampaignCreated:
        if command.merchant_id is None:
            if not tx.scope.everything:
                raise BadUserInput("name your merchant: the platform's campaigns are its operators'", path=_MERCHANT)
        elif not manages(tx.scope, command.merchant_id) or not await tx.merchants.exists(command.merchant_id):
            raise NotFound("Merchant")
        campaign = Campaign(
            id=CampaignId(tx.ids.new()),
            merchant_id=command.merchant_id,
            name=command.name,
            goal=command.goal,
            state=CampaignState.DRAFT,
            starts_at=command.starts_at,
            ends_at=command.ends_at,
            budget=command.budget,
            limit_per_member=command.limit_per_member,
            remainder=command.remainder,
        )
        await tx.campaigns.add(campaign, funder_limits_minor=command.funder_limits_minor)
        return CampaignCreated(campaign.id)

    return await do_once(command.once, begin=begin, decide=decide, result_type=CampaignCreated)


def _require_sound(command: CreateCampaign) -> None:
    """Refuse a period, a budget or a limit that cannot be."""
    if command.ends_at <= command.starts_at:
        raise BadUserInput("endsAt must be after startsAt", path=["input", "endsAt"])
    if command.budget is not None and command.budget.minor <= 0:
        raise BadUserInput("budget must be more than nothing", path=["input", "budget"])
    for minor in command.funder_limits_minor.values():
        if command.budget is None or not 0 <= minor <= command.budget.minor:
            raise BadUserInput("a funder bears a part of the budget", path=["input", "funderBudgets"])
    if command.budget is None and command.remainder is not RemainderPolicy.REJECT:
        raise BadUserInput("without a budget there is no remainder of it", path=["input", "budgetRemainder"])
    if command.limit_per_member is not None and not 1 <= command.limit_per_member <= MAX_LIMIT:
        raise BadUserInput(f"limitPerMember must be 1 to {MAX_LIMIT}", path=["input", "limitPerMember"])


async def change_campaign_state(command: ChangeCampaignState, *, begin: Begin) -> Done[CampaignStateChanged]:
    """Moves a campaign along its legal moves.

    Refusals: NotFound, InvalidStateChange, IdempotencyKeyReused.
    """

    async def decide(tx: CampaignsTransaction) -> CampaignStateChanged:
        campaign = await tx.campaigns.lock_or_none(command.campaign_id)
        if campaign is None:
            raise NotFound("Campaign")
        current = state_at(campaign.state, starts_at=campaign.starts_at, ends_at=campaign.ends_at, now=tx.now)
        if not may_move(current, to=command.state):
            raise InvalidStateChange(current=current.value, wanted=command.state.value)
        await tx.campaigns.set_state(command.campaign_id, state=command.state)
        return CampaignStateChanged(command.campaign_id, command.state)

    return await do_once(command.once, begin=begin, decide=decide, result_type=CampaignStateChanged)


_MERCHANT = ("input", "merchantId")
