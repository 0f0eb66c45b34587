"""Every batch, on one page. A loader reads within the caller's scope; what it may not see loads as None."""

from __future__ import annotations

from asyncio import gather
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from aiodataloader import DataLoader

if TYPE_CHECKING:
    from domain.campaigns.model import Budget, Campaign, CampaignMetrics, CampaignQuery
    from domain.coupons.distribution import CouponCode
    from domain.coupons.facts import MemberFacts
    from domain.coupons.model import ClaimStanding, Coupon, CouponKey, CouponTemplate, Stock, WalletCounts
    from domain.members.model import Member
    from domain.members.tiers import TierStatus
    from domain.merchants.model import Merchant, Store
    from domain.orders.model import Redemption, RedemptionKey
    from domain.orders.reservation_model import Reservation, ReservationKey
    from domain.points.model import PointsAccount, PointsLot, PointsTransaction
    from domain.rewards.model import Reward, RewardStock
    from domain.shared.events import StoredEvent
    from domain.shared.ids import CampaignId, EntryId, LotId, MemberId, MerchantId, RewardId, StoreId, TemplateId
    from domain.shared.paging import Page, PageRequest
    from domain.shared.principal import Scope
    from schema.context import Reads

K = TypeVar("K")
V = TypeVar("V")
P = TypeVar("P", bound=Hashable)

MAX_BATCH = 1000


class RequestLoaders:
    """The loaders of one request, made when first asked for."""

    def __init__(self, reads: Reads, *, scope: Scope, managing_scope: Scope) -> None:
        self._reads = reads
        self._scope = scope
        self._managing_scope = managing_scope

    @cached_property
    def members(self) -> DataLoader[MemberId, Member | None]:
        """Members by id."""
        return by_key(lambda keys: self._reads.members.members_by_id(keys, scope=self._scope))

    @cached_property
    def merchants(self) -> DataLoader[MerchantId, Merchant | None]:
        """Merchants by id."""
        return by_key(self._reads.merchants.merchants_by_id)

    @cached_property
    def stores(self) -> DataLoader[StoreId, Store | None]:
        """Stores by id."""
        return by_key(self._reads.merchants.stores_by_id)

    @cached_property
    def stores_of_merchant(self) -> DataLoader[tuple[MerchantId, PageRequest], Page[Store]]:
        """Pages of merchants' stores."""
        return by_page(lambda keys, page: self._reads.merchants.stores_of(keys, page=page))

    @cached_property
    def campaigns_of_merchant(
        self,
    ) -> DataLoader[tuple[MerchantId, tuple[PageRequest, CampaignQuery]], Page[Campaign]]:
        """Pages of merchants' campaigns."""
        return by_page(
            lambda keys, asked: self._reads.campaigns.campaigns_of(
                keys, page=asked[0], query=asked[1], scope=self._managing_scope
            )
        )

    @cached_property
    def templates_of_campaign(self) -> DataLoader[tuple[CampaignId, PageRequest], Page[CouponTemplate]]:
        """Pages of campaigns' templates."""
        return by_page(lambda keys, page: self._reads.coupons.templates_of(keys, page=page, scope=self._managing_scope))

    @cached_property
    def codes_of_template(self) -> DataLoader[tuple[TemplateId, PageRequest], Page[CouponCode]]:
        """Pages of the codes of templates that the viewer manages."""
        scope = self._managing_scope
        return by_page(lambda keys, page: self._reads.distribution.codes_of(keys, page=page, scope=scope))

    @cached_property
    def history_of_coupon(self) -> DataLoader[tuple[CouponKey, PageRequest], Page[StoredEvent]]:
        """Pages of what happened to coupons."""
        return by_page(lambda keys, page: self._reads.coupons.coupon_events(keys, page=page, scope=self._scope))

    @cached_property
    def campaigns(self) -> DataLoader[CampaignId, Campaign | None]:
        """Campaigns by id."""
        return by_key(lambda keys: self._reads.campaigns.campaigns_by_id(keys, scope=self._managing_scope))

    @cached_property
    def campaign_budgets(self) -> DataLoader[CampaignId, Budget | None]:
        """Budgets of campaigns that the viewer manages."""
        return by_key(lambda keys: self._reads.campaigns.budgets(keys, scope=self._managing_scope))

    @cached_property
    def campaign_metrics(self) -> DataLoader[CampaignId, CampaignMetrics | None]:
        """What campaigns that the viewer manages have done."""
        return by_key(lambda keys: self._reads.campaigns.metrics(keys, scope=self._managing_scope))

    @cached_property
    def tier_statuses(self) -> DataLoader[MemberId, TierStatus]:
        """Where members stand today."""
        return present(lambda keys: self._reads.members.tier_statuses(keys, scope=self._scope))

    @cached_property
    def points_accounts(self) -> DataLoader[MemberId, PointsAccount]:
        """Points accounts; one without any movement is all zeros."""
        return present(lambda keys: self._reads.points.accounts(keys, scope=self._scope))

    @cached_property
    def points_transactions(self) -> DataLoader[tuple[MemberId, PageRequest], Page[PointsTransaction]]:
        """Pages of members' points transactions."""
        return by_page(lambda keys, page: self._reads.points.transactions(keys, page=page, scope=self._scope))

    @cached_property
    def points_transactions_by_id(self) -> DataLoader[tuple[MemberId, EntryId], PointsTransaction | None]:
        """Points transactions by member and id."""
        return by_key(lambda keys: self._reads.points.transactions_by_id(keys, scope=self._scope))

    @cached_property
    def points_lots(self) -> DataLoader[tuple[MemberId, LotId], PointsLot | None]:
        """Points lots by member and id."""
        return by_key(lambda keys: self._reads.points.lots_by_id(keys, scope=self._scope))

    @cached_property
    def rewards(self) -> DataLoader[RewardId, Reward | None]:
        """Rewards by id."""
        return by_key(self._reads.rewards.rewards_by_id)

    @cached_property
    def reward_stocks(self) -> DataLoader[RewardId, RewardStock | None]:
        """What is left of rewards."""
        return by_key(self._reads.rewards.stocks)

    @cached_property
    def sequences(self) -> DataLoader[tuple[MemberId, str], int]:
        """The last event of members' streams."""
        return by_page(lambda keys, stream: self._reads.points.sequences(keys, stream=stream, scope=self._scope))

    @cached_property
    def templates(self) -> DataLoader[TemplateId, CouponTemplate | None]:
        """Coupon templates by id; drafts for those who manage them alone."""
        return by_key(lambda keys: self._reads.coupons.templates_by_id(keys, scope=self._managing_scope))

    @cached_property
    def template_stocks(self) -> DataLoader[TemplateId, Stock | None]:
        """What is left of templates."""
        return by_key(self._reads.coupons.stocks)

    @cached_property
    def claim_standings(self) -> DataLoader[TemplateId, ClaimStanding | None]:
        """Where the viewer stands with templates."""
        scope = self._scope
        return by_key(lambda keys: self._reads.coupons.claim_standings(keys, member_id=scope.member_id, scope=scope))

    @cached_property
    def coupons(self) -> DataLoader[CouponKey, Coupon | None]:
        """Coupons by key."""
        return by_key(lambda keys: self._reads.coupons.coupons_by_key(keys, scope=self._scope))

    @cached_property
    def facts_of_members(self) -> DataLoader[MemberId, MemberFacts | None]:
        """What conditions of use ask of members."""
        return by_key(lambda keys: self._reads.coupons.facts_of_members(keys, scope=self._scope))

    @cached_property
    def wallet_counts(self) -> DataLoader[MemberId, WalletCounts | None]:
        """Counts of wallets; None is an empty one."""
        return by_key(lambda keys: self._reads.coupons.wallet_counts(keys, scope=self._scope))

    @cached_property
    def wallet_sequences(self) -> DataLoader[MemberId, int | None]:
        """The last event of wallets; None is before the first."""
        return by_key(lambda keys: self._reads.coupons.wallet_sequences(keys, scope=self._scope))

    @cached_property
    def redeemed_coupons(self) -> DataLoader[CouponKey, Coupon | None]:
        """Coupons of quotes and redemptions: the viewer's own, and those that were redeemed at its merchants."""
        return by_key(lambda keys: self._reads.orders.redeemed_coupons(keys, scope=self._scope))

    @cached_property
    def reservations(self) -> DataLoader[ReservationKey, Reservation | None]:
        """Reservations by key, in their states of now."""
        return by_key(lambda keys: self._reads.reservations.reservations_by_key(keys, scope=self._scope))

    @cached_property
    def redemptions(self) -> DataLoader[RedemptionKey, Redemption | None]:
        """Redemptions by key."""
        return by_key(lambda keys: self._reads.orders.redemptions_by_key(keys, scope=self._scope))

    @cached_property
    def redemptions_of_merchant(
        self,
    ) -> DataLoader[tuple[MerchantId, tuple[PageRequest, frozenset[StoreId]]], Page[Redemption]]:
        """Pages of what was redeemed at merchants, in these stores; none named: anywhere."""
        return by_page(
            lambda keys, asked: self._reads.orders.redemptions_of_merchants(
                keys, page=asked[0], store_ids=asked[1], scope=self._scope
            )
        )


