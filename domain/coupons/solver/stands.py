"""What is left of a cart half-way through a search, and what a candidate does to it: as pricing does, in fewer words.

What looks at a sum of lines acts on integers alone. What looks at units, or at anything else, is asked as pricing does.
"""

from functools import cached_property

from domain.coupons.moment import Effect, Lines, Moment, effect_of, touched_after
from domain.coupons.offer import PercentBase
from domain.coupons.sights import SeenLine
from domain.coupons.solver.candidates import Candidate
from domain.coupons.solver.purses import NO_PURSE, Drawn, drawn_with
from domain.coupons.terms import Basket
from domain.shared.allocation import largest_remainders
from domain.shared.money import half_up

_Touched = dict[int, tuple[int, int]]


class Stand:
    """What is left to pay by line, in all and for shipping. It is never changed.

    `points` have paid so much by line (None: not yet). `drawn` is what limited purses gave. `room` may still be taken
    off.
    """

    def __init__(
        self,
        start: Moment,
        left: list[int],
        *,
        shipping: int,
        points: tuple[int, ...] | None = None,
        drawn: Drawn | None = None,
        touched: _Touched | None = None,
        since: tuple[list[int], ...] = (),
    ) -> None:
        self._start = start
        self.left = left
        self.total = sum(left)
        self.shipping = shipping
        self.points = points
        self.drawn: Drawn = drawn or {}
        self.room = max(0, self.total + shipping - start.min_payable_minor)
        self._touched_before = touched
        self._since = since
        self._lines: list[SeenLine | None] | None = None
        self._effects: dict[Candidate, Effect | None] = {}

    @staticmethod
    def at_start(start: Moment) -> "Stand":
        """Before any coupon."""
        return Stand(start, list(start.left_minor), shipping=start.shipping_left_minor)

    @property
    def paid_minor(self) -> int:
        """What points have paid."""
        return sum(self.points or ())

    def paid_with_points(self, most_minor: int) -> "Stand":
        """What is left after points have paid so much of the goods, or all that there is."""
        off = min(most_minor, self.total, self.room)
        lines = largest_remainders(off, weights=self.left, total=self.total)
        left = [left - line for left, line in zip(self.left, lines, strict=True)]
        return self._with(left, points=tuple(lines), drawn=self.drawn)

    def after_sum(self, candidate: Candidate, off: int, *, left_minor: int) -> "Stand":
        """What is left after a candidate of the sort SUM took so much off lines on which so much was left."""
        places, left = candidate.places, self.left.copy()
        shares = largest_remainders(off, weights=[left[place] for place in places], total=left_minor)
        for place, share in zip(places, shares, strict=True):
            left[place] -= share
        return self._with(left, points=self.points, drawn=self._drawn_after(candidate, off))

    def _with(self, left: list[int], *, points: tuple[int, ...] | None, drawn: Drawn) -> "Stand":
        """The same where so much is left by line, taken off whole lines."""
        # What that leaves of touched units is worked out when it is asked for.
        touched, since = self._touched_before, self._since
        return Stand(
            self._start,
            left,
            shipping=self.shipping,
            points=points,
            drawn=drawn,
            touched=touched,
            since=() if touched is None else (*since, left) if since else (self.left, left),
        )

    def after_effect(self, candidate: Candidate, effect: Effect) -> "Stand":
        """What is left after a candidate of another sort."""
        left, touched, acted = self.left.copy(), dict(self._touched), effect.units or effect.lines_minor
        lines = None if self._lines is None else self._lines.copy()
        for place, off in enumerate(effect.lines_minor):
            if off or acted[place]:
                units = acted[place] if effect.units else 0
                if units or place in touched:
                    touched[place] = touched_after(self._line(place), off_minor=off, units=units)
                left[place] -= off
                if lines is not None:
                    lines[place] = None
        stand = Stand(
            self._start,
            left,
            shipping=self.shipping - effect.shipping_minor,
            points=self.points,
            drawn=self._drawn_after(candidate, effect.amount_minor),
            touched=touched,
        )
        stand._lines = lines
        return stand

    def effect_of(self, candidate: Candidate) -> Effect | None:
        """What a candidate that is not of the sort SUM would take off; None where it lacks units."""
        if candidate not in self._effects:
            self._effects[candidate] = self._effect_of(candidate, room_minor=self.room)
        return self._effects[candidate]

    def effect_within(self, candidate: Candidate, most_minor: int) -> Effect | None:
        """The same, and so much at most."""
        return self._effect_of(candidate, room_minor=min(most_minor, self.room))

    def _effect_of(self, candidate: Candidate, *, room_minor: int) -> Effect | None:
        offer, places = candidate.offer, candidate.places
        lines = tuple([self._line(place) for place in places]) if candidate.units else Lines(self._line, places)
        if candidate.units and sum([line.open_units for line in lines]) < candidate.units:
            return None
        left_minor = sum(map(self.left.__getitem__, places))
        initial = offer.percent_base is PercentBase.INITIAL
        basket = Basket(
            lines=lines,
            left_minor=left_minor,
            base_minor=candidate.initial_minor if initial else left_minor,
            shipping_left_minor=self.shipping,
            balance_minor=offer.balance_minor,
        )
        return effect_of(
            offer.coupon_kind.discount(offer.terms, basket),
            places=places,
            left_minor=self.left,
            shipping_left_minor=self.shipping,
            room_minor=room_minor,
        )

    def dearest_of(self, effect: Effect) -> int:
        """What the dearest unit costs that such an effect acts on, rounded up."""
        lines = [self._line(place) for place, units in enumerate(effect.units) if units]
        return max([-(-line.open_minor // line.open_units) for line in lines], default=0)

    def _line(self, place: int) -> SeenLine:
        lines = self._lines
        if lines is None:
            lines = self._lines = [None] * len(self.left)
        line = lines[place]
        if line is None:
            units, minor = self._touched.get(place, (0, 0))
            line = lines[place] = self._start.sights.line(
                place, left_minor=self.left[place], touched_units=units, touched_minor=minor
            )
        return line

    @cached_property
    def _touched(self) -> _Touched:
        """By line the units that no coupon acts on any more, and what is left to pay on them."""
        touched = dict(self._touched_before or {})
        for before, after in zip(self._since, self._since[1:], strict=False):
            for place, (units, minor) in touched.items():
                if before[place] != after[place]:
                    touched[place] = (units, half_up(minor * after[place], before[place]))
        return touched

    def _drawn_after(self, candidate: Candidate, off: int) -> Drawn:
        if candidate.purse is NO_PURSE:
            return self.drawn
        return drawn_with(self.drawn, candidate.purse, off, funders=candidate.offer.borne_by)
