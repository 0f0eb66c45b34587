"""Templates 券模板, what is published, and coupons 用户券, what a member owns."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from domain.campaigns.model import CampaignState, RemainderPolicy
from domain.coupons.cart import Scope
from domain.coupons.conditions import Conditions
from domain.coupons.facts import Owner
from domain.coupons.kinds import KINDS
from domain.coupons.lanes import Lane
from domain.coupons.offer import CouponState, FunderShare, Offer, PercentBase, Stacking, ThresholdBase, lane_of
from domain.coupons.terms import AnyKind, Term, Terms
from domain.shared.ids import CampaignId, CouponId, MemberId, MerchantId, TemplateId
from domain.shared.text import Text
from domain.shared.time import Interval, end_of_validity

# Crockford's base 32: no I, L, O, U, so that a code survives being read aloud and typed.
_CODE_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# Ten bits at a time.
_PAIRS: Final = tuple(a + b for a in _CODE_ALPHABET for b in _CODE_ALPHABET)


class TemplateState(Enum):
    """A draft is its managers' alone; once published a template never changes."""

    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"


class RefundPolicy(Enum):
    """What a partial refund does to a discount: lines keep their parts, the rest is priced anew, or a debt is noted."""

    KEEP_ALLOCATION = "KEEP_ALLOCATION"
    REPRICE = "REPRICE"
    CLAWBACK = "CLAWBACK"


class CouponOrder(Enum):
    """How a wallet is listed."""

    EXPIRES_SOONEST = "EXPIRES_SOONEST"
    CLAIMED_LATEST = "CLAIMED_LATEST"
    BEST_VALUE = "BEST_VALUE"


class WalletChange(Enum):
    """What happened to a coupon: the kinds of a wallet's events."""

    CLAIMED = "CLAIMED"
    RESERVED = "RESERVED"
    RELEASED = "RELEASED"
    REDEEMED = "REDEEMED"
    RESTORED = "RESTORED"
    EXPIRED = "EXPIRED"
    VOIDED = "VOIDED"


@dataclass(frozen=True, slots=True)
class Validity:
    """When a coupon may be used: a half-open period, or so many days of the programme with the day of the claim."""

    period: Interval | None
    days_after_claim: int | None

    def of_claim(self, claimed_at: datetime, *, zone: ZoneInfo) -> Interval:
        """The period of a coupon that was claimed then."""
        if self.period is not None:
            return self.period
        assert self.days_after_claim is not None, "a validity is one or the other"
        until = end_of_validity(claimed_at, days_after_claim=self.days_after_claim, zone=zone)
        return Interval(claimed_at, until)


