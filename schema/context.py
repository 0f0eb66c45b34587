"""What a type may ask of the request that it is answered in."""

from collections.abc import Awaitable
from typing import Protocol, TypeAlias, TypeVar

import strawberry

from domain.campaigns.model import Budget, Campaign, CampaignMetrics
from domain.campaigns.ports import CampaignReads
from domain.members.model import Member
from domain.members.ports import MemberReads
from domain.members.tiers import TierStatus
from domain.merchants.model import Merchant, Store
from domain.merchants.ports import MerchantReads
from domain.points.model import PointsAccount, PointsLot, PointsTransaction
from domain.points.ports import PointsReads
from domain.shared.idempotency import ReceiptReads
from domain.shared.ids import EntryId, LotId, CampaignId, MemberId, MerchantId, StoreId
from domain.shared.paging import Page, PageRequest
from domain.shared.principal import Principal, Scope

K = TypeVar("K", contravariant=True)
V = TypeVar("V", covariant=True)


class Loader(Protocol[K, V]):
    """Gives one thing by its key; what is asked for together is read together."""

    def load(self, key: K) -> Awaitable[V]:
        """The thing."""
        ...


class Reads(Protocol):
    """Every slice's reads."""

    @property
    def members(self) -> MemberReads:
        """Reads of members."""
        ...

    @property
    def merchants(self) -> MerchantReads:
        """Reads of merchants and stores."""
        ...

    @property
    def campaigns(self) -> CampaignReads:
        """Reads of campaigns."""
        ...

    @property
    def points(self) -> PointsReads:
        """Reads of points."""
        ...

    @property
    def receipts(self) -> ReceiptReads:
        """Reads of receipts."""
        ...


class Loaders(Protocol):
    """Every batch that types load through. Each is within the viewer's scope: what it may not see loads as None."""

    @property
    def members(self) -> Loader[MemberId, Member | None]:
        """Members by id."""
        ...

    @property
    def merchants(self) -> Loader[MerchantId, Merchant | None]:
        """Merchants by id."""
        ...

    @property
    def stores(self) -> Loader[StoreId, Store | None]:
        """Stores by id."""
        ...

    @property
    def stores_of_merchant(self) -> Loader[tuple[MerchantId, PageRequest], Page[Store]]:
        """Pages of merchants' stores."""
        ...

    @property
    def campaigns(self) -> Loader[CampaignId, Campaign | None]:
        """Campaigns by id."""
        ...

    @property
    def campaign_budgets(self) -> Loader[CampaignId, Budget | None]:
        """Budgets of campaigns that the viewer manages."""
        ...

    @property
    def campaign_metrics(self) -> Loader[CampaignId, CampaignMetrics | None]:
        """What campaigns that the viewer manages have done."""
        ...

    @property
    def tier_statuses(self) -> Loader[MemberId, TierStatus]:
        """Where members stand today."""
        ...

    @property
    def points_accounts(self) -> Loader[MemberId, PointsAccount]:
        """Points accounts."""
        ...

    @property
    def points_transactions(self) -> Loader[tuple[MemberId, PageRequest], Page[PointsTransaction]]:
        """Pages of members' points transactions."""
        ...

    @property
    def points_transactions_by_id(self) -> Loader[tuple[MemberId, EntryId], PointsTransaction | None]:
        """Points transactions by member and id."""
        ...

    @property
    def points_lots(self) -> Loader[tuple[MemberId, LotId], PointsLot | None]:
        """Points lots by member and id."""
        ...

    @property
    def sequences(self) -> Loader[tuple[MemberId, str], int]:
        """The last event of members' streams."""
        ...


class Context(Protocol):
    """One request."""

    @property
    def principal(self) -> Principal | None:
        """Who asks; None is anonymous."""
        ...

    @property
    def scope(self) -> Scope:
        """How far that reaches."""
        ...

    @property
    def locale(self) -> str:
        """The locale to speak: zh-CN or en."""
        ...

    @property
    def reads(self) -> Reads:
        """What is read a page at a time."""
        ...

    @property
    def load(self) -> Loaders:
        """The batches of this request."""
        ...


Info: TypeAlias = strawberry.Info["Context", None]
