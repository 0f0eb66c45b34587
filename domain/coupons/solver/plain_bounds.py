"""What can be had at most where a way is left, with nothing known but what each coupon takes off at most.

It holds whatever coupons do to each other, and proves little of many: for where `hindsight` cannot tell.
"""

from domain.coupons.solver.purses import NO_PURSE, Purse
from domain.coupons.solver.table import Table
from domain.coupons.solver.ways import Place, Turn, Way


def plain_bounds(way: Way, *, table: Table, counts_points: bool) -> list[tuple[Turn, float]]:
    """For each turn at which the way can be left what can be had at most by that, the latest first."""
    found, later = list[tuple[Turn, float]](), _Later(table)
    for turn in reversed(way.turns):
        if not turn.acts:
            later.add(turn)
        if turn.acts or (turn.may_act and not turn.fails and turn.off_minor):
            found.append((turn, float(_most_from(turn.before, later=later, table=table, counts_points=counts_points))))
        if turn.acts:
            later.add(turn)
    return found


def _most_from(place: Place, *, later: "_Later", table: Table, counts_points: bool) -> int:
    """What was taken off there, and what may be from there on: no more than is left to pay."""
    more = later.most(place)
    if not counts_points:
        return place.saving_minor + min(place.stand.room, more)
    if place.stand.points is None:
        more += table.points_minor
    return place.value[0] + min(place.stand.room, more)


class _Later:
    """The turns that come later: of a class of which one acts the largest, of a family the set that takes most."""

    def __init__(self, table: Table) -> None:
        self._rivals = table.rivals
        self._best = [0] * len(table.rivals.family)
        self._sums = [[0] * len(sets) for sets in table.rivals.sets]
        self._purses: dict[object, tuple[Purse, int]] = {}

    def add(self, turn: Turn) -> None:
        """One more."""
        candidate, rivals = turn.candidate, self._rivals
        if candidate.purse is not NO_PURSE:
            _, before = self._purses.get(candidate.purse.key, (candidate.purse, 0))
            self._purses[candidate.purse.key] = candidate.purse, before + candidate.cap_minor
            return
        of = rivals.of[turn.number]
        before = self._best[of]
        best = before + candidate.cap_minor if rivals.friendly[of] else max(before, candidate.cap_minor)
        self._best[of] = best
        for place in rivals.within[of]:
            self._sums[rivals.family[of]][place] += best - before

    def most(self, place: Place) -> int:
        """What they take off together from there on, limited purses no more than they have left there."""
        total = sum([max(sums, default=0) for sums in self._sums])
        for key, (purse, most) in self._purses.items():
            assert purse.left_minor is not None, "a purse that is limited"
            total += min(most, max(0, purse.left_minor - place.stand.drawn.get((key, None), 0)))
        return total