def present(read: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]) -> DataLoader[K, V]:
    """A loader over a read that has an answer for every key."""

    async def load_all(keys: Sequence[K]) -> list[V]:
        found = await read(keys)
        return [found[key] for key in keys]

    return DataLoader(batch_load_fn=load_all, max_batch_size=MAX_BATCH)


def by_key(read: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]) -> DataLoader[K, V | None]:
    """A loader over a read that answers with what it found, by key."""

    async def load_all(keys: Sequence[K]) -> list[V | None]:
        found = await read(keys)
        return [found.get(key) for key in keys]

    return DataLoader(batch_load_fn=load_all, max_batch_size=MAX_BATCH)


def by_page(
    read: Callable[[Sequence[K], P], Awaitable[Mapping[K, V]]],
) -> DataLoader[tuple[K, P], V]:
    """A loader of pages: parents that ask for the same page are read in one statement."""

    async def load_all(keys: Sequence[tuple[K, P]]) -> list[V]:
        parents_by_page: defaultdict[P, list[K]] = defaultdict(list)
        for parent, page in keys:
            parents_by_page[page].append(parent)
        pages = list(parents_by_page)
        found = dict(zip(pages, await gather(*(read(parents_by_page[p], p) for p in pages)), strict=True))
        return [found[page][parent] for parent, page in keys]

    return DataLoader(batch_load_fn=load_all, max_batch_size=MAX_BATCH)
