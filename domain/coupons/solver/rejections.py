"""Why the other coupons of a wallet are not in the best combination: worked out for each when it is asked for."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Final

from domain.coupons.cart import Cart
from domain.coupons.decision import Circumstances, Ruling, decide
from domain.coupons.eligibility import Eligibility, Predicate, all_of
from domain.coupons.moment import Effect, Moment
from domain.coupons.offer import Offer
from domain.coupons.pricing import Pricing, PricingPolicy, RejectedOffer, price
from domain.shared.ids import CouponId
from domain.shared.money import Money, display_text

MAX_EXPLAINED: Final = 60
"""How many coupons are explained; of more those that expire soonest."""


class Rejection:
    """A coupon that is not in the combination; why is worked out when it is asked for, and once."""

    def __init__(self, offer: Offer, *, best: "_Best") -> None:
        self.offer = offer
        self._best = best

    @property
    def coupon_id(self) -> CouponId:
        """The coupon."""
        return self.offer.coupon_id

    @property
    def eligibility(self) -> Eligibility:
        """Why not, and what would help."""
        return self._decided.eligibility

    @property
    def conflicts_with(self) -> CouponId | None:
        """The coupon of the combination that is in its way."""
        return self._decided.conflicts_with

    @cached_property
    def _decided(self) -> RejectedOffer:
        return self._best.reject(self.offer)


def rejections(
    cart: Cart,
    offers: Sequence[Offer],
    *,
    best: Sequence[Offer],
    policy: PricingPolicy,
    circumstances: Circumstances,
    points_minor: int = 0,
    start: Moment | None = None,
) -> tuple[Rejection, ...]:
    """Each coupon that is not in the combination, with the proof, in pricing order.

    A coupon is held against all of the combination for what goes together, and for the amounts against what is left
    when its turn comes. One that nothing forbids, what coupons share included, is not in it because the member would
    not pay less; or because the search ended before it came to it.
    """
    in_use = {offer.coupon_id for offer in best}
    others = [offer for offer in offers if offer.coupon_id not in in_use]
    if len(others) > MAX_EXPLAINED:
        others = sorted(others, key=lambda offer: (offer.valid_until, offer.coupon_id))[:MAX_EXPLAINED]
    start = start or Moment.at_start(cart, min_payable_minor=policy.min_payable_minor)
    found = _Best(start, best, policy=policy, circumstances=circumstances, points_minor=points_minor)
    return tuple(Rejection(offer, best=found) for offer in sorted(others, key=lambda offer: offer.pricing_order))


class _Best:
    """The combination, with what every other coupon is held against."""

    def __init__(
        self,
        start: Moment,
        offers: Sequence[Offer],
        *,
        policy: PricingPolicy,
        circumstances: Circumstances,
        points_minor: int,
    ) -> None:
        self._start = start
        self._offers = offers
        self._policy = policy
        self._circumstances = circumstances
        self._points_minor = points_minor

    def reject(self, offer: Offer) -> RejectedOffer:
        """Why the coupon is not in the combination."""
        mine = offer.pricing_order
        turn = sum(order < mine for order in self._orders)
        moment = self._moments[turn]
        if offer.lane.is_after_points:
            moment = moment.paid_with_points(0 if moment.points_minor else self._points_minor)
        decision = decide(offer, moment=replace(moment, applied=tuple(self._offers)), circumstances=self._circumstances)
        proof = decision.proof()
        if decision.effect is None:
            return RejectedOffer(offer, proof.eligibility, proof.conflicts_with)
        because = all_of(*proof.eligibility.because.children, self._failing(offer))
        return RejectedOffer(offer, Eligibility(eligible=False, because=because), None)

    def _failing(self, offer: Offer) -> Predicate:
        """What is to be said of a coupon that nothing of its own forbids, of what it and the combination come to."""
        refused: list[Predicate] = []
        together = self._priced([*self._offers, offer], refused=refused)
        paid = [one.subtotal_minor + one.shipping_minor - one.payable_minor for one in (self._pricing, together)]
        if paid[1] > paid[0]:
            # The time ran out: how much more there may be is in the gap.
            return Predicate("searched", passed=False, required="all combinations", actual="until the time ran out")
        if refused:
            # What is limited is not enough for all of them, whoever has it first.
            return refused[0]
        required, actual = (display_text(Money(minor, together.currency)) for minor in paid)
        return Predicate("saves_more", passed=False, required=f"> {required}", actual=actual)

    @cached_property
    def _orders(self) -> Sequence[tuple[int, int, str]]:
        """When each of the combination is priced."""
        return [offer.pricing_order for offer in self._offers]

    @cached_property
    def _pricing(self) -> Pricing:
        return self._priced(self._offers, refused=[])

    def _priced(self, offers: Sequence[Offer], *, refused: list[Predicate]) -> Pricing:
        admit = self._circumstances.admission()

        def noting(offer: Offer, effect: Effect) -> Ruling | None:
            found = admit(offer, effect)
            if found is not None and found.forbids:
                refused.append(found.because)
            return found

        return price(
            self._start.cart,
            offers,
            policy=self._policy,
            at=self._circumstances.at,
            usable_states=self._circumstances.usable_states,
            conditions=self._circumstances.conditions,
            admission=lambda: noting,
            points_minor=self._points_minor,
            start=self._start,
        )

    @cached_property
    def _moments(self) -> Sequence[Moment]:
        """The cart before the first coupon of the combination, and after each."""
        moment, admit = self._start, self._circumstances.admission()
        moments = [moment]
        for offer in self._offers:
            if offer.lane.is_after_points and not moment.points_minor:
                moment = moment.paid_with_points(self._points_minor)
            effect = decide(offer, moment=moment, circumstances=self._circumstances, admit=admit).effect
            assert effect is not None, "all coupons of a combination act"
            moment = moment.after(offer, effect=effect)
            moments.append(moment)
        return moments
