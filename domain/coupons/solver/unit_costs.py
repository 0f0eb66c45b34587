"""What coupons at the front that act on units cost where they are left out of a way, and gain where they come in.

Of those on the dearest unit, each takes the dearest that those before it leave. Leave one out: its unit is free for the
next one, whose unit is free for another, and so on; in the end the cheapest unit that any of these had is free, or one
that is dearer. Who has the dearest unit of its lines, and no other is as dear, moves up no more. What is lost is that
unit's price, less what the one that was left out would have left of its unit. The others leave as much of other units
as before, or less where their fixed prices differ.

Those on the cheapest units take cheaper ones where another of them is left out, and no others where one on the dearest
is: so whoever stays takes no more than on the way. It is counted so, and left out of the rest.
"""

from typing import Final

from domain.coupons.solver.candidates import How
from domain.coupons.solver.kept import Kept
from domain.coupons.solver.table import Table
from domain.coupons.solver.unit_bounds import UnitBounds
from domain.coupons.solver.ways import Turn, Way

UNITS: Final = How.UNITS


class UnitCosts:
    """Those of one way, from its end to its beginning."""

    def __init__(self, way: Way, *, table: Table, bounds: UnitBounds) -> None:
        self._table = table
        self._bounds = bounds
        self._acting = way.end.mask
        rules = [turn.candidate.unit_rule for turn in way.turns if turn.number < table.front]
        self._least_price = min([rule.price_minor for rule in rules if rule and not rule.cheapest], default=0)
        self._movable: list[int] = []
        self._lines = 0
        self._on_cheapest: list[Turn] = []
        self._on_dearest = 0
        self._differences = 0

    def cost(self, turn: Turn, *, kept: Kept) -> float:
        """What leaving out this one costs, which acts; it is known from now on."""
        rule = turn.candidate.unit_rule
        assert rule is not None, "asked of those that act on units"
        assert turn.effect is not None, "it acts"
        lines = sum([1 << place for place, off in enumerate(turn.effect.lines_minor) if off])
        if rule.cheapest:
            touched = turn.before.stand.dearest_of(turn.effect)
            moving = [price for price in self._movable if price <= touched]
            part = kept.part(lines | self._lines if moving else lines)
            self._on_cheapest.append(turn)
            won_back = sum([touched - price for price in moving])
            return turn.off_minor - won_back - (1.0 - part) * (turn.off_minor + touched * len(moving))
        price = turn.off_minor + rule.price_minor
        part = kept.part(lines | self._lines if self._movable else lines)
        lowest = min([price, *self._movable])
        self._on_dearest += 1
        self._lines |= lines
        self._differences += rule.price_minor - self._least_price
        prices = self._table.prices[turn.candidate.view]
        if price < prices.highest or prices.has_equals:
            self._movable.append(price)
        return part * (lowest - rule.price_minor) - (1.0 - part) * self._differences

    def most(self, turn: Turn, *, kept: Kept) -> float:
        """What is gained by its own amount where this one comes in, which does not act."""
        return kept.net(self._bounds.lines(turn.number)) * self._bounds.cap(turn.number)

    def beside(self, turn: Turn, *, kept: Kept) -> float:
        """What is gained besides: others may take dearer units, and leave more of some."""
        number, part = turn.number, kept.overall
        others = [one for one in self._on_cheapest if not self._table.rivals.clash[number] >> one.number & 1]
        gained = 0.0
        for one in others:
            before = self._acting & ((1 << one.number) - 1)
            gained += self._bounds.rise(number, of=one.number)
            gained += self._bounds.pushed(one.number, by=before, off_minor=one.off_minor)
        if part == 1.0:
            return gained
        rule = turn.candidate.unit_rule
        own = 0 if rule is None or rule.cheapest else rule.price_minor - self._least_price
        gained += (1.0 - part) * (self._differences + own)
        if self._on_dearest and not self._bounds.are_apart:
            highest = max([self._bounds.highest(one.number) for one in [turn, *others]])
            gained += (1.0 - part) * highest * self._on_dearest
        return gained
