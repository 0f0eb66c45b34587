"""Tiers 会员等级: up at once, down only when the time for which a tier was earned is over."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from itertools import pairwise
from typing import Final
from uuid import UUID

from domain.shared.ids import TierId
from domain.shared.text import Text


class BenefitKind(Enum):
    """What a tier gives."""

    POINTS_MULTIPLIER = "POINTS_MULTIPLIER"
    MEMBER_PRICE = "MEMBER_PRICE"
    FREE_SHIPPING = "FREE_SHIPPING"
    EXCLUSIVE_COUPON = "EXCLUSIVE_COUPON"
    PRIORITY_SERVICE = "PRIORITY_SERVICE"
    BIRTHDAY_GIFT = "BIRTHDAY_GIFT"


@dataclass(frozen=True, slots=True)
class Benefit:
    """One benefit; `bonus_basis_points` are what a POINTS_MULTIPLIER adds (2000: 1.2 times the points)."""

    kind: BenefitKind
    headline: Text
    bonus_basis_points: int = 0


@dataclass(frozen=True, slots=True)
class Tier:
    """A tier and the metric from which it is earned. Ranks count from 0."""

    id: TierId
    code: str
    name: Text
    rank: int
    threshold: int
    benefits: tuple[Benefit, ...]

    @property
    def bonus_basis_points(self) -> int:
        """What the tier adds to earned points."""
        return max((benefit.bonus_basis_points for benefit in self.benefits), default=0)


class Downgrade(Enum):
    """How far a tier falls when its time is over: one level, or to what the metric earns now."""

    ONE_LEVEL = "ONE_LEVEL"
    REASSESS = "REASSESS"


@dataclass(frozen=True, slots=True)
class TierProgramme:
    """The tiers, from the lowest up, and their times in days.

    The metric counts `window_days`, today included; a tier is kept for `keep_days` from the day on which it was earned,
    and `grace_days` more before it falls.
    """

    tiers: tuple[Tier, ...]
    window_days: int = 365
    keep_days: int = 365
    grace_days: int = 0
    downgrade: Downgrade = Downgrade.REASSESS

    def __post_init__(self) -> None:
        """Refuse tiers that leave a metric without a tier, or that are out of order."""
        if (
            not self.tiers
            or self.tiers[0].threshold != 0
            or [tier.rank for tier in self.tiers] != [*range(len(self.tiers))]
        ):
            raise ValueError("the lowest tier is rank 0 at threshold 0, and ranks count up")
        if any(lower.threshold >= higher.threshold for lower, higher in pairwise(self.tiers)):
            raise ValueError("a higher tier has a higher threshold")
        if min(self.window_days, self.keep_days) < 1 or self.grace_days < 0:
            raise ValueError("a window and a keep are one day at least")

    @property
    def lowest(self) -> Tier:
        """Where every member starts."""
        return self.tiers[0]

    def tier_for(self, metric: int) -> Tier:
        """The highest tier that a metric earns."""
        return max(
            (tier for tier in self.tiers if tier.threshold <= metric), key=lambda tier: tier.rank, default=self.lowest
        )

    def next_after(self, tier: Tier) -> Tier | None:
        """The tier above, if there is one."""
        return self.tiers[tier.rank + 1] if tier.rank + 1 < len(self.tiers) else None

    def metric(self, by_day: Mapping[date, int], *, today: date) -> int:
        """What was earned in the window that ends today; returns are negative buckets, and it never goes below zero."""
        first = today - timedelta(days=self.window_days - 1)
        return max(0, sum(amount for day, amount in by_day.items() if first <= day <= today))


@dataclass(frozen=True, slots=True)
class TierStanding:
    """A member's tier, and the first day on which it may fall; the lowest tier is kept for ever (None)."""

    tier: Tier
    keep_until: date | None = None


@dataclass(frozen=True, slots=True)
class TierStatus:
    """What a member is shown: the tier, the metric, and the way to the next tier."""

    standing: TierStanding
    metric: int
    next: Tier | None
    to_next: int | None


