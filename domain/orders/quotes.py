"""What a cart costs a member. One function makes the quote that is shown and the one that is redeemed by."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from domain.coupons.cart import Cart
from domain.coupons.decision import Circumstances
from domain.coupons.moment import Moment
from domain.coupons.offer import CouponState
from domain.coupons.pricing import PricedLine, Pricing, PricingPolicy, price
from domain.coupons.solver.answers import Budget, Combination, Optimality, OptimalityStatus, Solution
from domain.coupons.solver.rejections import rejections
from domain.coupons.solver.search import solve
from domain.coupons.wallet import PLAIN_POLICY, HeldCoupon
from domain.orders.model import (
    AppliedCoupon,
    BestQuote,
    FoundCombination,
    Quote,
    QuotedLine,
    QuoteTerms,
    RejectedCoupon,
)
from domain.orders.points_payment import PointsOffered, optimality_with_points, points_used
from domain.orders.room import AMPLE, Gate, Room
from domain.orders.rules import cart_hash
from domain.points.policy import PointsPolicy
from domain.shared.ids import MemberId

QUOTE_VALID_FOR: Final = timedelta(minutes=15)
MAX_COUPONS_IN_QUOTE: Final = 20


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who pays, by what rules: the member, what its tier adds to points, and the currency that these are earned in."""

    member_id: MemberId
    bonus_basis_points: int
    points_currency: str
    pricing: PricingPolicy = PLAIN_POLICY


def make_quote(
    cart: Cart,
    held: Sequence[HeldCoupon],
    *,
    buyer: Buyer,
    points_policy: PointsPolicy,
    at: datetime,
    points: PointsOffered | None = None,
    room: Room = AMPLE,
) -> Quote:
    """The cart priced with exactly these coupons at that instant; raises CartError for a coupon named twice.

    Of the `points` that are offered those are used that the goods leave something to pay for. `room` is what shared
    limits and budgets have left; whoever takes from them under their locks needs none here.
    """
    most_minor = _points_minor(points, cart=cart, buyer=buyer, points_policy=points_policy)
    gate, offers = Gate(room, held), [one.offer for one in held]
    while True:
        pricing = price(cart, offers, policy=buyer.pricing, at=at, conditions=gate.conditions, points_minor=most_minor)
        if not gate.bar_beyond(pricing.applied, currency=cart.currency, at_once=False):
            break
    return _quote(pricing, cart=cart, buyer=buyer, points_policy=points_policy, at=at, points=points)


def make_best_quote(
    cart: Cart,
    held: Sequence[HeldCoupon],
    *,
    buyer: Buyer,
    points_policy: PointsPolicy,
    at: datetime,
    budget: Budget,
    points: PointsOffered | None = None,
    room: Room = AMPLE,
) -> BestQuote:
    """The cart priced with the combination of these coupons that leaves the member paying least.

    As far as the budget goes it is proven; the answer says how far. The price is that of the same function as ever.
    Where `room` does not allow what was found, the search goes on without the coupon that finds none; what remains is
    measured against the first bound, which knew of no such limit. Once the budget is spent nothing is searched again:
    all that find no room are left out at once.
    """
    offers, gate = [one.offer for one in held], Gate(room, held)
    most_minor = _points_minor(points, cart=cart, buyer=buyer, points_policy=points_policy)
    start = Moment.at_start(cart, min_payable_minor=buyer.pricing.min_payable_minor)
    most_saving_minor, explored = 0, 0
    found: Solution | None = None
    while True:
        conditions = gate.conditions
        is_late = found is not None and budget.is_spent(explored=explored)
        if found is None or not is_late:
            found = solve(cart, offers, policy=buyer.pricing, at=at, budget=budget, conditions=conditions, start=start)
            explored += found.optimality.explored
        else:  # There is no time to search again: the same combination, without those that found no room.
            plain = price(cart, found.best.offers, policy=buyer.pricing, at=at, conditions=conditions, start=start)
            acting = tuple(one.offer for one in plain.applied)
            found = replace(found, best=Combination(acting, plain.discount_minor))
        most_saving_minor = most_saving_minor or found.best.saving_minor + found.optimality.gap_minor
        pricing = price(
            cart,
            found.best.offers,
            policy=buyer.pricing,
            at=at,
            conditions=conditions,
            points_minor=most_minor,
            start=start,
        )
        if not gate.bar_beyond(pricing.applied, currency=cart.currency, at_once=is_late):
            break
    assert most_minor or pricing.discount_minor == found.best.saving_minor, "the search and the pricing agree"
    found = _held_against(found, most_saving_minor=most_saving_minor, explored=explored)
    circumstances = Circumstances(at, frozenset({CouponState.CLAIMED}), conditions)
    return BestQuote(
        quote=_quote(
            replace(pricing, not_applied=()),
            cart=cart,
            buyer=buyer,
            points_policy=points_policy,
            at=at,
            points=points,
        ),
        optimality=optimality_with_points(
            found, pricing=pricing, offers=offers, points_minor=most_minor, policy=buyer.pricing
        ),
        alternatives=tuple(
            _combination(one, cart=cart, at=at, points_minor=most_minor, policy=buyer.pricing)
            for one in found.alternatives
        ),
        not_applied=rejections(
            cart,
            offers,
            best=[one.offer for one in pricing.applied],
            policy=buyer.pricing,
            circumstances=circumstances,
            points_minor=most_minor,
            start=start,
        ),
    )


