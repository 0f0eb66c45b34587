"""Whether one offer acts at one moment of pricing, and the proof."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from domain.coupons.cart import Cart
from domain.coupons.eligibility import Eligibility, Predicate, Unlock, all_of
from domain.coupons.moment import Effect, Moment, Reach
from domain.coupons.offer import CouponState, Offer, ThresholdBase
from domain.coupons.terms import OnLines, OnShipping
from domain.shared.ids import CouponId
from domain.shared.money import SAFE_INT_MAX, Money, display_text

Condition = Callable[[Offer, Cart], Predicate]
"""A further condition on who may use a coupon, where and when; it answers with its own proof."""

# What buying more goods in scope mends; with anything else in the way there is no unlock to offer.
_MENDED_BY_BUYING: Final = frozenset({"scope", "threshold"})


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What decides besides the cart: the instant, the states in which a coupon may be used, and further conditions."""

    at: datetime
    usable_states: frozenset[CouponState]
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of an offer: its effect (None: it does not act), the proof, and the applied coupon in its way."""

    offer: Offer
    effect: Effect | None
    eligibility: Eligibility
    conflicts_with: CouponId | None = None


def own_checks(offer: Offer, *, cart: Cart, circumstances: Circumstances) -> Iterator[Predicate]:
    """The checks on the coupon itself: whatever else acts, they come out the same."""
    yield from _usability(offer, circumstances=circumstances)
    yield from _conditions(offer, cart=cart, circumstances=circumstances)


def decide(offer: Offer, *, moment: Moment, circumstances: Circumstances) -> Decision:
    """Decide one offer. One that would take nothing off does not act, so that it is not used up."""
    reach = Reach.of(offer, moment=moment)
    rival, stacking = _stacking(offer, applied=moment.applied)
    conditions = _conditions(offer, cart=moment.cart, circumstances=circumstances)
    gates = (*_usability(offer, circumstances=circumstances), *scope_checks(reach), *stacking, *conditions)
    if offer.currency != moment.cart.currency:
        # Amounts of another currency cannot be held against this cart: no threshold, no shortfall, no effect.
        return Decision(offer, None, Eligibility(eligible=False, because=all_of(*gates)), rival)
    effect = reach.effect
    checks = (*gates, *_threshold(reach, effect=effect))
    if all(check.passed for check in checks):
        checks = (*checks, _takes_something(effect.amount_minor, currency=offer.currency))
    because = all_of(*checks)
    if because.passed:
        return Decision(offer, effect, Eligibility(eligible=True, because=because))
    shortfall = _shortfall(reach, effect=effect)
    failed = {check.name for check in checks if not check.passed}
    unlock = _unlock(reach, more_minor=shortfall) if shortfall and failed <= _MENDED_BY_BUYING else None
    return Decision(
        offer, None, Eligibility(eligible=False, because=because, shortfall_minor=shortfall, unlock=unlock), rival
    )


def _conditions(offer: Offer, *, cart: Cart, circumstances: Circumstances) -> Iterator[Predicate]:
    """The template's conditions of use, and those that whoever prices adds."""
    if offer.conditions is not None:
        lines = [line for line in cart.lines if offer.scope.holds_line(line, merchant_ids=offer.merchant_ids)]
        yield offer.conditions.prove(cart, lines=lines, at=circumstances.at)
    yield from (condition(offer, cart) for condition in circumstances.conditions)


def _usability(offer: Offer, *, circumstances: Circumstances) -> Iterator[Predicate]:
    states, at = circumstances.usable_states, circumstances.at
    usable = " | ".join(sorted(state.value for state in states))
    yield Predicate("state", offer.state in states, usable, offer.state.value)
    period = f"{offer.valid_from.isoformat()} ≤ t < {offer.valid_until.isoformat()}"
    yield Predicate("validity", offer.valid_from <= at < offer.valid_until, period, at.isoformat())


