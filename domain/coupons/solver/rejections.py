"""Why the other coupons of a wallet are not in the best combination."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from domain.coupons.cart import Cart
from domain.coupons.decision import Circumstances, decide
from domain.coupons.eligibility import Eligibility, Predicate, all_of
from domain.coupons.moment import Moment
from domain.coupons.offer import Offer
from domain.coupons.pricing import PricingPolicy, RejectedOffer, price
from domain.shared.money import Money, display_text

MAX_EXPLAINED: Final = 60
"""How many coupons are explained; of more those that expire soonest."""


def rejections(
    cart: Cart,
    offers: Sequence[Offer],
    *,
    best: Sequence[Offer],
    policy: PricingPolicy,
    circumstances: Circumstances,
) -> tuple[RejectedOffer, ...]:
    """Each coupon that is not in the combination, with the proof, in pricing order.

    A coupon is held against all of the combination for what goes together, and for the amounts against what is left
    when its turn comes. One that nothing forbids is not in it because the member would not pay less.
    """
    in_use = {offer.coupon_id for offer in best}
    others = [offer for offer in offers if offer.coupon_id not in in_use]
    soonest = sorted(others, key=lambda offer: (offer.valid_until, offer.coupon_id))[:MAX_EXPLAINED]
    moments = _moments(cart, best, policy=policy, circumstances=circumstances)
    return tuple(
        _rejected(offer, moments=moments, best=best, policy=policy, circumstances=circumstances)
        for offer in sorted(soonest, key=lambda offer: offer.pricing_order)
    )


def _moments(cart: Cart, best: Sequence[Offer], *, policy: PricingPolicy, circumstances: Circumstances) -> list[Moment]:
    """The cart before the first coupon of the combination, and after each."""
    moments = [Moment.at_start(cart, min_payable_minor=policy.min_payable_minor)]
    for offer in best:
        effect = decide(offer, moment=moments[-1], circumstances=circumstances).effect
        assert effect is not None, "all coupons of a combination act"
        moments.append(moments[-1].after(offer, effect=effect))
    return moments


def _rejected(
    offer: Offer,
    *,
    moments: Sequence[Moment],
    best: Sequence[Offer],
    policy: PricingPolicy,
    circumstances: Circumstances,
) -> RejectedOffer:
    turn = sum(other.pricing_order < offer.pricing_order for other in best)
    decision = decide(offer, moment=replace(moments[turn], applied=tuple(best)), circumstances=circumstances)
    if decision.effect is None:
        return RejectedOffer(offer, decision.eligibility, decision.conflicts_with)
    cart, at, states = moments[0].cart, circumstances.at, circumstances.usable_states
    together = price(
        cart,
        [*best, offer],
        policy=policy,
        at=at,
        usable_states=states,
        conditions=circumstances.conditions,
    )
    last = moments[-1]
    saved = cart.total_minor - sum(last.left_minor) - last.shipping_left_minor
    required, actual = (display_text(Money(minor, cart.currency)) for minor in (saved, together.discount_minor))
    saves_more = Predicate("saves_more", passed=False, required=f"> {required}", actual=actual)
    because = all_of(*decision.eligibility.because.children, saves_more)
    return RejectedOffer(offer, Eligibility(eligible=False, because=because), None)