@dataclass(frozen=True, slots=True)
class CouponTemplate:
    """What is published: terms, who bears them, when and how often they may be claimed.

    `merchant_id` is None for the platform's own. The claim window is half-open. Weeks begin on Monday; weeks and months
    are the programme's. `limit_per_member_in_campaign` is its campaign's, over all of the campaign's templates, and
    `budget_remainder` what its campaign says of a discount that is more than what the budget has left;
    `limit_per_store` bounds the uses in one store. Without `self_claim` its coupons are issued, exchanged for points or
    had for a code, and nobody claims one. `percent_base` is of kinds that take a share (`CouponKind.takes_share`).
    A coupon that comes back by the merchant's fault is valid for `merchant_fault_grace_days` at least, that day first.
    """

    id: TemplateId
    merchant_id: MerchantId | None
    campaign_id: CampaignId | None
    name: str
    state: TemplateState
    kind: str
    terms: Terms
    currency: str
    scope: Scope
    limit_per_member: int | None
    limit_per_member_per_day: int | None
    claim_opens_at: datetime
    claim_closes_at: datetime
    validity: Validity
    threshold_base: ThresholdBase
    stacking: Stacking
    funders: tuple[FunderShare, ...]
    refund_policy: RefundPolicy
    conditions: Conditions | None = None
    limit_per_member_per_week: int | None = None
    limit_per_member_per_month: int | None = None
    limit_per_member_in_campaign: int | None = None
    limit_per_store: int | None = None
    self_claim: bool = True
    percent_base: PercentBase = PercentBase.REMAINING
    merchant_fault_grace_days: int = 0
    budget_remainder: RemainderPolicy = RemainderPolicy.REJECT

    @property
    def counts_widely(self) -> bool:
        """Whether a claim is also decided by what the member has claimed this week, this month or in the campaign."""
        return (
            self.limit_per_member_per_week is not None
            or self.limit_per_member_per_month is not None
            or self.limit_per_member_in_campaign is not None
        )

    @property
    def asks_of_member(self) -> bool:
        """Whether its conditions of use ask something of the member."""
        return self.conditions is not None and self.conditions.asks_of_member

    @property
    def lane(self) -> Lane:
        """Where its coupons are priced."""
        return lane_of(self.stacking, kind=self.coupon_kind, merchant_id=self.merchant_id)

    @property
    def coupon_kind(self) -> AnyKind:
        """How its coupons take money off."""
        return KINDS[self.kind]

    @property
    def headline(self) -> Text:
        """What it says in a list: 满100减20."""
        return self.coupon_kind.headline(self.terms, self.currency)

    @property
    def term_list(self) -> tuple[Term, ...]:
        """Its terms for a reader."""
        return self.coupon_kind.terms_to_list(self.terms, currency=self.currency)


@dataclass(frozen=True, slots=True)
class Stock:
    """How many coupons a template has in all, and how many are left."""

    total: int
    remaining: int


@dataclass(frozen=True, slots=True)
class StockLeft:
    """How many coupons are left of a template, as read at an instant."""

    remaining: int
    read_at: datetime


@dataclass(frozen=True, slots=True)
class CampaignStanding:
    """What of a template's campaign decides claims: the state that it was put in, and its period `[starts, ends)`."""

    state: CampaignState
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class LockedTemplate:
    """A template whose stock nobody else can take from before this transaction ends, at the transaction's instant."""

    template: CouponTemplate
    campaign: CampaignStanding | None
    stock: Stock
    at: datetime


class ClaimedCount(NamedTuple):
    """What a member has of a template: all, those of the local day in question, and the highest ordinal.

    Those of the day's week (from Monday) and month, and of all templates of its campaign, are counted where a limit
    asks for it (`CouponTemplate.counts_widely`).
    """

    total: int = 0
    today: int = 0
    last_ordinal: int = 0
    this_week: int = 0
    this_month: int = 0
    in_campaign: int = 0


@dataclass(frozen=True, slots=True)
class ClaimStanding:
    """Where a member stands with a template at the instant of the read; for nobody, `claimed` is nothing."""

    stock: Stock
    claimed: ClaimedCount
    campaign: CampaignStanding | None
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Coupon:
    """What a member owns, with kind and terms as they stood when it was claimed.

    `ordinal` counts the member's coupons of the template from 1. `claimed_on` is the day in the programme's zone.
    `state` is that of the instant `read_at`: a coupon that nobody used in time reads as expired, swept or not.
    `balance_minor` is what is left on one that keeps a balance; None: it is used as a whole. `reserved_until` is there
    while an order holds it.
    """

    id: CouponId
    member_id: MemberId
    template_id: TemplateId
    merchant_id: MerchantId | None
    ordinal: int
    code: str
    state: CouponState
    kind: str
    terms: Terms
    claimed_at: datetime
    claimed_on: date
    valid_from: datetime
    valid_until: datetime
    read_at: datetime
    balance_minor: int | None = None
    reserved_until: datetime | None = None

    @property
    def was_held_too_long(self) -> bool:
        """Whether it is held for an order whose time for it is over: it is as free as its state says, but not moved."""
        return self.reserved_until is not None and self.reserved_until <= self.read_at

    @property
    def whole(self) -> "Coupon":
        """The coupon itself: as an entry of a list (`domain.coupons.entries`) it is all there."""
        return self

    @property
    def coupon_kind(self) -> AnyKind:
        """How it takes money off."""
        return KINDS[self.kind]

    def offer(self, template: CouponTemplate, *, owner: Owner | None = None) -> Offer:
        """The coupon as pricing sees it; `owner` where its conditions ask of the member."""
        assert template.id == self.template_id, "a coupon is priced by its own template"
        return Offer(
            coupon_id=self.id,
            template_id=self.template_id,
            kind=self.kind,
            terms=self.terms,
            currency=template.currency,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            state=self.state,
            merchant_id=self.merchant_id,
            scope=template.scope,
            stacking=template.stacking,
            threshold_base=template.threshold_base,
            percent_base=template.percent_base,
            funders=template.funders,
            balance_minor=self.balance_minor,
            conditions=template.conditions,
            owner=owner if template.asks_of_member else None,
        )


