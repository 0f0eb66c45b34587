"""How much the coupons that are still to come can save at most.

The bound is admissible: no combination of them saves more. It is what they save in a world in which thresholds that
hold now go on holding, minor units can be divided, and

- every coupon that goes with all others acts, in pricing order, each on what the ones before it leave. That takes off
  at least as much as any part of them does: of two carts, where no line of the one has more left than in the other, a
  discount leaves it so, and so it stays whatever else acts on the one;
- of each set of which no two go together one acts, on what is left now.

Leaving out a coupon of the first sort that takes d off costs d, less what shares of later coupons win back of it: at
least d times the product of what each of these leaves. So one reckoning says what every leaving out costs.
Sums of parts of a cart are rounded otherwise here than in the cart; `margin` is by how much that matters at most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from domain.coupons.moment import Moment
from domain.coupons.solver.candidates import Candidate
from domain.coupons.solver.table import Table, bits
from domain.coupons.solver.unit_weights import UnitPrices, dearest_together
from domain.shared.allocation import WHOLE_BASIS_POINTS

_TINY: Final = 1e-6  # what adding up some dozens of floating-point numbers is off by, at the very most


@dataclass(frozen=True, slots=True)
class Weight:
    """What one candidate can save from here on, at most."""

    place: int
    minor: int


@dataclass(frozen=True, slots=True)
class Bound:
    """What some candidates save together at most, and what leaving out one of them costs of it.

    `rivals` are, by their set, those of which one acts, with their weights, the dearest first.
    """

    most: float
    weights: Mapping[int, int]
    losses: Mapping[int, float]
    rivals: Mapping[int, Sequence[Weight]]
    members: int

    def loss(self, gone: int, *, before: int, table: Table) -> float:
        """By how much less is saved at most without these (bits) too, where those of `before` are left out already."""
        lost = 0.0
        new = gone & ~before & self.members
        touched: set[int] = set()
        for place in bits(new):
            cost = self.losses.get(place)
            if cost is None:
                touched.add(table.either[place])
            else:
                lost += cost
        for number in touched:
            lost += self._best(number, without=before) - self._best(number, without=before | new)
        return lost

    def _best(self, number: int, *, without: int) -> int:
        return next((one.minor for one in self.rivals[number] if not without >> one.place & 1), 0)


def bound(weights: Sequence[Weight], *, moment: Moment, prices: Mapping[int, UnitPrices], table: Table) -> Bound:
    """What these (in pricing order) save at most from this moment on; `prices` are those of the views with units."""
    left_minor, shipping_minor = moment.left_minor, moment.shipping_left_minor
    sets: dict[int, list[Weight]] = {}
    for weight in weights:
        sets.setdefault(table.either[weight.place], []).append(weight)
    chain = _Chain([float(sum(left_minor[line] for line in lines)) for lines in table.atoms], table=table)
    alone = [weight for weight in weights if len(sets[table.either[weight.place]]) == 1]
    shipping = sum(weight.minor for weight in alone if table.candidates[weight.place].for_shipping)
    on_dearest: dict[int, list[Weight]] = {}
    for weight in alone:
        candidate = table.candidates[weight.place]
        if candidate.unit_rule is not None and candidate.unit_rule.is_dearest:
            on_dearest.setdefault(candidate.view, []).append(weight)
        else:
            chain.act(candidate, weight=weight, shipping_over=shipping > shipping_minor)
    for view, ones in on_dearest.items():
        chain.act_on_dearest(ones, prices=prices[view])
    rivals = {n: sorted(one, key=lambda w: -w.minor) for n, one in sets.items() if len(one) > 1}
    most = chain.off + chain.margin + min(shipping, shipping_minor) + sum(one[0].minor for one in rivals.values())
    members = 0
    for weight in weights:
        members |= 1 << weight.place
    return Bound(
        most=most + _TINY,
        weights={weight.place: weight.minor for weight in weights},
        losses=chain.losses(),
        rivals=rivals,
        members=members,
    )


class _Chain:
    """Coupons that act one after the other on sums of lines."""

    def __init__(self, left: list[float], *, table: Table) -> None:
        self._left = left
        self._table = table
        self._acted = [0] * len(table.views)
        self._taken: list[tuple[int, float, float]] = []
        self._fixed: dict[int, float] = {}
        self.off = 0.0
        self.margin = 0.0

    def act(self, candidate: Candidate, *, weight: Weight, shipping_over: bool) -> None:
        """The next one acts."""
        rule = candidate.rule
        if candidate.for_shipping:
            # Together they take the fee at most: leaving one out costs nothing where the others take it.
            self._fixed[weight.place] = 0.0 if shipping_over else float(weight.minor)
            return
        if rule is None:
            self.off += weight.minor
            self._fixed[weight.place] = float(weight.minor)
            return
        left, atoms = self._left, self._table.atoms_of[candidate.view]
        there = sum([left[atom] for atom in atoms])
        acted = zip(self._acted, self._table.shift_into[candidate.view], strict=True)
        shifted = sum([count * shift for count, shift in acted if count])
        share = (rule.basis_points or 0) / WHOLE_BASIS_POINTS
        flat = rule.most_minor
        # A share is rounded half up.
        off = there * share + 0.5 if share else float(flat or 0)
        if flat is not None and off > flat:
            off, share = float(flat), 0.0
        if off >= there - shifted:
            off, share = min(off, there), 1.0
        self.margin += share * shifted
        self._acted[candidate.view] += 1
        self.off += off
        self._taken.append((weight.place, off, 1.0 - share))
        if there > 0:
            kept = (there - off) / there
            for atom in atoms:
                left[atom] *= kept

    def act_on_dearest(self, weights: Sequence[Weight], *, prices: UnitPrices) -> None:
        """Coupons each of which acts on another unit, the dearest that the others leave."""
        rules = [rule for one in weights if (rule := self._table.candidates[one.place].unit_rule) is not None]
        together = dearest_together(rules, prices=prices)
        self.off += together
        for nth, one in enumerate(weights):
            # Without it the others take the dearest, and nobody the last.
            without = dearest_together([*rules[:nth], *rules[nth + 1 :]], prices=prices)
            self._fixed[one.place] = float(max(0, together - without))

    def losses(self) -> dict[int, float]:
        """What leaving out each costs at least."""
        kept, losses = 1.0, dict(self._fixed)
        for place, off, leaves in reversed(self._taken):
            losses[place] = off * kept
            kept *= leaves
        return losses


def fewest(weights: Sequence[int], *, needed_minor: int) -> int:
    """How many of these it takes at least to save so much; one more than there are where all of them do not."""
    count = 0
    for minor in sorted(weights, reverse=True):
        if needed_minor <= 0:
            break
        needed_minor -= minor
        count += 1
    return count if needed_minor <= 0 else count + 1
