"""Whether one offer acts at one moment of pricing, and the proof."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from domain.coupons.checks import (
    Admit,
    Circumstances,
    Condition,
    Ruling,
    admitted,
    effect_of,
    gates,
    is_in_scope,
    is_usable,
    meets_conditions,
    own_checks,
    rivals,
    scope_checks,
    takes_something,
    threshold_checks,
)
from domain.coupons.eligibility import Eligibility, all_of
from domain.coupons.moment import Effect, Moment, Reach
from domain.coupons.offer import Offer
from domain.coupons.unlocks import Missing
from domain.shared.ids import CouponId

__all__ = [
    "Admit",
    "Circumstances",
    "Condition",
    "Decision",
    "Proof",
    "Ruling",
    "decide",
    "is_in_scope",
    "is_usable",
    "meets_conditions",
    "own_checks",
    "scope_checks",
]


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of an offer: its effect (None: it does not act). Why is worked out when it is asked for.

    `ruling` is why one does not act that nothing else forbids, or takes less off than it would.
    """

    offer: Offer
    effect: Effect | None
    moment: Moment = field(compare=False, repr=False)
    circumstances: Circumstances = field(compare=False, repr=False)
    beside: Sequence[Offer] = field(compare=False, repr=False)
    ruling: Ruling | None = None

    @property
    def full_minor(self) -> int | None:
        """What it would take off, where it takes less; None: all of it, or nothing."""
        return None if self.ruling is None or self.ruling.forbids else self.ruling.full_minor

    def proof(self) -> "Proof":
        """Why it acts or does not."""
        proof = _prove(self)
        acts = self.effect is not None or self.ruling is not None
        assert proof.eligibility.eligible is acts, "what is decided is what is proven"
        if self.ruling is None:
            return proof
        because = all_of(*proof.eligibility.because.children, self.ruling.because)
        return Proof(Eligibility(eligible=not self.ruling.forbids, because=because))


@dataclass(frozen=True, slots=True)
class Proof:
    """Why an offer acts or does not, and the applied coupon in its way."""

    eligibility: Eligibility
    conflicts_with: CouponId | None = None


def decide(
    offer: Offer,
    *,
    moment: Moment,
    circumstances: Circumstances,
    beside: Sequence[Offer] | None = None,
    admit: Admit | None = None,
) -> Decision:
    """Decide one offer. One that would take nothing off does not act, so that it is not used up.

    `beside` are the coupons that are priced with it, which a step that would help it is tried with; unless told, those
    that act already. `admit` has counted what those before it share with it; None: that is not asked.
    """
    effect = effect_of(offer, moment=moment, circumstances=circumstances)
    taken, ruling = admitted(offer, effect, moment=moment, admit=admit)
    together = moment.applied if beside is None else beside
    return Decision(offer, taken, moment, circumstances, together, ruling)


def _prove(decision: Decision) -> Proof:
    offer, moment, circumstances = decision.offer, decision.moment, decision.circumstances
    reach = Reach.of(offer, moment=moment)
    in_the_way = rivals(offer, applied=moment.applied)
    rival = in_the_way[0].coupon_id if in_the_way else None
    checks = tuple(gates(reach, circumstances=circumstances))
    if offer.currency != moment.cart.currency:
        # Amounts of another currency cannot be held against this cart: no threshold, no shortfall, no effect.
        return Proof(Eligibility(eligible=False, because=all_of(*checks)), rival)
    effect = reach.effect
    checks = (*checks, *threshold_checks(reach, effect=effect))
    if all(check.passed for check in checks):
        checks = (*checks, takes_something(effect.amount_minor, currency=offer.currency))
    because = all_of(*checks)
    if because.passed:
        return Proof(Eligibility(eligible=True, because=because))
    missing = Missing(
        reach,
        effect=effect,
        failed=frozenset(check.name for check in checks if not check.passed),
        beside=decision.beside,
        circumstances=circumstances,
    )
    return Proof(Eligibility(eligible=False, because=because, remedy=missing), rival)
