"""What is missing for an offer to act, and the one step that would mend it.

A step is not told because of what it promises: it is carried out in thought, all coupons are priced again by the
functions that decide, and it is told when the coupon acts then. Of those that do, the cheapest is told: another place
costs nothing; then what is bought, by what it costs; then waiting, by how long; then orders, a birthday, a tier.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Final

from domain.coupons.checks import Circumstances, threshold_base
from domain.coupons.eligibility import Hint, Unlock
from domain.coupons.moment import Effect, Reach
from domain.coupons.offer import Offer, ThresholdBase
from domain.coupons.other_steps import another_place, another_standing, waiting
from domain.coupons.purchases import Purchases
from domain.coupons.terms import OnLines, OnShipping
from domain.coupons.trials import Trials
from domain.shared.money import SAFE_INT_MAX

CONDITIONS: Final = "conditions"
_PLACE: Final = frozenset({"channel", "store", CONDITIONS})
_GOODS: Final = frozenset({"scope", "quantity", "threshold", CONDITIONS})
_MENDABLE: Final = _PLACE | _GOODS


class Missing:
    """What one offer lacked when it was refused; worked out when it is asked for, and once.

    `failed` names the checks that it did not pass, `beside` the coupons that are priced with it.
    """

    def __init__(
        self,
        reach: Reach,
        *,
        effect: Effect,
        failed: frozenset[str],
        beside: Sequence[Offer],
        circumstances: Circumstances,
    ) -> None:
        self._reach = reach
        self._effect = effect
        self._failed = failed
        self._beside = beside
        self._circumstances = circumstances

    @cached_property
    def shortfall_minor(self) -> int | None:
        """How much more of goods in scope the threshold lacks; None where it lacks none, or no purchase would do.

        It is what the subtotal lacks which the threshold is held against. Where earlier offers act on what is bought
        too, more must be bought: the unlock says how much.
        """
        return shortfall(self._reach, effect=self._effect)

    @cached_property
    def unlock(self) -> Unlock | Hint | None:
        """The cheapest single step after which the offer acts; None where one step is not enough."""
        failed, reach = self._failed, self._reach
        if not failed <= _MENDABLE:
            return None
        trials = Trials(reach.offer, beside=self._beside, moment=reach.moment, circumstances=self._circumstances)
        if failed <= _PLACE and (place := another_place(trials)) is not None:
            return place
        if failed <= _GOODS:
            purchase = Purchases(trials, failed=failed, likely_minor=self.shortfall_minor or 0).cheapest()
            if purchase is not None:
                return purchase.told
        if failed == {CONDITIONS}:
            return waiting(trials) or another_standing(trials)
        return None


def shortfall(reach: Reach, *, effect: Effect) -> int | None:
    """How much more of goods in scope the threshold lacks; None where it lacks none, or no purchase would do."""
    required = reach.offer.coupon_kind.threshold(reach.offer.terms)
    lacking = required - threshold_base(reach, effect=effect)
    if lacking <= 0:
        return None
    if reach.offer.threshold_base is not ThresholdBase.AFTER_THIS:
        return lacking
    # Buying more may raise the discount too: find the least purchase after which enough is left to pay.
    goods = reach.left_minor + reach.points_minor
    enough = lacking
    while goods + enough - _saving(reach, more_minor=enough) < required:
        enough *= 2
        if enough > SAFE_INT_MAX:
            return None
    too_little = lacking - 1
    while enough - too_little > 1:
        middle = (enough + too_little) // 2
        if goods + middle - _saving(reach, more_minor=middle) < required:
            too_little = middle
        else:
            enough = middle
    return enough


def _saving(reach: Reach, *, more_minor: int) -> int:
    """What the offer would take off the goods if `more_minor` of them were bought too, and nothing else acted on it."""
    basket = reach.basket
    grown = replace(basket, left_minor=basket.left_minor + more_minor, base_minor=basket.base_minor + more_minor)
    match reach.offer.coupon_kind.discount(reach.offer.terms, grown):
        case OnShipping():
            return 0
        case OnLines(amounts, _):
            return sum(min(amount, line.left_minor) for amount, line in zip(amounts, basket.lines, strict=True))
        case promise:
            return min(promise.amount_minor, grown.left_minor)
