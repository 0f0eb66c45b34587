"""Coupons made ready for the search: what can act at all, and by what rule."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from operator import attrgetter
from types import MappingProxyType
from typing import Final

from domain.coupons.decision import Circumstances, is_in_scope, is_usable, meets_conditions
from domain.coupons.lanes import Lane
from domain.coupons.moment import Moment, Reach
from domain.coupons.offer import Offer, PercentBase, ThresholdBase
from domain.coupons.solver.purses import NO_PURSE, Purse
from domain.coupons.solver.unit_prices import UnitPrices
from domain.coupons.terms import OnLines, OnShipping, SumRule, UnitRule
from domain.shared.allocation import WHOLE_BASIS_POINTS
from domain.shared.ids import CouponId, TemplateId


class How(Enum):
    """What a discount looks at: a sum of lines, the shipping fee, units, or it is not known what."""

    SUM = "SUM"
    FEE = "FEE"
    UNITS = "UNITS"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a search must keep to besides the coupons' own terms.

    `at_most` of a template may be used where that is fewer than an order takes; `purse_of` says what a coupon's
    discount is paid from where that is limited.
    """

    at_most: Mapping[TemplateId, int] = field(default_factory=lambda: MappingProxyType({}))
    purse_of: Mapping[CouponId, Purse] = field(default_factory=lambda: MappingProxyType({}))


UNLIMITED: Final = Limits()


@dataclass(slots=True, eq=False)
class Candidate:
    """A coupon that could act, with what of it the search asks for again and again.

    `sort` is one number for all that differ in id and period alone, `template` one for each template; `order` is when
    it is priced. `view` numbers its set of lines, `places`; `initial_minor` is their undiscounted subtotal.
    `threshold_minor` is 0 too where it is held against that. Of its template an order takes `at_most`. `cap_minor` is
    what it takes off at most, whatever acts before, `alone_minor` what it does where nothing has. One of the sort SUM
    takes a `share` of what is left (in basis points, half up; 0: none), `flat_minor` at most, or that amount.
    """

    offer: Offer
    sort: int
    template: int
    order: tuple[int, int, str]
    lane: Lane
    how: How
    view: int
    places: tuple[int, ...]
    initial_minor: int
    threshold_minor: int
    after_this: bool
    at_most: int
    purse: Purse
    cap_minor: int = 0
    alone_minor: int = 0
    share: int = 0
    flat_minor: int | None = None
    units: int = 0
    unit_rule: UnitRule | None = None

    def off(self, left_minor: int) -> int:
        """What one of the sort SUM takes off where so much is left."""
        if not self.share:
            return min(self.flat_minor or 0, left_minor)
        off = (2 * left_minor * self.share + WHOLE_BASIS_POINTS) // (2 * WHOLE_BASIS_POINTS)
        return off if self.flat_minor is None or off < self.flat_minor else self.flat_minor


_OF_ONE_COUPON: Final = frozenset({"coupon_id", "valid_from", "valid_until"})
_SORT: Final = attrgetter(*(one.name for one in fields(Offer) if one.name not in _OF_ONE_COUPON))


