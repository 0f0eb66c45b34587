"""Refusals of the orders slice. Those that other slices share are in `domain.shared.errors`."""

from dataclasses import dataclass
from datetime import datetime

from domain.coupons.eligibility import Eligibility
from domain.coupons.offer import CouponState
from domain.shared.errors import Refusal


@dataclass(eq=False)
class RedemptionCodeExpired(Refusal):
    """The code that was scanned is too old; the member's phone shows a new one."""

    expired_at: datetime


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
    """What is left of the campaign's budget does not cover the discount, in minor units of `currency`."""

    required_minor: int
    currency: str


@dataclass(eq=False)
class RefundExceedsOrder(Refusal):
    """More is to be refunded than is left: units of this line, or of the order at all (`line_id` None)."""

    line_id: str | None
    requested: int | None
    remaining: int
