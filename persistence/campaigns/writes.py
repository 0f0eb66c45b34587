"""Campaigns written, within a scope that manages them."""

from collections.abc import Mapping

import sqlalchemy as sa

from domain.campaigns.model import ALL_FUNDERS, Campaign, CampaignState
from domain.shared.ids import CampaignId
from domain.shared.principal import Scope
from persistence.base import Conn, Statement, columns_of, insert_rows, scope_params, within_scope
from persistence.campaigns.rows import campaign_of, deal
from persistence.campaigns.tables import BUDGET_SHARDS, budget_accounts, campaigns

_CAMPAIGN = (
    "id", "merchant_id", "name", "goal", "state", "starts_at", "ends_at", "budget_minor", "budget_currency",
    "limit_per_member", "funder_budgets", "budget_remainder",
)  # fmt: skip
_BUDGET = ("campaign_id", "funder", "shard", "merchant_id", "free_minor", "reserved_minor", "redeemed_minor")
_ID = sa.bindparam("id", type_=sa.Uuid)
_MANAGED = within_scope(merchant=campaigns.c.merchant_id)

ADD_CAMPAIGN = Statement(
    "add_campaign",
    insert_rows(campaigns, _CAMPAIGN, merchant="merchant_id", constants={"created_at": sa.func.now()}),
)
ADD_BUDGET_ACCOUNTS = Statement("add_budget_accounts", insert_rows(budget_accounts, _BUDGET, merchant="merchant_id"))
LOCK_CAMPAIGN = Statement(
    "lock_campaign", sa.select(campaigns).where(campaigns.c.id == _ID, _MANAGED).with_for_update()
)
SET_CAMPAIGN_STATE = Statement(
    "set_campaign_state",
    sa.update(campaigns).where(campaigns.c.id == _ID, _MANAGED).values(state=sa.bindparam("state", type_=sa.Text)),
)


class SqlCampaigns:
    """Campaigns in one transaction, within one scope."""

    def __init__(self, connection: Conn, *, scope: Scope) -> None:
        self._connection = connection
        self._scope = scope_params(scope)

    async def add(self, campaign: Campaign, *, funder_limits_minor: Mapping[str, int]) -> None:
        """Stores a campaign, and the accounts of its budget where it has one: of all funders, and of those named."""
        row = {
            "id": campaign.id,
            "merchant_id": campaign.merchant_id,
            "name": campaign.name,
            "goal": campaign.goal.value,
            "state": campaign.state.value,
            "starts_at": campaign.starts_at,
            "ends_at": campaign.ends_at,
            "budget_minor": campaign.budget and campaign.budget.minor,
            "budget_currency": campaign.budget and campaign.budget.currency,
            "limit_per_member": campaign.limit_per_member,
            "funder_budgets": dict(funder_limits_minor) or None,
            "budget_remainder": campaign.remainder.value,
        }
        stored = await ADD_CAMPAIGN.execute(self._connection, columns_of([row], _CAMPAIGN) | self._scope)
        assert stored == 1, "who may manage a merchant's campaigns was decided before"
        if campaign.budget is not None:
            accounts = [
                {
                    "campaign_id": campaign.id,
                    "funder": funder,
                    "shard": shard,
                    "merchant_id": campaign.merchant_id,
                    "free_minor": dealt,
                    "reserved_minor": 0,
                    "redeemed_minor": 0,
                }
                for funder, limit_minor in {ALL_FUNDERS: campaign.budget.minor, **funder_limits_minor}.items()
                for shard, dealt in enumerate(deal(limit_minor, shards=BUDGET_SHARDS))
            ]
            await ADD_BUDGET_ACCOUNTS.execute(self._connection, columns_of(accounts, _BUDGET) | self._scope)

    async def lock_or_none(self, campaign_id: CampaignId) -> Campaign | None:
        """The campaign, locked; none when there is none that the scope manages."""
        row = await LOCK_CAMPAIGN.row(self._connection, {"id": campaign_id, **self._scope})
        return None if row is None else campaign_of(row)

    async def set_state(self, campaign_id: CampaignId, *, state: CampaignState) -> None:
        """Moves a campaign that was locked."""
        params = {"id": campaign_id, "state": state.value, **self._scope}
        moved = await SET_CAMPAIGN_STATE.execute(self._connection, params)
        assert moved == 1, "the campaign was locked under the same scope"
