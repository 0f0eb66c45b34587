"""Refusals of the orders slice. Those that other slices share are in `domain.shared.errors`."""

from dataclasses import dataclass
from datetime import date, datetime

from domain.coupons.eligibility import Eligibility
from domain.coupons.model import CouponKey
from domain.coupons.offer import CouponState, Funder
from domain.orders.model import Quote
from domain.shared.errors import Refusal
from domain.shared.ids import CampaignId, MemberId


class Lapsed(Exception):
    """A reservation of this member is held though its time is over: nothing was decided, it is to be given up first."""

    def __init__(self, member_id: MemberId) -> None:
        super().__init__("a reservation's time is over")
        self.member_id = member_id


class LapsedBudget(Exception):
    """A campaign's budget is held by reservations whose time is over: nothing was decided, they are given up first.

    `exhausted` is what to say where that cannot be done.
    """

    def __init__(self, campaign_id: CampaignId, exhausted: "BudgetExhausted") -> None:
        super().__init__("reservations of a campaign have run out")
        self.campaign_id = campaign_id
        self.exhausted = exhausted


class OnlyRestLeft(Exception):
    """A campaign's budget covers a part of a discount at most: nothing was decided, it is to be tried with the rest."""


@dataclass(eq=False)
class RedemptionCodeExpired(Refusal):
    """The code that was scanned is too old; the member's phone shows a new one."""

    expired_at: datetime


@dataclass(eq=False)
class RedemptionCodeUsed(Refusal):
    """The code was scanned for another order: each is good for one. The member's phone shows a new one."""


@dataclass(eq=False)
class ScanTimeRefused(Refusal):
    """A till says that it scanned the code at a time at which that cannot have been."""

    scanned_at: datetime
    earliest: datetime
    latest: datetime


@dataclass(eq=False)
class OfflineLimitReached(Refusal):
    """As much as a store may redeem without a network on one day was accepted of it; amounts in minor units.

    `per_till`: as much as one of its tills may, of that till.
    """

    on_date: date
    max_count: int
    max_minor: int
    currency: str
    per_till: bool = False


@dataclass(eq=False)
class CouponNotUsable(Refusal):
    """The coupon is not in a state in which it can be used: it was used, is held for another order, or was voided."""

    state: CouponState


@dataclass(eq=False)
class CouponExpired(Refusal):
    """The coupon's validity is over."""

    expired_at: datetime


@dataclass(eq=False)
class NotEligible(Refusal):
    """The coupon does not act on this cart; the proof, whose amounts are of `currency`, says why."""

    eligibility: Eligibility
    currency: str


@dataclass(eq=False)
class BudgetExhausted(Refusal):
    """What is left of the campaign's budget does not cover the discount, in minor units of `currency`.

    `funder` is whose limit it is; None: that of all of them.
    """

    required_minor: int
    currency: str
    funder: Funder | None = None


@dataclass(eq=False)
class StackingConflict(Refusal):
    """Two of the coupons do not go together; the proof, whose amounts are of `currency`, says why."""

    coupon: CouponKey
    conflicts_with: CouponKey
    eligibility: Eligibility
    currency: str


@dataclass(eq=False)
class QuoteChanged(Refusal):
    """The price is not the one that the member was shown; `quote` is the one of now."""

    quote: Quote


@dataclass(eq=False)
class ReservationExpired(Refusal):
    """The reservation has run out and what it held was taken: the order must be priced anew."""

    expired_at: datetime


@dataclass(eq=False)
class RefundExceedsOrder(Refusal):
    """More is to be refunded than is left: units of this line, or of the order at all (`line_id` None)."""

    line_id: str | None
    requested: int | None
    remaining: int
