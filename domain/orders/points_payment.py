"""Points as payment: how many of those that a member offers are used, and why no more."""

from dataclasses import dataclass

from domain.coupons.eligibility import Eligibility, Predicate, all_of
from domain.coupons.pricing import Pricing
from domain.points.policy import PointsPolicy
from domain.shared.money import Money, display_text


@dataclass(frozen=True, slots=True)
class PointsOffered:
    """Points that the member wants to pay with, and what the account says: what is available, what is owed."""

    asked: int
    available: int
    debt: int = 0

    def most_minor(self, *, currency: str, points_currency: str, policy: PointsPolicy) -> int:
        """What they pay at most: nothing in a foreign currency, nothing while points are owed."""
        if self.debt or currency != points_currency:
            return 0
        return policy.worth.minor_of(max(0, min(self.asked, self.available)))


@dataclass(frozen=True, slots=True)
class PointsUsed:
    """How many points pay, and the proof: it fails where not all that were asked for are used."""

    points: int
    decision: Eligibility


def points_used(
    offered: PointsOffered, *, pricing: Pricing, points_currency: str, policy: PointsPolicy, least_minor: int = 0
) -> PointsUsed:
    """The points that pay what pricing let them: the least that do. `least_minor` is what must be left to pay."""
    used, currency = policy.worth.points_for(pricing.points_minor), pricing.currency
    fee_minor = pricing.shipping_minor - sum(one.amount_minor for one in pricing.shipping_allocations)
    kept_minor = max(0, least_minor - fee_minor)
    goods_minor = max(0, sum(line.payable_minor for line in pricing.lines) + pricing.points_minor - kept_minor)
    worth_minor = policy.worth.minor_of(offered.asked)
    texts = [display_text(Money(minor, currency)) for minor in (worth_minor, goods_minor)]
    because = all_of(
        Predicate("currency", currency == points_currency, points_currency, currency),
        Predicate("debt", not offered.debt, "0", str(offered.debt)),
        Predicate("available", offered.available >= offered.asked, f"≥ {offered.asked}", str(offered.available)),
        Predicate("payable", goods_minor >= worth_minor, f"≥ {texts[0]}", texts[1]),
    )
    return PointsUsed(used, Eligibility(because.passed, because))
