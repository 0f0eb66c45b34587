"""What coupons that act on units could take off at most beside each other.

A coupon on the dearest unit takes less where others have acted; one on the cheapest may take more, since the cheap
units may be gone. How many can be gone is bounded here: by how many units others touch, and what price they can have.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

from domain.coupons.sights import bits
from domain.coupons.solver.candidates import Candidate
from domain.coupons.solver.table import Table
from domain.coupons.solver.unit_prices import UnitPrices
from domain.coupons.terms import UnitRule
from domain.shared.allocation import WHOLE_BASIS_POINTS
from domain.shared.money import SAFE_INT_MAX

MAX_COMPARED: Final = 40
"""Of more coupons on units it is not asked which of them have units in common."""

_ROUNDS: Final = 2


class UnitBounds:
    """The candidates at the front of the table that act on units, before anything has changed what units cost."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._at_front = [number for number in range(table.front) if table.candidates[number].unit_rule is not None]
        self._front = sum([1 << number for number in self._at_front])
        self._caps: dict[int, int] = {}
        self._rises: dict[tuple[int, int], int] = {}
        self._known_offs: dict[int, list[int]] = {}
        self._lines: dict[int, int] = {}

    def cap(self, number: int) -> int:
        """What it takes off at most, whichever others that go with it act too."""
        known = self._caps.get(number)
        if known is None:
            known = self._candidate(number).cap_minor
            if self._rule(number).cheapest:
                known = self._offs(number)[-1]
            self._caps[number] = known
        return known

    def rise(self, number: int, *, of: int) -> int:
        """By how much another, which takes the cheapest, may take more off where this one acts too."""
        known = self._rises.get((number, of))
        if known is None:
            known = self._rises[number, of] = self._rise(number, of=of)
        return known

    def pushed(self, number: int, *, by: int, off_minor: int) -> int:
        """By how much more others (bits) make it take off at most than it does with them.

        They may have touched units that are too dear to matter to it, until others come in.
        """
        by &= self._front
        if self._are_many:
            touched = sum([self._candidate(other).units for other in bits(by)])
        else:
            of_others = self._touched_by(number, ranges=self._ranges)
            touched = sum([count for other, count in of_others.items() if by >> other & 1])
        offs = self._offs(number)
        return max(0, offs[min(touched, len(offs) - 1)] - off_minor)

    def highest(self, number: int) -> int:
        """What the dearest unit costs that one on the cheapest units may touch."""
        return self._ranges[number][1]

    def lines(self, number: int) -> int:
        """The lines on which it may take something off, as bits."""
        known = self._lines.get(number)
        if known is None:
            least, most = self._ranges[number]
            steps = self._prices(number).steps
            known = self._lines[number] = sum([1 << at for price, _, at in steps if least <= price <= most])
        return known

    @cached_property
    def are_apart(self) -> bool:
        """Whether no unit can be touched both by a coupon on the cheapest and by one on the dearest units."""
        return not self._are_many and all(
            self._ranges[one][1] < self._ranges[other][0]
            for one in self._at_front
            if self._rule(one).cheapest
            for other, _, _ in self._beside[one]
            if not self._rule(other).cheapest
        )

    def _rise(self, number: int, *, of: int) -> int:
        if self._are_many:
            touched = self._candidate(number).units if self._mask(number) & self._mask(of) else 0
        else:
            touched = self._touched_by(of, ranges=self._ranges).get(number, 0)
        if not touched:
            return 0
        offs = self._offs(of)
        most = len(offs) - 1
        # What it takes off is rounded, and so may be more by one than these amounts are, which are rounded up.
        rounded = self._rule(of).off_basis_points < WHOLE_BASIS_POINTS
        return max([offs[min(most, gone + touched)] - off for gone, off in enumerate(offs)]) + rounded

    def _offs(self, number: int) -> list[int]:
        """What one on the cheapest units takes off where none, one, … of its units are gone, as many as can be."""
        known = self._known_offs.get(number)
        if known is None:
            candidate, prices, gone = (
                self._candidate(number),
                self._prices(number),
                self._count(number, ranges=self._ranges),
            )
            offs = prices.offs(self._rule(number), units=candidate.units, gone=gone)
            known = self._known_offs[number] = [min(candidate.cap_minor, off) for off in offs]
        return known

    @cached_property
    def _ranges(self) -> Mapping[int, tuple[int, int]]:
        """For each the prices of the units that it may touch: found from all prices, and then more closely."""
        ranges = dict.fromkeys(self._at_front, (0, SAFE_INT_MAX))
        for _ in range(1 if self._are_many or not any(self._beside.values()) else _ROUNDS):
            ranges = {number: self._range(number, ranges=ranges) for number in self._at_front}
        return ranges

    def _range(self, number: int, *, ranges: Mapping[int, tuple[int, int]]) -> tuple[int, int]:
        gone, prices = self._count(number, ranges=ranges), self._prices(number)
        if self._rule(number).cheapest:
            return 0, prices.nth_cheapest(self._candidate(number).units + gone)
        return prices.dearest(gone), prices.highest

    def _count(self, number: int, *, ranges: Mapping[int, tuple[int, int]]) -> int:
        """How many units on its lines others touch at most, each of those that they may; of rivals one counts."""
        if self._are_many:
            return self._all_units - self._units_by_class[self._table.rivals.of[number]][number]
        rivals, total, most = self._table.rivals, 0, dict[int, int]()
        for other, touched in self._touched_by(number, ranges=ranges).items():
            of = rivals.of[other]
            if rivals.friendly[of]:
                total += touched
            else:
                most[of] = max(most.get(of, 0), touched)
        return total + sum(most.values())

    @cached_property
    def _are_many(self) -> bool:
        return len(self._at_front) > MAX_COMPARED

    @cached_property
    def _all_units(self) -> int:
        """How many units all of them touch together at most."""
        rivals, units = self._table.rivals, self._units_by_class
        return sum([sum(one.values()) if rivals.friendly[of] else max(one.values()) for of, one in units.items()])

    @cached_property
    def _units_by_class(self) -> Mapping[int, Mapping[int, int]]:
        """By class how many units each touches."""
        units: dict[int, dict[int, int]] = {}
        for number in self._at_front:
            units.setdefault(self._table.rivals.of[number], {})[number] = self._candidate(number).units
        return units

    def _touched_by(self, number: int, *, ranges: Mapping[int, tuple[int, int]]) -> dict[int, int]:
        """How many units on its lines, of those that it may touch itself, each other touches at most."""
        touched, own = {}, ranges[number]
        for other, units, shared in self._beside[number]:
            least, most = max(own[0], ranges[other][0]), min(own[1], ranges[other][1])
            count = sum([here for price, here in shared if least <= price <= most])
            if count:
                touched[other] = min(units, count)
        return touched

    @cached_property
    def _beside(self) -> Mapping[int, Sequence[tuple[int, int, Sequence[tuple[int, int]]]]]:
        """For each the others that may act beside it, the units that they need, and the prices on the lines of both."""
        beside: dict[int, list[tuple[int, int, Sequence[tuple[int, int]]]]] = {one: [] for one in self._at_front}
        for one in self._at_front:
            mask = self._mask(one)
            for other in bits(self._front & ~self._table.rivals.clash[one] & ((1 << one) - 1)):
                both = mask & self._mask(other)
                if both:
                    fewer = min(one, other, key=lambda number: len(self._prices(number).steps))
                    shared = [(price, units) for price, units, at in self._prices(fewer).steps if both >> at & 1]
                    beside[one].append((other, self._candidate(other).units, shared))
                    beside[other].append((one, self._candidate(one).units, shared))
        return beside

    def _mask(self, number: int) -> int:
        return self._table.masks[self._candidate(number).view]

    def _prices(self, number: int) -> UnitPrices:
        return self._table.prices[self._candidate(number).view]

    def _candidate(self, number: int) -> Candidate:
        return self._table.candidates[number]

    def _rule(self, number: int) -> UnitRule:
        rule = self._candidate(number).unit_rule
        assert rule is not None, "asked of those that act on units"
        return rule