class Scout:
    """Makes candidates for one cart; each sort of coupon is looked at once."""

    def __init__(self, start: Moment, *, circumstances: Circumstances, limits: Limits) -> None:
        self._start = start
        self._circumstances = circumstances
        self._limits = limits
        self._views: dict[tuple[int, ...], int] = {}
        self._prices: dict[int, UnitPrices] = {}
        self._known: dict[TemplateId, tuple[int, list[tuple[Offer, Candidate | None]]]] = {}
        self._sorts = 0

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
        if not meets_conditions(offer, cart=self._start.cart, circumstances=circumstances):
            return None
        template, of_template = self._known.setdefault(offer.template_id, (len(self._known), []))
        for like, known in of_template:
            if _SORT(like) == _SORT(offer) and self._purse(like) == self._purse(offer):
                return None if known is None else replace(known, offer=offer, order=offer.pricing_order)
        found = self._first(offer, template=template)
        of_template.append((offer, found))
        return found

    def _purse(self, offer: Offer) -> Purse:
        return NO_PURSE if self._limits is UNLIMITED else self._limits.purse_of.get(offer.coupon_id, NO_PURSE)

    def _first(self, offer: Offer, *, template: int) -> Candidate | None:
        reach = Reach.of(offer, moment=self._start)
        kind, terms = offer.coupon_kind, offer.terms
        initial, threshold = reach.left_minor, kind.threshold(terms)
        at_most = offer.stacking.max_per_order
        if self._limits is not UNLIMITED:
            at_most = min(at_most, self._limits.at_most.get(offer.template_id, at_most))
        if initial < threshold or at_most < 1 or not is_in_scope(reach):
            return None
        self._sorts += 1
        candidate = Candidate(
            offer=offer,
            sort=self._sorts,
            template=template,
            order=offer.pricing_order,
            lane=offer.lane,
            how=How.SUM,
            view=self._views.setdefault(reach.places, len(self._views)),
            places=reach.places,
            initial_minor=initial,
            threshold_minor=0 if offer.threshold_base is ThresholdBase.INITIAL else threshold,
            after_this=offer.threshold_base is ThresholdBase.AFTER_THIS,
            at_most=at_most,
            purse=self._purse(offer),
            units=kind.units(terms),
        )
        self._learn_how(candidate, reach=reach)
        candidate.cap_minor = min(candidate.cap_minor, self._start.room_minor)
        candidate.alone_minor = min(candidate.alone_minor or candidate.cap_minor, candidate.cap_minor)
        return candidate if candidate.cap_minor else None

    def _learn_how(self, candidate: Candidate, *, reach: Reach) -> None:
        """By what rule it acts, and the most that it ever takes off."""
        offer, kind = candidate.offer, candidate.offer.coupon_kind
        if kind.sums is not None:
            sums = _rule_of(offer, initial_minor=candidate.initial_minor)
            candidate.share, candidate.flat_minor = sums.basis_points or 0, sums.most_minor
            candidate.cap_minor = candidate.off(candidate.initial_minor)
        elif kind.on_units is not None:
            rule = kind.on_units(offer.terms)
            is_one = rule.cheapest or rule.is_dearest
            candidate.how, candidate.unit_rule = (How.UNITS, rule) if is_one else (How.OTHER, None)
            prices = self._prices_of(candidate)
            candidate.cap_minor = min(prices.most_off(rule, units=candidate.units), candidate.initial_minor)
            candidate.alone_minor = prices.off(rule, units=candidate.units, gone=0)
        else:
            promise = kind.discount(offer.terms, reach.basket)
            candidate.how = How.FEE if isinstance(promise, OnShipping) else How.OTHER
            candidate.cap_minor = reach.effect.amount_minor
            if isinstance(promise, OnLines) and kind.most is not None:
                candidate.cap_minor = min(kind.most(offer.terms, reach.basket), candidate.initial_minor)

    def _prices_of(self, candidate: Candidate) -> UnitPrices:
        known = self._prices.get(candidate.view)
        if known is None:
            known = self._prices[candidate.view] = UnitPrices.of(self._start.cart, candidate.places)
        return known

    @property
    def prices(self) -> Mapping[int, UnitPrices]:
        """Prices of units by view, of those that a candidate of the sort UNITS has."""
        return self._prices


def _rule_of(offer: Offer, *, initial_minor: int) -> SumRule:
    """What it takes off a sum of what is left; a share of the undiscounted goods is an amount, whatever is left."""
    assert offer.coupon_kind.sums is not None, "asked of kinds that say so"
    rule: SumRule = offer.coupon_kind.sums(offer.terms, offer.balance_minor)
    if rule.basis_points is not None and offer.percent_base is PercentBase.INITIAL:
        return SumRule(most_minor=rule.off(initial_minor))
    return rule
