"""What one way through the wallet tells of all others: how much can be taken off at most where it is left at some turn.

A way P is known to the minor unit. Another, O, agrees with it up to some turn; from there on it leaves out some coupons
of P and takes others. Look at O in a world in which thresholds do not count, and minor units can be divided.

- Who is left out takes its amount with it; later coupons win some of that back (`kept`).
- Who comes in takes off what it would at the beginning of the way, at most, and leaves less to the others.
- Of coupons that do not go together O has one (`swaps`).
- A coupon whose threshold P misses comes in only where as much is left out before it as it lacks.
- Coupons on units are no such world: where one is left out or comes in, others take other units (`unit_costs`).
- What draws on a limited purse is not looked at one by one where that could run short: all of it together takes what
  the purse has (`purse_bounds`). One that is cut takes more where more is left in it, and that is not counted as its
  own.

O takes off no more than P, less what is left out, and what comes in. Sums of parts of the cart are rounded otherwise in
O than in P: `Kept.margin` is by how much that matters at most.
"""

from functools import cached_property
from typing import Final

from domain.coupons.solver.candidates import How
from domain.coupons.solver.fee_bounds import FeeBounds
from domain.coupons.solver.kept import Kept, Shifts
from domain.coupons.solver.plain_bounds import plain_bounds
from domain.coupons.solver.purse_bounds import PurseBounds
from domain.coupons.solver.swaps import Swaps
from domain.coupons.solver.table import Table
from domain.coupons.solver.unit_bounds import UnitBounds
from domain.coupons.solver.unit_costs import UnitCosts
from domain.coupons.solver.ways import Place, Turn, Way
from domain.shared.allocation import WHOLE_BASIS_POINTS

SUM: Final = How.SUM
FEE: Final = How.FEE
UNITS: Final = How.UNITS
_MUCH: Final = 0.25  # of what a coupon takes off: more than others that come in may take of it to be counted
_TINY: Final = 1e-6  # what adding up some hundreds of floating-point numbers is off by, at the very most


