"""What is missing for an offer to act, and the one step that would mend it."""

from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from typing import Final

from domain.coupons.cart import Cart, CartLine
from domain.coupons.cart_predicates import STORE_STEP, channel_text, units_text
from domain.coupons.eligibility import Hint, Unlock
from domain.coupons.facts import Step
from domain.coupons.moment import Effect, Reach
from domain.coupons.offer import Offer, ThresholdBase
from domain.coupons.terms import OnLines, OnShipping
from domain.shared.money import SAFE_INT_MAX, Money

CONDITIONS: Final = "conditions"
# What buying more goods in scope mends; the conditions too, where they ask for nothing else.
_MENDED_BY_SPENDING: Final = frozenset({"scope", "threshold", CONDITIONS})
_MENDED_BY_UNITS: Final = frozenset({"scope", "quantity"})


def lines_in_scope(offer: Offer, cart: Cart) -> list[CartLine]:
    """The lines that conditions count: those of the offer's scope, whatever its kind acts on."""
    return [line for line in cart.lines if offer.scope.holds_line(line, merchant_ids=offer.merchant_ids)]


def threshold_base(reach: Reach, *, effect: Effect) -> int:
    """The subtotal of the goods in scope that the threshold is held against, as the template says."""
    match reach.offer.threshold_base:
        case ThresholdBase.INITIAL:
            return reach.initial_minor
        case ThresholdBase.BEFORE_THIS:
            return reach.left_minor + reach.points_minor
        case ThresholdBase.AFTER_THIS:
            return reach.left_minor + reach.points_minor - sum(effect.lines_minor)


def shortfall(reach: Reach, *, effect: Effect) -> int | None:
    """How much more of goods in scope the threshold needs; None where it needs none, or no purchase would do."""
    required = reach.offer.coupon_kind.threshold(reach.offer.terms)
    lacking = required - threshold_base(reach, effect=effect)
    if lacking <= 0:
        return None
    if reach.offer.threshold_base is not ThresholdBase.AFTER_THIS:
        return lacking
    # Buying more may raise the discount too: find the least purchase after which enough is left to pay.
    enough = lacking
    while reach.left_minor + enough - _saving(reach, more_minor=enough) < required:
        enough *= 2
        if enough > SAFE_INT_MAX:
            return None
    too_little = lacking - 1
    while enough - too_little > 1:
        middle = (enough + too_little) // 2
        if reach.left_minor + middle - _saving(reach, more_minor=middle) < required:
            too_little = middle
        else:
            enough = middle
    return enough


def unlock(
    reach: Reach, *, failed: AbstractSet[str], shortfall_minor: int | None, at: datetime
) -> Unlock | Hint | None:
    """The cheapest single step after which the offer would act; None where one step is not enough."""
    step = _condition_step(reach, at=at) if CONDITIONS in failed else None
    if CONDITIONS in failed and step is None:
        return None
    if step is not None and step.text is not None:
        return Hint(step.text) if failed == {CONDITIONS} else None
    more_minor = max(shortfall_minor or 0, 0 if step is None else step.more_minor)
    if more_minor and failed <= _MENDED_BY_SPENDING:
        return _by_spending(reach, more_minor=more_minor, at=at)
    return _hint(reach, failed=failed)


def _condition_step(reach: Reach, *, at: datetime) -> Step | None:
    offer, cart = reach.offer, reach.moment.cart
    if offer.conditions is None:
        return None
    return offer.conditions.step(cart, lines=lines_in_scope(offer, cart), at=at, owner=offer.owner)


def _by_spending(reach: Reach, *, more_minor: int, at: datetime) -> Unlock | None:
    offer, cart = reach.offer, reach.moment.cart
    if offer.conditions is not None:
        lines = lines_in_scope(offer, cart)
        grown = offer.conditions.prove(cart, lines=lines, at=at, owner=offer.owner, more_minor=more_minor)
        if not grown.passed:
            return None
    saving = _saving(reach, more_minor=more_minor)
    if not 0 < saving <= SAFE_INT_MAX:
        return None
    return Unlock(more=Money(more_minor, offer.currency), saving=Money(saving, offer.currency))


def _hint(reach: Reach, *, failed: AbstractSet[str]) -> Hint | None:
    offer = reach.offer
    if failed == {"channel"}:
        return Hint(channel_text(tuple(sorted(offer.scope.channels, key=lambda channel: channel.value))))
    if failed == {"store"}:
        return Hint(STORE_STEP)
    if "quantity" in failed and failed <= _MENDED_BY_UNITS:
        return Hint(units_text(offer.coupon_kind.units(offer.terms) - reach.open_units))
    return None


def _saving(reach: Reach, *, more_minor: int) -> int:
    """What the offer would take off if `more_minor` of goods in scope were bought too."""
    basket = reach.basket
    grown = replace(basket, left_minor=basket.left_minor + more_minor, base_minor=basket.base_minor + more_minor)
    match reach.offer.coupon_kind.discount(reach.offer.terms, grown):
        case OnShipping(amount):
            return min(amount, basket.shipping_left_minor)
        case OnLines(amounts, _):
            return sum(min(amount, line.left_minor) for amount, line in zip(amounts, basket.lines, strict=True))
        case promise:
            return min(promise.amount_minor, grown.left_minor)
