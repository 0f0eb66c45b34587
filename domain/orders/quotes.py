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
from domain.coupons.solver.answers import Budget, Combination
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
from domain.orders.points_payment import PointsOffered, points_used
from domain.orders.room import AMPLE, Gate, Room
from domain.orders.rules import cart_hash
from domain.points.policy import PointsPolicy
from domain.shared.ids import MemberId

QUOTE_VALID_FOR: Final = timedelta(minutes=15)


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
    offers = [one.offer for one in held]
    gate = Gate(room, held, offers=offers)
    pricing = price(
        cart,
        offers,
        policy=buyer.pricing,
        at=at,
        conditions=gate.conditions,
        admission=gate.admission,
        points_minor=_points_minor(points, cart=cart, buyer=buyer, points_policy=points_policy),
    )
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

    As far as the budget goes it is proven; the answer says how far. `room` and `points` are part of what is searched.
    The price is that of the same function as ever.
    """
    offers = [one.offer for one in held]
    gate = Gate(room, held, offers=offers)
    start = Moment.at_start(cart, min_payable_minor=buyer.pricing.min_payable_minor)
    conditions, points_minor = (
        gate.conditions,
        _points_minor(points, cart=cart, buyer=buyer, points_policy=points_policy),
    )
    found = solve(
        cart,
        offers,
        policy=buyer.pricing,
        at=at,
        budget=budget,
        conditions=conditions,
        limits=gate.limits,
        points_minor=points_minor,
        start=start,
    )
    pricing = price(
        cart,
        found.best.offers,
        policy=buyer.pricing,
        at=at,
        conditions=conditions,
        admission=gate.admission,
        points_minor=points_minor,
        start=start,
    )
    searched, total_minor = (found.best.saving_minor, found.best.points_minor), cart.total_minor
    assert (pricing.discount_minor, pricing.points_minor) == searched, "the search and the pricing agree"
    return BestQuote(
        quote=_quote(
            replace(pricing, not_applied=()),
            cart=cart,
            buyer=buyer,
            points_policy=points_policy,
            at=at,
            points=points,
        ),
        optimality=found.optimality,
        alternatives=tuple(_combination(one, total_minor=total_minor) for one in found.alternatives),
        not_applied=rejections(
            cart,
            offers,
            best=found.best.offers,
            policy=buyer.pricing,
            circumstances=Circumstances(at, frozenset({CouponState.CLAIMED}), conditions, gate.admission),
            points_minor=points_minor,
            start=start,
        ),
    )


def _combination(one: Combination, *, total_minor: int) -> FoundCombination:
    coupon_ids = tuple(offer.coupon_id for offer in one.offers)
    return FoundCombination(coupon_ids, one.saving_minor, total_minor - one.saving_minor - one.points_minor)


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
        applied=tuple(
            AppliedCoupon(o.offer.coupon_id, o.amount_minor, o.shares, o, o.full_minor) for o in pricing.applied
        ),
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
            cart.store_id,
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