def _held_against(found: Solution, *, most_saving_minor: int, explored: int) -> Solution:
    """What was found at last, with the gap to what was thought possible at first."""
    gap_minor = most_saving_minor - found.best.saving_minor
    status = OptimalityStatus.BOUNDED if gap_minor else OptimalityStatus.PROVEN
    return replace(found, optimality=Optimality(status, explored, gap_minor))


def _combination(
    one: Combination, *, cart: Cart, at: datetime, points_minor: int, policy: PricingPolicy
) -> FoundCombination:
    coupon_ids = tuple(offer.coupon_id for offer in one.offers)
    if not points_minor:
        return FoundCombination(coupon_ids, one.saving_minor, cart.total_minor - one.saving_minor)
    pricing = price(cart, one.offers, policy=policy, at=at, points_minor=points_minor)
    coupon_ids = tuple(applied.offer.coupon_id for applied in pricing.applied)
    return FoundCombination(coupon_ids, pricing.discount_minor, pricing.payable_minor)


def _points_minor(points: PointsOffered | None, *, cart: Cart, buyer: Buyer, points_policy: PointsPolicy) -> int:
    if points is None:
        return 0
    return points.most_minor(currency=cart.currency, points_currency=buyer.points_currency, policy=points_policy)


def _quote(
    pricing: Pricing,
    *,
    cart: Cart,
    buyer: Buyer,
    points_policy: PointsPolicy,
    at: datetime,
    points: PointsOffered | None,
) -> Quote:
    rate, used = points_policy.rate, None
    if points is not None:
        used = points_used(
            points,
            pricing=pricing,
            points_currency=buyer.points_currency,
            policy=points_policy,
            least_minor=buyer.pricing.min_payable_minor,
        )
    return Quote(
        member_id=buyer.member_id,
        currency=pricing.currency,
        lines=tuple(_quoted(line) for line in pricing.lines),
        shipping_minor=pricing.shipping_minor,
        shipping_allocations=pricing.shipping_allocations,
        applied=tuple(AppliedCoupon(o.offer.coupon_id, o.amount_minor, o.shares) for o in pricing.applied),
        not_applied=tuple(
            RejectedCoupon(o.offer.coupon_id, o.eligibility, o.conflicts_with) for o in pricing.not_applied
        ),
        points_earned=points_for(pricing, buyer=buyer, points_policy=points_policy),
        # No longer than the coupons that it counts on.
        valid_until=min([at + QUOTE_VALID_FOR, *(o.offer.valid_until for o in pricing.applied)]),
        cart_hash=cart_hash(cart),
        terms=QuoteTerms(
            cart.channel,
            at,
            rate.points,
            rate.per_minor,
            buyer.bonus_basis_points,
            buyer.pricing.min_payable_minor,
        ),
        points_used=0 if used is None else used.points,
        points_decision=None if used is None else used.decision,
    )


def points_for(pricing: Pricing, *, buyer: Buyer, points_policy: PointsPolicy) -> int:
    """Points for the money that is really paid for goods: no shipping, no coupons; none in a foreign currency."""
    if pricing.currency != buyer.points_currency:
        return 0
    paid_minor = sum(line.payable_minor for line in pricing.lines)
    return points_policy.rate.points_for(paid_minor, bonus_basis_points=[buyer.bonus_basis_points])


def _quoted(priced: PricedLine) -> QuotedLine:
    return QuotedLine(
        priced.line.id, priced.line.quantity, priced.subtotal_minor, priced.allocations, priced.points_minor
    )