def assess(standing: TierStanding, *, metric: int, today: date, programme: TierProgramme) -> TierStanding:
    """Where a member stands with this metric today.

    A higher tier is given at once, with a new keep from today. A lower metric changes nothing before `keep_until` and
    its grace are over; then the tier is renewed if it is still earned, and otherwise falls by the programme's policy.
    """
    earned = programme.tier_for(metric)
    if earned.rank > standing.tier.rank:
        return TierStanding(earned, today + timedelta(days=programme.keep_days))
    while standing.keep_until is not None and today >= standing.keep_until + timedelta(days=programme.grace_days):
        standing = _after_keep(standing, keep_until=standing.keep_until, earned=earned, programme=programme)
    return standing


def _after_keep(standing: TierStanding, *, keep_until: date, earned: Tier, programme: TierProgramme) -> TierStanding:
    tier = standing.tier
    if earned.rank < tier.rank:
        tier = programme.tiers[tier.rank - 1] if programme.downgrade is Downgrade.ONE_LEVEL else earned
    if tier is programme.lowest:
        return TierStanding(tier)
    return TierStanding(tier, keep_until + timedelta(days=programme.keep_days))


def status(standing: TierStanding, *, metric: int, programme: TierProgramme) -> TierStatus:
    """What a member is shown of a standing."""
    above = programme.next_after(standing.tier)
    return TierStatus(standing, metric, above, None if above is None else max(0, above.threshold - metric))


def _multiplier(bonus_basis_points: int) -> Benefit:
    whole, rest = divmod(10_000 + bonus_basis_points, 10_000)
    times = f"{whole}.{rest:04d}".rstrip("0").rstrip(".")
    return Benefit(BenefitKind.POINTS_MULTIPLIER, Text(f"{times}倍积分", f"{times}x points"), bonus_basis_points)


_BIRTHDAY: Final = Benefit(BenefitKind.BIRTHDAY_GIFT, Text("生日礼", "A birthday gift"))
_SHIPPING: Final = Benefit(BenefitKind.FREE_SHIPPING, Text("包邮", "Free shipping"))
_COUPONS: Final = Benefit(BenefitKind.EXCLUSIVE_COUPON, Text("专享优惠券", "Coupons for this tier only"))
_PRICES: Final = Benefit(BenefitKind.MEMBER_PRICE, Text("会员价", "Member prices"))
_SERVICE: Final = Benefit(BenefitKind.PRIORITY_SERVICE, Text("优先客服", "Priority service"))


def _tier(rank: int, code: str, *, name: Text, threshold: int, benefits: tuple[Benefit, ...]) -> Tier:
    # Fixed identities: a tier is the same tier in every installation and after every restart.
    return Tier(TierId(UUID(int=(0x7149 << 112) + rank)), code, name, rank, threshold, benefits)


DEFAULT_PROGRAMME: Final = TierProgramme(
    tiers=(
        _tier(0, "BRONZE", name=Text("青铜会员", "Bronze"), threshold=0, benefits=(_BIRTHDAY,)),
        _tier(
            1,
            "SILVER",
            name=Text("白银会员", "Silver"),
            threshold=1000,
            benefits=(_multiplier(1000), _PRICES, _BIRTHDAY),
        ),
        _tier(
            2,
            "GOLD",
            name=Text("黄金会员", "Gold"),
            threshold=5000,
            benefits=(_multiplier(2000), _PRICES, _COUPONS, _SHIPPING, _BIRTHDAY),
        ),
        _tier(
            3,
            "PLATINUM",
            name=Text("铂金会员", "Platinum"),
            threshold=20_000,
            benefits=(_multiplier(5000), _PRICES, _COUPONS, _SHIPPING, _SERVICE, _BIRTHDAY),
        ),
    )
)
"""Four tiers by the points earned in the last 365 days, at one point per yuan."""
