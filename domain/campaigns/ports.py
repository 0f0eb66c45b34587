"""What the campaigns slice needs of the world."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from domain.campaigns.model import Budget, Campaign, CampaignMetrics, CampaignQuery, CampaignState
from domain.merchants.ports import Merchants
from domain.shared.ids import CampaignId, MerchantId
from domain.shared.paging import Page, PageRequest
from domain.shared.principal import Scope
from domain.shared.transaction import Transaction


class Campaigns(Protocol):
    """Campaigns, written."""

    async def add(self, campaign: Campaign, *, funder_limits_minor: Mapping[str, int]) -> None:
        """Stores a campaign, and the accounts of its budget where it has one: of all funders, and of those named."""
        ...

    async def lock_or_none(self, campaign_id: CampaignId) -> Campaign | None:
        """The campaign, locked; none when there is none that the scope manages."""
        ...

    async def set_state(self, campaign_id: CampaignId, *, state: CampaignState) -> None:
        """Moves a campaign that was locked."""
        ...


class CampaignsTransaction(Transaction, Protocol):
    """A transaction of the campaigns slice."""

    @property
    def merchants(self) -> Merchants:
        """The merchants."""
        ...

    @property
    def campaigns(self) -> Campaigns:
        """The campaigns."""
        ...


class CampaignReads(Protocol):
    """Campaigns, read: drafts are shown to their managers alone. States are those of the instant of the read."""

    async def campaigns_by_id(
        self, campaign_ids: Sequence[CampaignId], *, scope: Scope
    ) -> Mapping[CampaignId, Campaign]:
        """The campaigns of these ids that the scope may see."""
        ...

    async def campaigns_page(self, query: CampaignQuery, *, page: PageRequest, scope: Scope) -> Page[Campaign]:
        """A page of campaigns, newest start first."""
        ...

    async def campaigns_of(
        self, merchant_ids: Sequence[MerchantId], *, query: CampaignQuery, page: PageRequest, scope: Scope
    ) -> Mapping[MerchantId, Page[Campaign]]:
        """The same page of each merchant's campaigns, newest start first; whose is not the query's to say."""
        ...

    async def budgets(self, campaign_ids: Sequence[CampaignId], *, scope: Scope) -> Mapping[CampaignId, Budget]:
        """The budgets of these campaigns, where the scope manages them and they have one."""
        ...

    async def metrics(
        self, campaign_ids: Sequence[CampaignId], *, scope: Scope
    ) -> Mapping[CampaignId, CampaignMetrics]:
        """What these campaigns have done, where the scope manages them."""
        ...
