"""What a type may ask of the request that it is answered in."""

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Protocol, TypeAlias, TypeVar

import strawberry

from domain.campaigns.model import Budget, Campaign, CampaignMetrics, CampaignQuery
from domain.campaigns.ports import CampaignReads
from domain.coupons.distribution import CouponCode
from domain.coupons.distribution_ports import DistributionReads
from domain.coupons.facts import MemberFacts
from domain.coupons.model import ClaimStanding, Coupon, CouponKey, CouponTemplate, Stock, TemplateQuery, WalletCounts
from domain.coupons.ports import CouponReads, RedemptionTokens
from domain.members.model import Member
from domain.members.ports import MemberReads
from domain.members.tiers import TierStatus
from domain.merchants.model import Merchant, Store
from domain.merchants.ports import MerchantReads
from domain.orders.model import Redemption, RedemptionKey
from domain.orders.ports import OrderReads
from domain.orders.reservation_model import Reservation, ReservationKey
from domain.orders.reservation_ports import ReservationReads
from domain.points.model import PointsAccount, PointsLot, PointsTransaction
from domain.points.ports import PointsReads
from domain.recommendations.model import Placement, Recommendations
from domain.recommendations.ports import RecommendationReads
from domain.rewards.model import Reward, RewardStock
from domain.rewards.ports import RewardReads
from domain.shared.errors import Refusal
from domain.shared.events import StoredEvent
from domain.shared.idempotency import ReceiptReads
from domain.shared.ids import CampaignId, EntryId, LotId, MemberId, MerchantId, RewardId, StoreId, TemplateId
from domain.shared.listed import Listed
from domain.shared.paging import Page, PageRequest
from domain.shared.principal import Principal, Scope
from domain.shared.programme import Programme
from schema.problems import Problem

K = TypeVar("K", contravariant=True)
V = TypeVar("V", covariant=True)
Found = TypeVar("Found")

Later: TypeAlias = Found | Awaitable[Found]
"""What a resolver has at once where the catalogue lists it, and must read where not."""


class Loader(Protocol[K, V]):
    """Gives one thing by its key; what is asked for together is read together."""

    def load(self, key: K) -> Awaitable[V]:
        """The thing."""
        ...

    def load_many(self, keys: Iterable[K]) -> Awaitable[Sequence[V]]:
        """The things, in the order of their keys."""
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
    def coupons(self) -> CouponReads:
        """Reads of templates and coupons."""
        ...

    @property
    def orders(self) -> OrderReads:
        """Reads of orders, redemptions and what quotes are made of."""
        ...

    @property
    def reservations(self) -> ReservationReads:
        """Reads of reservations."""
        ...

    @property
    def rewards(self) -> RewardReads:
        """Reads of rewards."""
        ...

    @property
    def recommendations(self) -> RecommendationReads:
        """Reads of what may be recommended."""
        ...

    @property
    def receipts(self) -> ReceiptReads:
        """Reads of receipts."""
        ...

    @property
    def distribution(self) -> DistributionReads:
        """Reads of issued batches and of codes."""
        ...


