"""What units cost, and what coupons that act on them take off at most: no unit is acted on twice, prices only fall."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from domain.coupons.cart import Cart
from domain.coupons.terms import UnitRule
from domain.shared.allocation import WHOLE_BASIS_POINTS


@dataclass(frozen=True, slots=True)
class UnitPrices:
    """What the units of some lines cost before any discount: the cheapest first, as (price, how many, line)."""

    steps: tuple[tuple[int, int, int], ...]

    @staticmethod
    def of(cart: Cart, places: Sequence[int]) -> "UnitPrices":
        """The prices of these lines; what costs nothing does not count."""
        lines = cart.lines
        steps = [(lines[at].unit_price_minor, lines[at].quantity, at) for at in places if lines[at].unit_price_minor]
        return UnitPrices(tuple(sorted(steps)))

    @property
    def count(self) -> int:
        """How many units there are."""
        return sum([units for _, units, _ in self.steps])

    @property
    def highest(self) -> int:
        """What the dearest costs."""
        return self.steps[-1][0] if self.steps else 0

    @property
    def has_equals(self) -> bool:
        """Whether units of several lines are the dearest."""
        return len(self.steps) > 1 and self.steps[-2][0] == self.highest

    def cheapest(self, count: int, *, after: int) -> int:
        """What so many of the cheapest units cost, where others have taken `after` of them."""
        total = 0
        for price, units, _ in self.steps:
            passed = min(after, units)
            after -= passed
            taken = min(count, units - passed)
            total += taken * price
            count -= taken
            if not count:
                break
        return total

    def dearest(self, nth: int) -> int:
        """What the n-th dearest unit costs, counted from 0; nothing where there are not as many."""
        for price, units, _ in reversed(self.steps):
            if nth < units:
                return price
            nth -= units
        return 0

    def nth_cheapest(self, nth: int) -> int:
        """What the n-th cheapest unit costs, counted from 1; the dearest where there are not as many."""
        for price, units, _ in self.steps:
            nth -= units
            if nth <= 0:
                return price
        return self.highest

    def between(self, least: int, most: int, *, lines: int) -> int:
        """How many units on these lines (bits) cost so much."""
        return sum([units for price, units, at in self.steps if least <= price <= most and lines >> at & 1])

    def off(self, rule: UnitRule, *, units: int, gone: int) -> int:
        """What a discount takes off at most that needs so many units, where others have acted on `gone` at most."""
        if not rule.cheapest:
            return sum([max(0, self.dearest(nth) - rule.price_minor) for nth in range(rule.count)])
        # With fewer units left than it needs it takes nothing off at all.
        off = self.cheapest(rule.count, after=min(gone, max(0, self.count - units))) * rule.off_basis_points
        return -(-off // WHOLE_BASIS_POINTS)

    def offs(self, rule: UnitRule, *, units: int, gone: int) -> list[int]:
        """The same of one on the cheapest units where none, one, … and at last `gone` are gone."""
        last = min(gone, max(0, self.count - units))
        prices: list[int] = []
        for price, here, _ in self.steps:
            prices.extend([price] * here)
            if len(prices) >= last + rule.count:
                break
        sums = [0, *accumulate(prices)]
        found = [
            -(-(sums[one + rule.count] - sums[one]) * rule.off_basis_points // WHOLE_BASIS_POINTS)
            for one in range(last + 1)
        ]
        return found + found[-1:] * (gone - last)

    def most_off(self, rule: UnitRule, *, units: int) -> int:
        """The same whatever has acted before."""
        return self.off(rule, units=units, gone=self.count)