@dataclass(frozen=True, slots=True)
class Issue:
    """Coupons of one template and one instant, in columns: what they share is said once."""

    template: CouponTemplate
    claimed_at: datetime
    claimed_on: date
    period: Interval
    member_ids: list[MemberId] = field(default_factory=list)
    ids: list[CouponId] = field(default_factory=list)
    ordinals: list[int] = field(default_factory=list)

    def add(self, coupon_id: CouponId, *, member_id: MemberId, ordinal: int) -> None:
        """One more coupon."""
        self.ids.append(coupon_id)
        self.member_ids.append(member_id)
        self.ordinals.append(ordinal)

    def __len__(self) -> int:
        """How many coupons there are."""
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class CouponKey:
    """Names a coupon in its member's partition."""

    member_id: MemberId
    coupon_id: CouponId


@dataclass(frozen=True, slots=True)
class TemplateQuery:
    """Which templates a list shows; None does not restrict."""

    claimable_now: bool | None = None
    merchant_id: MerchantId | None = None
    campaign_id: CampaignId | None = None


@dataclass(frozen=True, slots=True)
class WalletQuery:
    """Which coupons of a wallet a list shows, in which order; None does not restrict."""

    states: frozenset[CouponState] | None = None
    merchant_id: MerchantId | None = None
    order: CouponOrder = CouponOrder.CLAIMED_LATEST


@dataclass(frozen=True, slots=True)
class WalletCounts:
    """How many coupons of each state a wallet holds; `expiring_soon` are claimed ones that expire within seven days."""

    claimed: int = 0
    reserved: int = 0
    redeemed: int = 0
    expired: int = 0
    expiring_soon: int = 0


EXPIRING_SOON_DAYS: Final = 7


@dataclass(frozen=True, slots=True)
class TemplateCreated:
    """The result of writing a draft."""

    template_id: TemplateId


@dataclass(frozen=True, slots=True)
class TemplatePublished:
    """The result of publishing a draft."""

    template_id: TemplateId


@dataclass(frozen=True, slots=True)
class CouponClaimed:
    """The result of a claim."""

    member_id: MemberId
    coupon_id: CouponId


def state_at(
    state: CouponState, *, valid_until: datetime, at: datetime, reserved_until: datetime | None = None
) -> CouponState:
    """The state that a coupon is in at an instant: one that was not used in time is expired, swept or not.

    One whose hold has run out is free again, and expired where its validity is over too.
    """
    if state is CouponState.RESERVED and reserved_until is not None and reserved_until <= at:
        state = CouponState.CLAIMED
    if state is CouponState.CLAIMED and valid_until <= at:
        return CouponState.EXPIRED
    return state


def code_of(coupon_id: CouponId) -> str:
    """What a person can read out: twelve characters made of the random end of the id (60 bits)."""
    n, pairs = coupon_id.int & 0xFFF_FFFF_FFFF_FFFF, _PAIRS
    return (
        f"{pairs[n & 1023]}{pairs[n >> 10 & 1023]}{pairs[n >> 20 & 1023]}"
        f"{pairs[n >> 30 & 1023]}{pairs[n >> 40 & 1023]}{pairs[n >> 50]}"
    )
