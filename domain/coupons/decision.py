"""Whether one offer acts at one moment of pricing, and the proof."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from domain.coupons.cart import Cart
from domain.coupons.eligibility import Eligibility, Predicate, all_of
from domain.coupons.moment import Effect, Moment, Reach
from domain.coupons.offer import CouponState, Offer
from domain.coupons.unlocks import lines_in_scope, shortfall, threshold_base, unlock
from domain.shared.ids import CouponId
from domain.shared.money import Money, display_text

Condition = Callable[[Offer, Cart], Predicate | None]
"""A further condition on who may use a coupon, where and when; it answers with its own proof, None: it asks nothing."""


Admit = Callable[[Offer, Effect], Predicate | None]
"""Asked of a coupon that would act, after those before it: the proof that it may not; None: it may, and counts now."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What decides besides the cart: the instant, the states in which a coupon may be used, and further conditions."""

    at: datetime
    usable_states: frozenset[CouponState]
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of an offer: its effect (None: it does not act). Why is worked out when it is asked for.

    `not_admitted` is why one does not act that nothing else forbids.
    """

    offer: Offer
    effect: Effect | None
    moment: Moment = field(compare=False, repr=False)
    circumstances: Circumstances = field(compare=False, repr=False)
    not_admitted: Predicate | None = None

    def proof(self) -> "Proof":
        """Why it acts or does not."""
        proof = _prove(self.offer, moment=self.moment, circumstances=self.circumstances)
        acts = self.effect is not None or self.not_admitted is not None
        assert proof.eligibility.eligible is acts, "what is decided is what is proven"
        if self.not_admitted is None:
            return proof
        because = all_of(*proof.eligibility.because.children, self.not_admitted)
        return Proof(Eligibility(eligible=False, because=because))


@dataclass(frozen=True, slots=True)
class Proof:
    """Why an offer acts or does not, and the applied coupon in its way."""

    eligibility: Eligibility
    conflicts_with: CouponId | None = None


def is_usable(offer: Offer, *, circumstances: Circumstances) -> bool:
    """Whether the coupon is in such a state and its time is now: what `_usability` proves."""
    return offer.state in circumstances.usable_states and offer.valid_from <= circumstances.at < offer.valid_until


def meets_conditions(offer: Offer, *, cart: Cart, circumstances: Circumstances) -> bool:
    """Whether the template's conditions of use hold, and those that whoever prices adds."""
    if offer.conditions is None and not circumstances.conditions:
        return True
    return all(check.passed for check in _conditions(offer, cart=cart, circumstances=circumstances))


def own_checks(offer: Offer, *, cart: Cart, circumstances: Circumstances) -> Iterator[Predicate]:
    """The checks on the coupon itself: whatever else acts, they come out the same."""
    yield from _usability(offer, circumstances=circumstances)
    yield from _conditions(offer, cart=cart, circumstances=circumstances)


def decide(offer: Offer, *, moment: Moment, circumstances: Circumstances) -> Decision:
    """Decide one offer. One that would take nothing off does not act, so that it is not used up."""
    return Decision(offer, _effect(offer, moment=moment, circumstances=circumstances), moment, circumstances)


def _effect(offer: Offer, *, moment: Moment, circumstances: Circumstances) -> Effect | None:
    """What the offer takes off; None where a check forbids it. The checks are those of the proof, without its words."""
    if not is_usable(offer, circumstances=circumstances) or not _may_join(offer, applied=moment.applied):
        return None
    reach = Reach.of(offer, moment=moment)
    if not is_in_scope(reach):
        return None
    if not meets_conditions(offer, cart=moment.cart, circumstances=circumstances):
        return None
    effect, required = reach.effect, offer.coupon_kind.threshold(offer.terms)
    if required and threshold_base(reach, effect=effect) < required:
        return None
    return effect if effect.amount_minor else None


def _may_join(offer: Offer, *, applied: tuple[Offer, ...]) -> bool:
    """Whether the offer goes together with those that act already: what `_stacking` proves."""
    mine, lane, same = offer.stacking, offer.lane, 0
    for other in applied:
        theirs = other.stacking
        if not mine.combines_with(theirs) and other.lane is lane:
            return False
        if mine.exclusive_group and theirs.exclusive_group == mine.exclusive_group:
            return False
        same += other.template_id == offer.template_id
    return same < mine.max_per_order


def _prove(offer: Offer, *, moment: Moment, circumstances: Circumstances) -> Proof:
    reach = Reach.of(offer, moment=moment)
    rival, stacking = _stacking(offer, applied=moment.applied)
    conditions = _conditions(offer, cart=moment.cart, circumstances=circumstances)
    gates = (*_usability(offer, circumstances=circumstances), *scope_checks(reach), *stacking, *conditions)
    if offer.currency != moment.cart.currency:
        # Amounts of another currency cannot be held against this cart: no threshold, no shortfall, no effect.
        return Proof(Eligibility(eligible=False, because=all_of(*gates)), rival)
    effect = reach.effect
    checks = (*gates, *_threshold(reach, effect=effect))
    if all(check.passed for check in checks):
        checks = (*checks, _takes_something(effect.amount_minor, currency=offer.currency))
    because = all_of(*checks)
    if because.passed:
        return Proof(Eligibility(eligible=True, because=because))
    lacking = shortfall(reach, effect=effect)
    failed = {check.name for check in checks if not check.passed}
    step = unlock(reach, failed=failed, shortfall_minor=lacking, at=circumstances.at)
    return Proof(Eligibility(eligible=False, because=because, shortfall_minor=lacking, unlock=step), rival)


def _conditions(offer: Offer, *, cart: Cart, circumstances: Circumstances) -> Iterator[Predicate]:
    """The template's conditions of use, and those that whoever prices adds."""
    if offer.conditions is not None:
        lines = lines_in_scope(offer, cart)
        yield offer.conditions.prove(cart, lines=lines, at=circumstances.at, owner=offer.owner)
    yield from (found for condition in circumstances.conditions if (found := condition(offer, cart)) is not None)


def _usability(offer: Offer, *, circumstances: Circumstances) -> Iterator[Predicate]:
    states, at = circumstances.usable_states, circumstances.at
    usable = " | ".join(sorted(state.value for state in states))
    yield Predicate("state", offer.state in states, usable, offer.state.value)
    period = f"{offer.valid_from.isoformat()} ≤ t < {offer.valid_until.isoformat()}"
    yield Predicate("validity", offer.valid_from <= at < offer.valid_until, period, at.isoformat())


def is_in_scope(reach: Reach) -> bool:
    """Whether place, channel and goods are right: what `scope_checks` proves."""
    offer, cart = reach.offer, reach.moment.cart
    units = offer.coupon_kind.units(offer.terms)
    return (
        offer.currency == cart.currency
        and offer.scope.holds_channel(cart.channel)
        and offer.scope.holds_store(cart.store_id)
        and bool(reach.places)
        and (not units or reach.open_units >= units)
    )


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
        actual, currency = threshold_base(reach, effect=effect), reach.offer.currency
        texts = f"≥ {display_text(Money(required, currency))}", display_text(Money(actual, currency))
        yield Predicate("threshold", actual >= required, *texts)


def _takes_something(amount_minor: int, *, currency: str) -> Predicate:
    least, actual = display_text(Money(0, currency)), display_text(Money(amount_minor, currency))
    return Predicate("effect", amount_minor > 0, f"> {least}", actual)
