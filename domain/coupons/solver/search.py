"""The search: one good way through the wallet, then, best bound first, those that leave it somewhere."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from domain.coupons.cart import Cart
from domain.coupons.decision import Circumstances, Condition
from domain.coupons.moment import Moment
from domain.coupons.offer import MAX_COUPONS_PER_ORDER, CouponState, Offer
from domain.coupons.pricing import PricingPolicy
from domain.coupons.sights import bits
from domain.coupons.solver.answers import Budget, Combination, Optimality, OptimalityStatus, Solution
from domain.coupons.solver.candidates import UNLIMITED, How, Limits
from domain.coupons.solver.hindsight import Hindsight
from domain.coupons.solver.kept import Shifts
from domain.coupons.solver.order_limit import held_against, with_possible_alternatives, worth_most
from domain.coupons.solver.picks import fewest, pick
from domain.coupons.solver.ranks import Ranks, rank_of
from domain.coupons.solver.stands import Stand
from domain.coupons.solver.table import Table, tabulate
from domain.coupons.solver.unit_bounds import UnitBounds
from domain.coupons.solver.ways import Place, Turn, Way, after, pay, take_turn, walk

MAX_ALTERNATIVES: Final = 10
_LIKELY: Final = 8 * MAX_ALTERNATIVES
_ROUNDS: Final = 4  # in how many ways a place is gone on from at most, each by what was learnt on the last

Value = tuple[int, int]


@dataclass(slots=True, eq=False)
class _Node:
    """A place from which to go on, and the most that can be had from there. `first` acts next, where it does at all.

    `worth` is by candidate what it was worth on the way that was left: what is picked is picked by that.
    """

    most: Value
    place: Place
    worth: Sequence[float]
    first: Turn | None = None


def solve(
    cart: Cart,
    offers: Sequence[Offer],
    *,
    policy: PricingPolicy,
    at: datetime,
    budget: Budget,
    conditions: Sequence[Condition] = (),
    limits: Limits = UNLIMITED,
    points_minor: int = 0,
    start: Moment | None = None,
) -> Solution:
    """Find the coupons that leave the member paying least, and prove it as far as the budget goes.

    The order of `offers` changes nothing. `points_minor` is the most that points pay, before the lane TENDER. Of
    combinations that leave the same to pay: those that save more by coupons, fewer coupons, then the earliest expiring,
    then the lowest ids; where the budget runs out between such what is paid is proven and the choice is not.
    """
    start = start or Moment.at_start(cart, min_payable_minor=policy.min_payable_minor)
    circumstances = Circumstances(at, frozenset({CouponState.CLAIMED}), tuple(conditions))
    make_ready = partial(
        tabulate, start=start, circumstances=circumstances, budget=budget, limits=limits, points_minor=points_minor
    )
    table = make_ready(offers)
    found = _Search(table, budget=budget).run()
    if len(found.best.offers) > MAX_COUPONS_PER_ORDER:
        kept = worth_most(found.best.offers, table=table)
        fewer = _Search(make_ready(kept), budget=budget).run()
        return held_against(fewer, found, table=table)
    return with_possible_alternatives(found)


class _Search:
    """One search: what is open, what was found, and the best of it."""

    def __init__(self, table: Table, *, budget: Budget) -> None:
        self._table = table
        self._budget = budget
        self._units = UnitBounds(table)
        self._shifts = Shifts()
        self._ranks = Ranks(table)
        self._open: list[tuple[int, int, int, _Node]] = []
        self._pushed = 0
        self._explored = 0
        self._start = Place(Stand.at_start(table.start), (), 0, table.useful, 0)
        self._best = pay(self._start, table=table)
        self._best_rank = rank_of((), table=table)
        self._found: dict[int, Place] = {}

    def run(self) -> Solution:
        """Search until nothing open can be better, or the budget is spent."""
        room, most = self._table.start.room_minor, self._table.most_minor
        most_paid = min(room, most + self._table.points_minor)
        self._push(_Node((most_paid, most), self._start, [float(one.alone_minor) for one in self._table.candidates]))
        while self._open:
            if self._explored and self._budget.is_spent(explored=self._explored):
                break
            node = heapq.heappop(self._open)[-1]
            if self._may_be_better(node):
                self._go_on(node)
        return self._solution()

    def _push(self, node: _Node) -> None:
        if self._may_be_better(node):
            self._pushed += 1
            heapq.heappush(self._open, (-node.most[0], -node.most[1], self._pushed, node))

    def _may_be_better(self, node: _Node) -> bool:
        """Whether what begins so can leave less to pay than the best; or as much, and be the better of the two."""
        value = self._best.value
        if node.most != value:
            return node.most > value
        place, first, allowed = node.place, node.first, node.place.allowed
        acting, missing = place.acting, value[1] - place.saving_minor
        if first is not None:
            acting, missing = (*acting, first.number), missing - first.off_minor
            allowed &= ~self._table.rivals.clash[first.number] & (-2 << first.number)
        return self._ranks.may_be_less(acting, allowed, missing_minor=missing, than=self._best_rank)

    def _go_on(self, node: _Node) -> None:
        """Go on from there as well as can be seen, and note where that way may be left with profit."""
        place, table = node.place, self._table
        if node.first is not None:
            first = take_turn(node.first.number, place, left_minor=node.first.left_minor, picked=True, table=table)
            if not first.acts:
                return
            place = after(first, table=table)
        way, worth = self._best_way(place, node.worth)
        bounds, hopeless = self._bounds(way, node=node)
        for turn, most in bounds:
            before = turn.before
            allowed = before.allowed & (-1 << turn.number) & ~hopeless
            if turn.acts:
                allowed &= ~(1 << turn.number)
            at = Place(before.stand, before.acting, before.mask, allowed, before.saving_minor)
            self._push(_Node(most, at, worth, first=None if turn.acts else turn))

    def _best_way(self, place: Place, worth: Sequence[float]) -> tuple[Way, Sequence[float]]:
        """The best of some ways from there: each picks by what coupons were worth on the one before it."""
        table, tried = self._table, set[int]()
        best: tuple[Way, Sequence[float]] | None = None
        picks = pick(place.allowed, worth=worth, table=table)
        while picks not in tried and len(tried) < (
            _ROUNDS if not place.acting and place.allowed == table.useful else 1
        ):
            tried.add(picks)
            way = walk(place, picks, table=table)
            self._explored += 1
            self._note(way.end)
            worth = _worth_on(way, worth)
            if best is None or way.end.value > best[0].end.value:
                best = (way, worth)
            picks = pick(place.allowed, worth=worth, table=table)
            if not way.end.stand.room:
                picks = fewest(place, allowed=place.allowed, table=table)
        assert best is not None, "one way was gone"
        return best

    def _bounds(self, way: Way, *, node: _Node) -> tuple[list[tuple[Turn, Value]], int]:
        """Where the way may be left, and what can be had by that; and which candidates are of no use there (bits)."""
        table, parts, hopeless = self._table, list[list[tuple[Turn, float]]](), 0
        for counts_points in (True, False) if table.points_minor else (False,):
            hindsight = Hindsight(
                way, table=table, unit_bounds=self._units, shifts=self._shifts, counts_points=counts_points
            )
            parts.append(hindsight.bounds())
            if len(parts) == 1:
                hopeless = hindsight.hopeless(self._best.value[0])
        value = self._best.value
        found = []
        for (turn, most), (_, saved) in zip(parts[0], parts[-1], strict=True):
            if most >= value[0]:
                found.append((turn, (min(int(most), node.most[0]), min(int(saved), node.most[1]))))
        return found, hopeless

    def _note(self, place: Place) -> None:
        self._found.setdefault(place.mask, place)
        if place.value >= self._best.value:
            rank = rank_of(place.acting, table=self._table)
            if place.value > self._best.value or rank < self._best_rank:
                self._best, self._best_rank = place, rank

    def _solution(self) -> Solution:
        best, table = self._best, self._table
        paid_minor, most_paid = best.value[0], min(table.start.room_minor, table.most_minor + table.points_minor)
        # What was left out of the search is part of what could still be had.
        most = max([paid_minor, *(node.most[0] for *_, node in self._open)]) + table.cut_minor
        gap = max(0, min(most, most_paid) - paid_minor)
        status = OptimalityStatus.BOUNDED if gap else OptimalityStatus.PROVEN
        return Solution(
            best=self._combination(best),
            optimality=Optimality(status, max(1, self._explored), gap),
            alternatives=self._alternatives(),
        )

    def _alternatives(self) -> tuple[Combination, ...]:
        """The best of what was found besides; every coupon by itself is a combination too."""
        table, found = self._table, [*self._found.values(), *self._singles()]
        likely = heapq.nsmallest(_LIKELY, found, key=lambda one: (*_less(one.value), len(one.acting)))
        shown = [self._best.mask]
        combinations: list[Combination] = []
        for place in sorted(likely, key=lambda one: (*_less(one.value), *rank_of(one.acting, table=table))):
            if place.mask and all(place.mask & ~other for other in shown):
                shown.append(place.mask)
                combinations.append(self._combination(place))
                if len(combinations) == MAX_ALTERNATIVES:
                    break
        return tuple(combinations)

    def _singles(self) -> list[Place]:
        """Single coupons that are not in the best, as many as could be shown: those that could save most."""
        table, start, singles = self._table, self._start, list[Place]()
        others = bits(table.useful & ~self._best.mask)
        for number in heapq.nsmallest(
            MAX_ALTERNATIVES, others, key=lambda one: (-table.candidates[one].alone_minor, one)
        ):
            at = pay(start, table=table) if number >= table.points_at else start
            left = sum(map(at.stand.left.__getitem__, table.candidates[number].places))
            turn = take_turn(number, at, left_minor=left, picked=True, table=table)
            if turn.acts:
                singles.append(pay(after(turn, table=table), table=table))
        return singles

    def _combination(self, place: Place) -> Combination:
        """Its coupons in pricing order: the interchangeable ones that are used first."""
        offers = [self._table.stand_in[number] for number in place.acting]
        if self._table.has_copies:
            offers.sort(key=lambda one: one.pricing_order)
        return Combination(tuple(offers), place.saving_minor, place.stand.paid_minor)


def _less(value: Value) -> Value:
    """In an order in which more comes first."""
    return (-value[0], -value[1])


def _worth_on(way: Way, worth: Sequence[float]) -> Sequence[float]:
    """What coupons were worth on a way: what they took off, or would have."""
    learnt = list(worth)
    for turn in way.turns:
        if turn.acts or turn.candidate.how is not How.UNITS:
            learnt[turn.number] = float(turn.off_minor)
    return learnt