class Hindsight:
    """Looks at a way from its end to its beginning.

    `counts_points`: what is bounded is what the member does not pay in money; otherwise what coupons take off.
    """

    def __init__(self, way: Way, *, table: Table, unit_bounds: UnitBounds, shifts: Shifts, counts_points: bool) -> None:
        self._way = way
        self._table = table
        self._shifts = shifts
        self._counts_points = counts_points
        self._every_line = (1 << len(table.start.left_minor)) - 1
        self._kept = Kept(shifts=shifts, every_line=self._every_line)
        self._swaps = Swaps(table.rivals, candidates=table.candidates, crowded=table.crowded)
        self._fees = FeeBounds(way, rivals=table.rivals)
        self._units = UnitCosts(way, table=table, bounds=unit_bounds)
        self._purses = PurseBounds(way)
        self._gates = self._gates_of()
        self._unit_bounds = unit_bounds
        self._smears = self._smears_of()
        self._most = [0.0] * len(way.turns)
        self._waiting: list[tuple[float, float]] = []
        self._entering = 0.0
        # Where nothing may be taken off any more, what the order must still cost may be another's.
        self._slack = 0.0 if way.end.stand.room else float(table.start.min_payable_minor)
        self._least_part = 1.0

    def bounds(self) -> list[tuple[Turn, float]]:
        """For each turn at which the way can be left what can be had at most by that, the latest first."""
        way, kept, found = self._way, self._kept, list[tuple[Turn, float]]()
        if self._purses.is_opaque:
            return plain_bounds(way, table=self._table, counts_points=self._counts_points)
        value = way.end.value[0 if self._counts_points else 1]
        for place in range(len(way.turns) - 1, -1, -1):
            if place + 1 == way.points_at:
                self._pay()
            turn = way.turns[place]
            cost = self._cost(turn, place=place) if turn.acts else 0.0
            self._disturb(turn)
            if turn.acts:
                self._open(place)
                # What a purse that is short gets back others may draw.
                back = turn.off_minor if self._purses.is_short(turn.candidate) else 0
                gained = back - cost + self._gained(self._swaps.gained, credit_minor=turn.off_minor)
                found.append((turn, value + gained + self._slack + kept.margin + _TINY))
                self._hold(turn, cost=cost, place=place)
                continue
            most = self._most[place] = self._most_of(turn)
            if turn.may_act and not turn.fails and turn.off_minor:
                if self._purses.is_short(turn.candidate):
                    most = self._purses.still_left(turn.candidate) + self._beside(turn)
                gained = most + self._gained(self._swaps.gained_with(turn.number), credit_minor=self._credit(turn))
                found.append((turn, value + gained + self._slack + kept.margin + _TINY))
            self._open(place)
        return found

    def hopeless(self, least: int) -> int:
        """The candidates (bits) without which the way may be left: with them there is less to be had than that.

        To be asked when the bounds are known.
        """
        found, known = 0, self._way.end.value[0 if self._counts_points else 1] + self._slack + self._kept.margin + _TINY
        if self._waiting or self._purses.is_opaque:
            return 0
        for place, turn in enumerate(self._way.turns):
            if not turn.acts and not self._purses.is_short(turn.candidate):
                gained = self._swaps.gained_with(turn.number, self._most[place])
                if known + gained < least:
                    found |= 1 << turn.number
        return found

    def _gates_of(self) -> dict[int, list[int]]:
        """The turns that do not act by the place from which on they may: no acting rival is before that."""
        turns, gates = self._way.turns, dict[int, list[int]]()
        places = {turn.number: place for place, turn in enumerate(turns) if turn.acts}
        acting = sum([1 << number for number in places])
        for place, turn in enumerate(turns):
            if not turn.acts:
                rivals = self._table.rivals.clash[turn.number] & acting
                first = places[(rivals & -rivals).bit_length() - 1] if rivals else place
                gates.setdefault(min(place, first), []).append(place)
        return gates

    def _smears_of(self) -> list[float]:
        """By turn what part of an amount those before move to other lines at most."""
        smears, smear = [], 0.0
        for place, turn in enumerate(self._way.turns):
            if place == self._way.points_at:
                paid = self._after_points.stand.paid_minor
                smear += paid / (self._after_points.stand.total + paid) if paid else 0.0
            smears.append(smear)
            if turn.acts and turn.candidate.how is SUM and not _slope(turn):
                smear += turn.off_minor / turn.left_minor
        return smears

    @cached_property
    def _could_enter(self) -> list[int]:
        """By turn what those before it that do not act could take off together, of each class what may act."""
        rivals, total, best = self._table.rivals, 0, dict[int, int]()
        found = []
        for turn in self._way.turns:
            found.append(total)
            if not turn.acts and turn.candidate.how is not FEE:
                most, of = turn.candidate.cap_minor, rivals.of[turn.number]
                if self._is_front(turn):
                    most = self._unit_bounds.cap(turn.number)
                before = 0 if rivals.friendly[of] else best.get(of, 0)
                if most > before:
                    best[of] = most
                    total += most - before
        return found

    @property
    def _after_points(self) -> Place:
        way = self._way
        return way.turns[way.points_at].before if way.points_at < len(way.turns) else way.end

    def _pay(self) -> None:
        self._kept.disturbs(self._every_line, times=2)
        if self._counts_points and self._after_points.stand.paid_minor < self._table.points_minor:
            # They paid all that was left: where more is, they pay more.
            self._kept.slopes(self._every_line, 1.0, smear=0.0, gives_way=True)

    def _cost(self, turn: Turn, *, place: int) -> float:
        """What leaving out a turn that acts costs."""
        if turn.candidate.how is FEE:
            return self._fees.cost(turn)
        if self._is_front(turn):
            return self._units.cost(turn, kept=self._kept)
        cost = turn.off_minor * self._kept.part(self._table.masks[turn.candidate.view])
        if turn.candidate.how is SUM and self._gives_way(turn, place=place):
            cost -= _slope(turn) * self._could_enter[place]
        return max(0.0, cost)

    def _most_of(self, turn: Turn) -> float:
        """What is gained where a turn comes in that does not act."""
        candidate, start = turn.candidate, self._way.start.stand
        if candidate.how is FEE:
            return self._fees.most(turn)
        if self._is_front(turn):
            most = self._units.most(turn, kept=self._kept)
            return min(most, self._purses.most(candidate)) + self._units.beside(turn, kept=self._kept)
        net, most = self._kept.net(self._table.masks[candidate.view]), float(candidate.cap_minor)
        if candidate.how is SUM:
            most = turn.off_minor + self._more(turn)
        if candidate.lane.is_after_points and start.points is None:
            most = min(most, max(0, start.total - self._table.points_minor))
        return net * min(most, self._purses.most(candidate))

    def _beside(self, turn: Turn) -> float:
        """What others gain where this one comes in."""
        return self._units.beside(turn, kept=self._kept) if self._is_front(turn) else 0.0

    def _more(self, turn: Turn) -> int:
        """How much more one of the sort SUM takes off where no other acts from the beginning of the way on."""
        candidate, left = turn.candidate, self._way.start.stand.left
        if turn.off_minor == candidate.flat_minor:
            return 0
        return candidate.off(sum(map(left.__getitem__, candidate.places))) - turn.off_minor

    def _is_front(self, turn: Turn) -> bool:
        return turn.candidate.how is UNITS and turn.number < self._table.front

    def _disturb(self, turn: Turn) -> None:
        candidate, rivals = turn.candidate, self._table.rivals
        if candidate.how is FEE or candidate.how is UNITS:
            return
        mask, of = self._table.masks[candidate.view], rivals.of[turn.number]
        if turn.acts or rivals.friendly[of]:
            self._kept.disturbs(mask, times=2 if turn.acts else 1)
        else:
            self._kept.disturbs_once(of, mask)

    def _hold(self, turn: Turn, *, cost: float, place: int) -> None:
        """The turn belongs to what comes later, from now on."""
        candidate = turn.candidate
        if self._purses.is_short(candidate):
            self._slack += turn.off_minor - cost
            if candidate.purse.partial:
                # It may be one that is cut, and takes the rest.
                self._slack += self._purses.left_once(candidate)
        else:
            self._swaps.hold(turn.number, cost)
        if candidate.how is not FEE:
            self._least_part = min(self._least_part, max(0.0, cost / turn.off_minor))
        if candidate.how is SUM:
            self._slope(turn, place=place)
        elif candidate.how is not FEE and not self._is_front(turn):
            self._slack += candidate.cap_minor - cost
        elif candidate.unit_rule is not None and candidate.unit_rule.cheapest:
            # Whatever is left out, it takes no more than on the way if it stays; what it loses so is not counted twice.
            self._slack += turn.off_minor - cost

    def _slope(self, turn: Turn, *, place: int) -> None:
        """What earlier ones must know of one of the sort SUM: it takes more where more is left, less where less is."""
        slope, mask, kept = _slope(turn), self._table.masks[turn.candidate.view], self._kept
        if not slope:
            return
        if slope == 1.0:
            more = self._more(turn)
            if more < turn.off_minor:
                self._slack += more
                return
        kept.slopes(mask, slope, smear=self._smears[place], gives_way=self._gives_way(turn, place=place))
        kept.rounds(1.0)

    def _gives_way(self, turn: Turn, *, place: int) -> bool:
        """Whether it is counted that this one takes less where others come in; leaving it out then costs less too."""
        slope = _slope(turn)
        if self._purses.is_short(turn.candidate):
            # What it takes less its purse has for others.
            return False
        return slope > 0.0 and slope * self._could_enter[place] < turn.off_minor * _MUCH

    def _open(self, place: int) -> None:
        """What may come in from this place on."""
        for other in self._gates.get(place, ()):
            turn, most = self._way.turns[other], self._most[other]
            if self._purses.is_short(turn.candidate):
                self._slack += self._purses.left_once(turn.candidate) + self._beside(turn)
            elif self._waits(turn) and place == other and not self._has_rival(turn):
                self._waiting.append((self._need(other), most))
            else:
                self._swaps.offer(turn.number, most)
                self._entering += max(0.0, most)

    def _waits(self, turn: Turn) -> bool:
        """Whether something must be left out before it comes in.

        What draws on a purse that is short may be left out for nothing, since others draw on it then.
        """
        return turn.fails and not turn.is_short and not self._purses.any_short

    def _has_rival(self, turn: Turn) -> bool:
        return bool(self._table.rivals.clash[turn.number] & self._way.end.mask)

    def _need(self, place: int) -> float:
        """How much must be left out before this turn for its threshold, less what rounding and units may move."""
        turns, masks = self._way.turns, self._table.masks
        turn, moved = turns[place], 0.0
        for other in turns[:place]:
            if other.candidate.unit_rule is not None and other.acts:
                rule = other.candidate.unit_rule
                moved += other.off_minor if rule.cheapest else rule.price_minor
            elif other.candidate.how is not FEE:
                shift = self._shifts.shift(masks[other.candidate.view], masks[turn.candidate.view])
                moved += 2 * shift if other.acts else shift
        return max(0.0, turn.need_minor - moved)

    def _credit(self, turn: Turn) -> int:
        """What leaves the way when this one comes in."""
        if not self._waiting:
            return 0
        clash = self._table.rivals.clash[turn.number]
        return sum([other.off_minor for other in self._way.turns if other.acts and clash >> other.number & 1])

    def _gained(self, swapped: float, *, credit_minor: int) -> float:
        """With those that wait for something to be left out: as much as that, or what swaps leave out anyway."""
        best, total = swapped, 0.0
        for need, most in sorted([(max(0.0, need - credit_minor), most) for need, most in self._waiting]):
            total += most
            best = max(best, total + min(swapped, self._entering - self._least_part * need))
        return best


def _slope(turn: Turn) -> float:
    """By how much more one of the sort SUM takes off for each unit more that is left on its lines."""
    candidate, off = turn.candidate, turn.off_minor
    if turn.is_cut:
        return 0.0
    if off == turn.left_minor or off < candidate.off(turn.left_minor):
        return 1.0
    if candidate.share and (candidate.flat_minor is None or off < candidate.flat_minor):
        return candidate.share / WHOLE_BASIS_POINTS
    return 0.0
