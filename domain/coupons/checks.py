"""What is asked of one offer at one moment of pricing: quickly, for an answer, and with a proof, for a reader."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from domain.coupons.cart import Cart, CartLine
from domain.coupons.eligibility import Predicate
from domain.coupons.moment import Effect, Moment, Reach
from domain.coupons.offer import MAX_COUPONS_PER_ORDER, CouponState, Offer, ThresholdBase
from domain.shared.money import Money, display_text

Condition = Callable[[Offer, Cart], Predicate | None]
"""A further condition on who may use a coupon, where and when; it answers with its own proof, None: it asks nothing."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """A coupon takes off `most_minor` at most of the `full_minor` that it would, and why; 0: it may not act."""

    most_minor: int
    full_minor: int
    because: Predicate

    @property
    def forbids(self) -> bool:
        """Whether it may not act."""
        return self.most_minor <= 0


Admit = Callable[[Offer, Effect], Ruling | None]
"""Asked of a coupon that would act, after those before it: why not, or only in part; None: it may. It counts now."""


def admit_all() -> Admit:
    """Where nothing is limited that coupons share."""
    return lambda _offer, _effect: None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What decides besides the cart: the instant, the states in which a coupon may be used, and further conditions.

    `admission` begins to count what coupons share, for one pricing.
    """

    at: datetime
    usable_states: frozenset[CouponState]
    conditions: tuple[Condition, ...] = ()
    admission: Callable[[], Admit] = admit_all


def effect_of(offer: Offer, *, moment: Moment, circumstances: Circumstances) -> Effect | None:
    """What the offer takes off; None where a check forbids it. The checks are those of the proof, without its words."""
    if not is_usable(offer, circumstances=circumstances) or not may_join(offer, applied=moment.applied):
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


def admitted(
    offer: Offer, effect: Effect | None, *, moment: Moment, admit: Admit | None
) -> tuple[Effect | None, Ruling | None]:
    """What an effect comes to where it is held against what coupons share, and the ruling where it is less."""
    ruling = None if admit is None or effect is None else admit(offer, effect)
    if ruling is None:
        return effect, None
    return None if ruling.forbids else Reach.of(offer, moment=moment).within(ruling.most_minor), ruling


def gates(reach: Reach, *, circumstances: Circumstances) -> Iterator[Predicate]:
    """All that is asked before the amounts are looked at."""
    yield from usability_checks(reach.offer, circumstances=circumstances)
    yield from scope_checks(reach)
    yield from stacking_checks(reach.offer, applied=reach.moment.applied)
    yield from condition_checks(reach.offer, cart=reach.moment.cart, circumstances=circumstances)


def own_checks(offer: Offer, *, cart: Cart, circumstances: Circumstances) -> Iterator[Predicate]:
    """The checks on the coupon itself: whatever else acts, they come out the same."""
    yield from usability_checks(offer, circumstances=circumstances)
    yield from condition_checks(offer, cart=cart, circumstances=circumstances)


def is_usable(offer: Offer, *, circumstances: Circumstances) -> bool:
    """Whether the coupon is in such a state and its time is now: what `usability_checks` proves."""
    return offer.state in circumstances.usable_states and offer.valid_from <= circumstances.at < offer.valid_until


def meets_conditions(offer: Offer, *, cart: Cart, circumstances: Circumstances) -> bool:
    """Whether the conditions hold that `condition_checks` proves."""
    if offer.conditions is None and not circumstances.conditions:
        return True
    return all(check.passed for check in condition_checks(offer, cart=cart, circumstances=circumstances))


def usability_checks(offer: Offer, *, circumstances: Circumstances) -> Iterator[Predicate]:
    """The checks of state and validity."""
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


def may_join(offer: Offer, *, applied: tuple[Offer, ...]) -> bool:
    """Whether the offer goes together with those that act already: what `stacking_checks` proves."""
    mine, lane, same = offer.stacking, offer.lane, 0
    if len(applied) >= MAX_COUPONS_PER_ORDER:
        return False
    for other in applied:
        theirs = other.stacking
        if not mine.combines_with(theirs) and other.lane is lane:
            return False
        if mine.exclusive_group and theirs.exclusive_group == mine.exclusive_group:
            return False
        same += other.template_id == offer.template_id
    return same < mine.max_per_order


def rivals(offer: Offer, *, applied: tuple[Offer, ...]) -> list[Offer]:
    """The applied offers that are in the way: of the first rule that they break."""
    same = _same(offer, applied=applied)
    return (
        _refusing(offer, applied=applied)
        or _grouped(offer, applied=applied)
        or (same if len(same) >= offer.stacking.max_per_order else [])
    )


def stacking_checks(offer: Offer, *, applied: tuple[Offer, ...]) -> Iterator[Predicate]:
    """The checks of what goes together."""
    mine, most = offer.stacking, offer.stacking.max_per_order
    refusing, grouped = _refusing(offer, applied=applied), _grouped(offer, applied=applied)
    same = len(_same(offer, applied=applied))
    yield Predicate("combines", not refusing, f"mutual consent in {offer.lane.value}", _first(refusing))
    yield Predicate("exclusive_group", not grouped, mine.exclusive_group or "none", _first(grouped))
    yield Predicate("max_per_order", same < most, f"≤ {most}", str(same + 1))
    if len(applied) >= MAX_COUPONS_PER_ORDER:
        yield Predicate(
            "coupons_per_order", passed=False, required=f"≤ {MAX_COUPONS_PER_ORDER}", actual=str(len(applied) + 1)
        )


def _refusing(offer: Offer, *, applied: tuple[Offer, ...]) -> list[Offer]:
    mine = offer.stacking
    return [other for other in applied if other.lane is offer.lane and not mine.combines_with(other.stacking)]


def _grouped(offer: Offer, *, applied: tuple[Offer, ...]) -> list[Offer]:
    group = offer.stacking.exclusive_group
    return [other for other in applied if group and other.stacking.exclusive_group == group]


def _same(offer: Offer, *, applied: tuple[Offer, ...]) -> list[Offer]:
    return [other for other in applied if other.template_id == offer.template_id]


def _first(rivals: list[Offer]) -> str:
    return f"coupon {rivals[0].coupon_id}" if rivals else "free"


def condition_checks(offer: Offer, *, cart: Cart, circumstances: Circumstances) -> Iterator[Predicate]:
    """The template's conditions of use, and those that whoever prices adds."""
    if offer.conditions is not None:
        lines = lines_in_scope(offer, cart)
        yield offer.conditions.prove(cart, lines=lines, at=circumstances.at, owner=offer.owner)
    yield from (found for condition in circumstances.conditions if (found := condition(offer, cart)) is not None)


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


def threshold_checks(reach: Reach, *, effect: Effect) -> Iterator[Predicate]:
    """The check of the threshold, of a kind that has one."""
    required = reach.offer.coupon_kind.threshold(reach.offer.terms)
    if required:
        actual, currency = threshold_base(reach, effect=effect), reach.offer.currency
        texts = f"≥ {display_text(Money(required, currency))}", display_text(Money(actual, currency))
        yield Predicate("threshold", actual >= required, *texts)


def takes_something(amount_minor: int, *, currency: str) -> Predicate:
    """The check that it takes anything off."""
    least, actual = display_text(Money(0, currency)), display_text(Money(amount_minor, currency))
    return Predicate("effect", amount_minor > 0, f"> {least}", actual)