def scope_checks(reach: Reach) -> Iterator[Predicate]:
    """The checks of place, channel and goods; of them the open units alone can become fewer as others act."""
    offer, cart = reach.offer, reach.moment.cart
    yield Predicate("currency", offer.currency == cart.currency, offer.currency, cart.currency)
    if offer.scope.channels:
        channels = " | ".join(sorted(channel.value for channel in offer.scope.channels))
        yield Predicate("channel", offer.scope.holds_channel(cart.channel), channels, cart.channel.value)
    if offer.scope.store_ids:
        stores = " | ".join(sorted(map(str, offer.scope.store_ids)))
        yield Predicate("store", offer.scope.holds_store(cart.store_id), stores, str(cart.store_id or "none"))
    yield Predicate("scope", bool(reach.places), "≥ 1 line", f"{len(reach.places)} of {len(cart.lines)} lines")
    if units := offer.coupon_kind.units(offer.terms):
        yield Predicate("quantity", reach.open_units >= units, f"≥ {units}", str(reach.open_units))


def _stacking(offer: Offer, *, applied: tuple[Offer, ...]) -> tuple[CouponId | None, tuple[Predicate, ...]]:
    """The first applied coupon that is in the way, and the proof for each rule."""
    mine = offer.stacking
    refusing = [other for other in applied if other.lane is offer.lane and not mine.combines_with(other.stacking)]
    grouped = [
        other for other in applied if mine.exclusive_group and other.stacking.exclusive_group == mine.exclusive_group
    ]
    same = [other for other in applied if other.template_id == offer.template_id]
    most = mine.max_per_order
    predicates = (
        Predicate("combines", not refusing, f"mutual consent in {offer.lane.value}", _first(refusing)),
        Predicate("exclusive_group", not grouped, mine.exclusive_group or "none", _first(grouped)),
        Predicate("max_per_order", len(same) < most, f"≤ {most}", str(len(same) + 1)),
    )
    rivals = refusing or grouped or (same if len(same) >= most else [])
    return (rivals[0].coupon_id if rivals else None), predicates


def _first(rivals: list[Offer]) -> str:
    return f"coupon {rivals[0].coupon_id}" if rivals else "free"


def _threshold(reach: Reach, *, effect: Effect) -> Iterator[Predicate]:
    required = reach.offer.coupon_kind.threshold(reach.offer.terms)
    if required:
        actual, currency = _threshold_base(reach, effect=effect), reach.offer.currency
        texts = f"≥ {display_text(Money(required, currency))}", display_text(Money(actual, currency))
        yield Predicate("threshold", actual >= required, *texts)


def _threshold_base(reach: Reach, *, effect: Effect) -> int:
    """The subtotal of the goods in scope that the threshold is held against, as the template says."""
    match reach.offer.threshold_base:
        case ThresholdBase.INITIAL:
            return reach.initial_minor
        case ThresholdBase.BEFORE_THIS:
            return reach.left_minor
        case ThresholdBase.AFTER_THIS:
            return reach.left_minor - sum(effect.lines_minor)


def _takes_something(amount_minor: int, *, currency: str) -> Predicate:
    least, actual = display_text(Money(0, currency)), display_text(Money(amount_minor, currency))
    return Predicate("effect", amount_minor > 0, f"> {least}", actual)


def _shortfall(reach: Reach, *, effect: Effect) -> int | None:
    """How much more of goods in scope the threshold needs; None where it needs none, or no purchase would do."""
    required = reach.offer.coupon_kind.threshold(reach.offer.terms)
    lacking = required - _threshold_base(reach, effect=effect)
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


def _unlock(reach: Reach, *, more_minor: int) -> Unlock | None:
    saving, currency = _saving(reach, more_minor=more_minor), reach.offer.currency
    if not 0 < saving <= SAFE_INT_MAX:
        return None
    return Unlock(more=Money(more_minor, currency), saving=Money(saving, currency))


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
