"""What coupons that act on units can take off at most: no unit is acted on twice, and prices only fall."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.coupons.moment import Moment
from domain.coupons.solver.candidates import Candidate
from domain.coupons.terms import UnitRule
from domain.shared.allocation import WHOLE_BASIS_POINTS


@dataclass(frozen=True, slots=True)
class UnitPrices:
    """What is left to pay on each open unit of some lines, rounded up: the cheapest first, as (price, how many)."""

    steps: tuple[tuple[int, int], ...]

    @staticmethod
    def of(moment: Moment, places: Sequence[int]) -> "UnitPrices":
        """The prices at a moment."""
        if moment.touched_units:
            lines = [moment.line(place) for place in places]
            steps = [(-(-line.open_minor // line.open_units), line.open_units) for line in lines if line.open_units]
        else:
            lines_, left = moment.cart.lines, moment.left_minor
            steps = [(-(-left[at] // lines_[at].quantity), lines_[at].quantity) for at in places if left[at]]
        return UnitPrices(tuple(sorted(steps)))

    @property
    def count(self) -> int:
        """How many units are open."""
        return sum(units for _, units in self.steps)

    def cheapest(self, count: int, *, after: int) -> int:
        """What so many of the cheapest units cost, where others have taken `after` of them."""
        total = 0
        for price, units in self.steps:
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
        for price, units in reversed(self.steps):
            if nth < units:
                return price
            nth -= units
        return 0


def unit_weight(candidate: Candidate, *, rule: UnitRule, prices: UnitPrices, gone: int | None) -> int:
    """What it takes off at most, where earlier coupons act on `gone` units at most (None: nobody knows)."""
    if not rule.cheapest:
        return max(0, prices.dearest(0) - rule.price_minor) if rule.count == 1 else candidate.cap_minor
    if gone is None:
        return candidate.cap_minor
    # With fewer units left than it needs it takes nothing off at all.
    most_gone = min(gone, max(0, prices.count - candidate.units))
    off = prices.cheapest(rule.count, after=most_gone) * rule.off_basis_points
    return min(candidate.cap_minor, -(-off // WHOLE_BASIS_POINTS))


def dearest_together(rules: Sequence[UnitRule], *, prices: UnitPrices) -> int:
    """What coupons on the dearest unit of the same lines take off together: the lowest price for the dearest unit."""
    return sum(
        max(0, prices.dearest(nth) - rule.price_minor)
        for nth, rule in enumerate(sorted(rules, key=lambda rule: rule.price_minor))
    )
