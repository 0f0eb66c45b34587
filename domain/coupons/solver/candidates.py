"""Coupons made ready for the search: what can act at all, and what it takes off at a moment."""

from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Final

from domain.coupons.decision import Circumstances, is_in_scope, is_usable, own_checks
from domain.coupons.lanes import Lane
from domain.coupons.moment import Lines, Moment, Reach
from domain.coupons.offer import Offer, PercentBase
from domain.coupons.terms import AnyKind, Basket, OnLines, OnShipping, SumRule, UnitRule
from domain.shared.money import SAFE_INT_MAX

Sort = tuple[object, ...]
"""All that pricing knows of a coupon but its id and its period: two of one sort act alike."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A coupon that could act, with what of it the search asks for again and again.

    `view` numbers its set of lines, `initial_minor` is their undiscounted subtotal. `threshold_minor` is its threshold,
    `units` the open units that it needs; of its template an order takes `at_most`. `cap_minor` is what it takes off at
    most, whatever acts before; for a kind that acts on the basket's sum what it takes off now is a closer one, and
    `rule` says that from the sum of what is left.
    """

    offer: Offer
    sort: Sort
    kind: AnyKind
    lane: Lane
    view: int
    initial_minor: int
    threshold_minor: int
    units: int
    at_most: int
    cap_minor: int = SAFE_INT_MAX
    by_line: bool = False
    rule: SumRule | None = None
    unit_rule: UnitRule | None = None
    for_shipping: bool = False


@dataclass(frozen=True, slots=True)
class Sight:
    """What a moment looks like from one set of lines: what is left on them, and how much may be taken off in all."""

    moment: Moment
    places: tuple[int, ...]
    left_minor: int
    room_minor: int


def taken(candidate: Candidate, *, sight: Sight) -> int:
    """What the coupon takes off where nothing forbids it: the amount of its effect, not shared out over the lines."""
    if candidate.rule is not None:
        return min(candidate.rule.off(sight.left_minor), sight.left_minor, sight.room_minor)
    if candidate.units and sight.moment.open_units(sight.places) < candidate.units:
        return 0
    promise = candidate.kind.discount(candidate.offer.terms, _basket(candidate, sight=sight))
    match promise:
        case OnShipping(amount):
            return min(amount, sight.moment.shipping_left_minor, sight.room_minor)
        case OnLines(amounts):
            left = sight.moment.left_minor
            off = sum(min(amount, left[at]) for amount, at in zip(amounts, sight.places, strict=True))
            return min(off, sight.room_minor)
        case _:
            return min(promise.amount_minor, sight.left_minor, sight.room_minor)


def _basket(candidate: Candidate, *, sight: Sight) -> Basket:
    offer = candidate.offer
    return Basket(
        lines=Lines(sight.moment, sight.places),
        left_minor=sight.left_minor,
        base_minor=candidate.initial_minor if offer.percent_base is PercentBase.INITIAL else sight.left_minor,
        shipping_left_minor=sight.moment.shipping_left_minor,
        balance_minor=offer.balance_minor,
    )


_OF_ONE_COUPON: Final = frozenset({"coupon_id", "valid_from", "valid_until"})
_SORT: Final = attrgetter(*(field.name for field in fields(Offer) if field.name not in _OF_ONE_COUPON))


def sort_of(offer: Offer) -> Sort:
    """The coupon without its id and its period."""
    sort: Sort = _SORT(offer)
    return sort


class Scout:
    """Makes candidates for one cart; each sort of coupon is looked at once."""

    def __init__(self, start: Moment, circumstances: Circumstances) -> None:
        self._start = start
        self._circumstances = circumstances
        self._views: dict[tuple[int, ...], int] = {}
        self._known: dict[Sort, Candidate | None] = {}

    @property
    def views(self) -> tuple[tuple[int, ...], ...]:
        """The sets of lines that candidates act on, by their number."""
        return tuple(self._views)

    def candidate(self, offer: Offer) -> Candidate | None:
        """The coupon, made ready; None where it never acts, whatever does before it.

        That is so where it is not usable, where the whole cart misses its threshold, or where it can take nothing off.
        """
        circumstances = self._circumstances
        if not is_usable(offer, circumstances=circumstances):
            return None
        if offer.conditions is not None or circumstances.conditions:
            checks = own_checks(offer, cart=self._start.cart, circumstances=circumstances)
            if not all(check.passed for check in checks):
                return None
        sort = sort_of(offer)
        if sort not in self._known:
            self._known[sort] = self._first(offer, sort=sort)
        known = self._known[sort]
        return known if known is None or known.offer is offer else replace(known, offer=offer)

    def _first(self, offer: Offer, *, sort: Sort) -> Candidate | None:
        reach = Reach.of(offer, moment=self._start)
        kind, terms = offer.coupon_kind, offer.terms
        initial, threshold = reach.initial_minor, kind.threshold(terms)
        if initial < threshold or not is_in_scope(reach):
            return None
        candidate = Candidate(
            offer=offer,
            sort=sort,
            kind=kind,
            lane=offer.lane,
            view=self._views.setdefault(reach.places, len(self._views)),
            initial_minor=initial,
            threshold_minor=threshold,
            units=kind.units(terms),
            at_most=offer.stacking.max_per_order,
            rule=_rule_of(offer, initial_minor=initial),
        )
        return _capped(candidate, sight=Sight(self._start, reach.places, initial, self._start.room_minor))


def _capped(candidate: Candidate, *, sight: Sight) -> Candidate | None:
    """The candidate with the most that it ever takes off; None where that is nothing."""
    terms, kind = candidate.offer.terms, candidate.kind
    rule = candidate.rule
    by_line = for_shipping = False
    if rule is None:
        by_line, for_shipping = candidate.units > 0, False
        if not by_line:
            promise = kind.discount(terms, _basket(candidate, sight=sight))
            by_line, for_shipping = isinstance(promise, OnLines), isinstance(promise, OnShipping)
    if by_line and kind.most is not None:
        cap = min(kind.most(terms, _basket(candidate, sight=sight)), sight.left_minor, sight.room_minor)
    else:
        cap = taken(candidate, sight=sight)
    if not cap:
        return None
    unit_rule = None if kind.on_units is None else kind.on_units(terms)
    return replace(candidate, cap_minor=cap, by_line=by_line, for_shipping=for_shipping, unit_rule=unit_rule)


def _rule_of(offer: Offer, *, initial_minor: int) -> SumRule | None:
    """What it takes off a sum of what is left; a share of the undiscounted goods is an amount, whatever is left."""
    sums = offer.coupon_kind.sums
    if sums is None:
        return None
    rule = sums(offer.terms, offer.balance_minor)
    if rule.basis_points is not None and offer.percent_base is PercentBase.INITIAL:
        return SumRule(most_minor=rule.off(initial_minor))
    return rule
