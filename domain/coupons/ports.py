"""What the coupons slice needs of the world."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.campaigns.ports import Campaigns
from domain.coupons.entries import MemberWithWallet, WalletEntry
from domain.coupons.facts import FactsOfMembers, MemberFacts
from domain.coupons.model import (
    ClaimedCount,
    ClaimStanding,
    Coupon,
    CouponKey,
    CouponTemplate,
    Issue,
    LockedTemplate,
    Stock,
    StockLeft,
    TemplateQuery,
    WalletCounts,
    WalletQuery,
)
from domain.merchants.ports import Merchants
from domain.shared.events import StoredEvent
from domain.shared.idempotency import Once, Receipt
from domain.shared.ids import CampaignId, CouponId, MemberId, MerchantId, StoreId, TemplateId
from domain.shared.paging import Page, PageRequest
from domain.shared.principal import Scope
from domain.shared.transaction import Transaction


@dataclass(frozen=True, slots=True)
class ClaimHistory:
    """What was before a set of claims, at the instant of the read.

    `receipts` are by `Once.place`. A member that has none of the template is not in `counts`, whose `today` is the
    programme's day of that instant. `remaining` is what is left of the stock, where that was asked for.
    """

    receipts: Mapping[tuple[UUID, str, str], Receipt]
    counts: Mapping[MemberId, ClaimedCount]
    read_at: datetime
    remaining: int | None = None


class Templates(Protocol):
    """Templates, written."""

    async def add(self, template: CouponTemplate, *, stock: int) -> None:
        """Stores a draft with its stock."""
        ...

    async def lock_or_none(self, template_id: TemplateId) -> CouponTemplate | None:
        """The template, locked; none when there is none that the scope manages."""
        ...

    async def publish(self, template_id: TemplateId) -> None:
        """Publishes a draft that was locked."""
        ...

    async def known_merchants(self, merchant_ids: Collection[MerchantId]) -> frozenset[MerchantId]:
        """Those of the merchants that there are."""
        ...

    async def merchants_of_stores(self, store_ids: Collection[StoreId]) -> Mapping[StoreId, MerchantId]:
        """Whose the stores are; a store that there is not is not in it."""
        ...


class Coupons(Protocol):
    """Coupons and the stock that they are taken from, written in sets."""

    async def lock_template_stock(self, template_id: TemplateId) -> LockedTemplate | None:
        """The template with its stock, which is locked: claims of one template are decided one set after another.

        It tells the instant of the transaction, which a transaction of a set (`begin_set`) has nowhere else.
        """
        ...

    async def claim_history(
        self,
        template_id: TemplateId,
        *,
        member_ids: Collection[MemberId],
        onces: Sequence[Once] = (),
        template: CouponTemplate | None = None,
        with_stock: bool = False,
    ) -> ClaimHistory:
        """What these members have of the template, and the receipts of these claims, which are of one mutation.

        What only some limits ask for (`CouponTemplate.counts_widely`) is counted where the template is given and asks.
        `with_stock` asks what is left at this moment, without a lock: good for a refusal alone.
        """
        ...

    async def add(self, issue: Issue) -> None:
        """Stores coupons of one template and one instant."""
        ...

    async def take_from_stock(self, template_id: TemplateId, *, count: int) -> None:
        """Takes so many from a stock that is locked and has them."""
        ...

    async def overdue(self, *, limit: int) -> Sequence[CouponKey]:
        """Claimed coupons whose time is over, the longest overdue first, not locked."""
        ...

    async def expire(self, keys: Sequence[CouponKey]) -> Sequence[CouponKey]:
        """Moves those that are still claimed and overdue to EXPIRED; returns them."""
        ...


class CouponsTransaction(Transaction, Protocol):
    """A transaction of the coupons slice."""

    @property
    def merchants(self) -> Merchants:
        """The merchants."""
        ...

    @property
    def campaigns(self) -> Campaigns:
        """The campaigns."""
        ...

    @property
    def templates(self) -> Templates:
        """The templates."""
        ...

    @property
    def coupons(self) -> Coupons:
        """The coupons."""
        ...

    @property
    def facts(self) -> FactsOfMembers:
        """What conditions of use ask of members."""
        ...


class CouponReads(Protocol):
    """Templates and coupons, read. States are of the instant of the read; what the scope may not see is not there.

    A published template is public; a draft is shown to those who manage it.
    """

    async def templates_by_id(
        self, template_ids: Sequence[TemplateId], *, scope: Scope
    ) -> Mapping[TemplateId, CouponTemplate]:
        """The templates of these ids."""
        ...

    async def templates_page(self, query: TemplateQuery, *, page: PageRequest, scope: Scope) -> Page[CouponTemplate]:
        """A page of templates, the newest first."""
        ...

    async def templates_of(
        self, campaign_ids: Sequence[CampaignId], *, page: PageRequest, scope: Scope
    ) -> Mapping[CampaignId, Page[CouponTemplate]]:
        """The same page of each campaign's templates, the newest first."""
        ...

    async def stocks_left(self, template_ids: Sequence[TemplateId]) -> Mapping[TemplateId, StockLeft]:
        """What is left of each at this moment, by the database's clock."""
        ...

    async def stocks(self, template_ids: Sequence[TemplateId]) -> Mapping[TemplateId, Stock]:
        """What is left of these templates, from PostgreSQL. Public as the templates that it is asked through."""
        ...

    async def claim_standings(
        self, template_ids: Sequence[TemplateId], *, member_id: MemberId | None, scope: Scope
    ) -> Mapping[TemplateId, ClaimStanding]:
        """What is left of these templates, and what the member has of them."""
        ...

    async def coupons_by_key(self, keys: Sequence[CouponKey], *, scope: Scope) -> Mapping[CouponKey, Coupon]:
        """The coupons of these keys."""
        ...

    async def wallet_page(
        self,
        member_id: MemberId,
        *,
        query: WalletQuery,
        page: PageRequest,
        scope: Scope,
        names: frozenset[str] | None = None,
    ) -> Page[WalletEntry]:
        """A page of a wallet, ordered by expiry or by claim.

        `names` are those of a `WalletEntry` that will be looked at, `keys` among them where the page's keys will be;
        None: any. What is not named may not be there.
        """
        ...

    async def member_with_wallet(
        self,
        member_id: MemberId,
        *,
        query: WalletQuery,
        page: PageRequest,
        scope: Scope,
        names: frozenset[str] | None = None,
        personal: bool = True,
    ) -> MemberWithWallet | None:
        """A member and a page of its wallet in one read; `personal`: what is personal of the member may be asked for.

        None where there is no such member within the scope.
        """
        ...

    async def live_coupons(
        self, member_id: MemberId, *, merchant_id: MerchantId | None, limit: int, scope: Scope
    ) -> Sequence[Coupon]:
        """The claimed coupons that have not expired, soonest to expire first, at most so many."""
        ...

    async def facts_of_members(self, member_ids: Sequence[MemberId], *, scope: Scope) -> Mapping[MemberId, MemberFacts]:
        """What conditions of use ask of these members now; one whom the scope may not see is not in it."""
        ...

    async def wallet_counts(self, member_ids: Sequence[MemberId], *, scope: Scope) -> Mapping[MemberId, WalletCounts]:
        """The counts of these wallets; an empty wallet is not in it."""
        ...

    async def wallet_sequences(self, member_ids: Sequence[MemberId], *, scope: Scope) -> Mapping[MemberId, int]:
        """The last event of each of these wallets; one without events is not in it."""
        ...

    async def coupon_events(
        self, keys: Sequence[CouponKey], *, page: PageRequest, scope: Scope
    ) -> Mapping[CouponKey, Page[StoredEvent]]:
        """The same page of what happened to each coupon, in order."""
        ...


@dataclass(frozen=True, slots=True)
class RedemptionPermission:
    """What a redemption token says: this coupon may be redeemed before `expires_at`."""

    coupon: CouponKey
    expires_at: datetime


class RedemptionTokens(Protocol):
    """Signs what a member's phone shows and a till scans."""

    def sign(self, member_id: MemberId, coupon_id: CouponId, expires_at: datetime) -> str:
        """A token for this coupon of this member, valid before `expires_at`."""
        ...

    def read(self, token: str) -> RedemptionPermission | None:
        """What a token of ours permits, its time over or not; None for anything that is not a token of ours."""
        ...