class Catalogue(Protocol):
    """What all may see, kept in this process, at most a second old. What is not in it may yet be in the database."""

    def world(self, locale: str) -> object | None:
        """What stands for all that is listed, as it reads in a locale, until any of it changes; None: nothing does."""
        ...

    def campaigns_page(self, query: CampaignQuery, *, page: PageRequest) -> Page[Listed[Campaign]] | None:
        """A page of campaigns as all may see it; None where it must be read. Refusals: BadUserInput."""
        ...

    def templates_page(self, query: TemplateQuery, *, page: PageRequest) -> Page[Listed[CouponTemplate]] | None:
        """A page of templates as all may see it; None where it must be read. Refusals: BadUserInput."""
        ...

    def rewards_page(self, *, page: PageRequest) -> Page[Listed[Reward]] | None:
        """A page of rewards; None where it must be read. Refusals: BadUserInput."""
        ...

    @property
    def merchants(self) -> Mapping[MerchantId, Listed[Merchant]]:
        """Merchants."""
        ...

    @property
    def stores(self) -> Mapping[StoreId, Listed[Store]]:
        """Stores."""
        ...

    @property
    def campaigns(self) -> Mapping[CampaignId, Listed[Campaign]]:
        """Campaigns that are not drafts, in their state of now."""
        ...

    @property
    def templates(self) -> Mapping[TemplateId, Listed[CouponTemplate]]:
        """Published templates."""
        ...

    @property
    def rewards(self) -> Mapping[RewardId, Listed[Reward]]:
        """Rewards."""
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
    def campaigns_of_merchant(self) -> Loader[tuple[MerchantId, tuple[PageRequest, CampaignQuery]], Page[Campaign]]:
        """Pages of merchants' campaigns."""
        ...

    @property
    def templates_of_campaign(self) -> Loader[tuple[CampaignId, PageRequest], Page[CouponTemplate]]:
        """Pages of campaigns' templates."""
        ...

    @property
    def codes_of_template(self) -> Loader[tuple[TemplateId, PageRequest], Page[CouponCode]]:
        """Pages of the codes of templates that the viewer manages."""
        ...

    @property
    def history_of_coupon(self) -> Loader[tuple[CouponKey, PageRequest], Page[StoredEvent]]:
        """Pages of what happened to coupons."""
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
    def rewards(self) -> Loader[RewardId, Reward | None]:
        """Rewards by id."""
        ...

    @property
    def reward_stocks(self) -> Loader[RewardId, RewardStock | None]:
        """What is left of rewards."""
        ...

    @property
    def sequences(self) -> Loader[tuple[MemberId, str], int]:
        """The last event of members' streams."""
        ...

    @property
    def templates(self) -> Loader[TemplateId, CouponTemplate | None]:
        """Coupon templates by id."""
        ...

    @property
    def template_stocks(self) -> Loader[TemplateId, Stock | None]:
        """What is left of templates."""
        ...

    @property
    def claim_standings(self) -> Loader[TemplateId, ClaimStanding | None]:
        """Where the viewer stands with templates."""
        ...

    @property
    def coupons(self) -> Loader[CouponKey, Coupon | None]:
        """Coupons by key."""
        ...

    @property
    def facts_of_members(self) -> Loader[MemberId, MemberFacts | None]:
        """What conditions of use ask of members."""
        ...

    @property
    def wallet_counts(self) -> Loader[MemberId, WalletCounts | None]:
        """Counts of wallets; None is an empty one."""
        ...

    @property
    def wallet_sequences(self) -> Loader[MemberId, int | None]:
        """The last event of wallets; None is before the first."""
        ...

    @property
    def redeemed_coupons(self) -> Loader[CouponKey, Coupon | None]:
        """Coupons of quotes and redemptions: the viewer's own, and those that were redeemed at its merchants."""
        ...

    @property
    def reservations(self) -> Loader[ReservationKey, Reservation | None]:
        """Reservations by key, in their states of now."""
        ...

    @property
    def redemptions(self) -> Loader[RedemptionKey, Redemption | None]:
        """Redemptions by key."""
        ...

    @property
    def redemptions_of_merchant(
        self,
    ) -> Loader[tuple[MerchantId, tuple[PageRequest, frozenset[StoreId]]], Page[Redemption]]:
        """Pages of what was redeemed at merchants, in these stores; none named: anywhere."""
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
    def managing_scope(self) -> Scope:
        """How far that reaches among what is planned and not yet public."""
        ...

    @property
    def locale(self) -> str:
        """The locale to speak: zh-CN or en."""
        ...

    @property
    def programme(self) -> Programme:
        """Whose days and currency count."""
        ...

    @property
    def redemption_tokens(self) -> RedemptionTokens:
        """Signs what a phone shows and a till scans."""
        ...

    async def recommend(self, member_id: MemberId, *, placement: Placement, limit: int) -> Recommendations:
        """What to show a member next."""
        ...

    def problem_of(self, refusal: Refusal) -> Problem:
        """A refusal as the viewer sees it."""
        ...

    @property
    def reads(self) -> Reads:
        """What is read a page at a time."""
        ...

    @property
    def load(self) -> Loaders:
        """The batches of this request."""
        ...

    @property
    def catalogue(self) -> Catalogue:
        """What can be looked up without reading. No write is decided by it."""
        ...


Info: TypeAlias = strawberry.Info["Context", None]
