"""Points as payment: how many of those that a member offers are used, and why no more."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.coupons.eligibility import Eligibility, Predicate, all_of
from domain.coupons.offer import Offer, PercentBase, ThresholdBase
from domain.coupons.pricing import Pricing, PricingPolicy
from domain.coupons.solver.answers import Optimality, OptimalityStatus, Solution
from domain.coupons.terms import Basket, OnShipping
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


def optimality_with_points(
    found: Solution, *, pricing: Pricing, offers: Sequence[Offer], points_minor: int, policy: PricingPolicy
) -> Optimality:
    """How good a combination that was searched for without points is with them.

    Whatever the coupons, they take no more off with points before some of them than without, and points `points_minor`
    at most: where both do, no combination leaves less to pay. Where they do not, what was found may be beaten by others
    that leave points and balances more to pay for, down to nothing but the shipping fee.
    """
    if not points_minor:
        return found.optimality
    if any(_is_helped_by_points(offer) for offer in offers):
        return _known_of_nothing(found, pricing=pricing, policy=policy)
    most_off_minor = found.best.saving_minor + found.optimality.gap_minor + points_minor + _rounding(pricing, offers)
    shipping_minor = pricing.shipping_minor - sum(one.amount_minor for one in pricing.shipping_allocations)
    acting = {one.offer.coupon_id for one in pricing.applied}
    if any(offer.coupon_id not in acting and _is_for_shipping(offer) for offer in offers):
        shipping_minor = 0
    total_minor = pricing.subtotal_minor + pricing.shipping_minor
    least_minor = max(total_minor - most_off_minor, shipping_minor, min(policy.min_payable_minor, total_minor))
    gap_minor = max(0, pricing.payable_minor - least_minor)
    status = OptimalityStatus.BOUNDED if gap_minor else OptimalityStatus.PROVEN
    return Optimality(status, found.optimality.explored, gap_minor)


def _is_helped_by_points(offer: Offer) -> bool:
    """Whether points before it may let it take more off.

    They leave it less to take, and a threshold that is held against what is left after it may hold for that very
    reason; a share of what the goods cost at first is not of what points have left.
    """
    if not offer.lane.is_after_points:
        return False
    after_this = offer.threshold_base is ThresholdBase.AFTER_THIS
    has_threshold = bool(offer.coupon_kind.threshold(offer.terms))
    return (after_this and has_threshold) or offer.percent_base is PercentBase.INITIAL


def _known_of_nothing(found: Solution, *, pricing: Pricing, policy: PricingPolicy) -> Optimality:
    """What is known where no bound holds: that nobody pays less than nothing."""
    total_minor = pricing.subtotal_minor + pricing.shipping_minor
    gap_minor = pricing.payable_minor - min(policy.min_payable_minor, total_minor)
    status = OptimalityStatus.BOUNDED if gap_minor > 0 else OptimalityStatus.PROVEN
    return Optimality(status, found.optimality.explored, max(0, gap_minor))


def _rounding(pricing: Pricing, offers: Sequence[Offer]) -> int:
    """By how much several coupons after points may take more off than without, since their parts are rounded anew."""
    return max(0, sum(offer.lane.is_after_points for offer in offers) - 1) * len(pricing.lines)


def _is_for_shipping(offer: Offer) -> bool:
    basket = Basket(lines=(), left_minor=0, base_minor=0, shipping_left_minor=1)
    return isinstance(offer.coupon_kind.discount(offer.terms, basket), OnShipping)
