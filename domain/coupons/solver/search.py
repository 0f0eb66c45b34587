"""The search: best bound first, after one dive for a good start."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.coupons.cart import Cart
from domain.coupons.decision import Circumstances, Condition
from domain.coupons.moment import Effect, Moment, Reach
from domain.coupons.offer import CouponState, Offer, ThresholdBase
from domain.coupons.pricing import PricingPolicy
from domain.coupons.solver.answers import Budget, Combination, Optimality, OptimalityStatus, Solution
from domain.coupons.solver.bounds import Bound, Weight, bound, fewest
from domain.coupons.solver.candidates import Candidate, Sight, taken
from domain.coupons.solver.table import Table, bits, tabulate
from domain.coupons.solver.unit_weights import UnitPrices, unit_weight
from domain.shared.allocation import allocate
from domain.shared.ids import CouponId

MAX_ALTERNATIVES: Final = 10
_LIKELY: Final = 8 * MAX_ALTERNATIVES


@dataclass(slots=True)
class _Node:
    """A combination, and what is still to be decided: which of `allowed` act after `place`.

    `acting` are in order, and save `saving_minor`; the best that begins so saves `most` at most. `due` acts already but
    is not in the moment yet. `bound` is that of an earlier node, where all but `gone` of it was open still, and `roomy`
    what it says if there is room for it: the losses are subtracted from that.
    """

    most: float
    saving_minor: int
    acting: tuple[int, ...]
    moment: Moment
    allowed: int
    due: int | None = None
    bound: Bound | None = None
    gone: int = 0
    roomy: float = 0.0

    @property
    def most_minor(self) -> int:
        """The bound in whole minor units."""
        return int(self.most)

    @property
    def urgency(self) -> tuple[int, int, tuple[int, ...], int]:
        """What is explored first: the highest bound, then the larger saving, then the earlier in pricing order."""
        return (-self.most_minor, -self.saving_minor, self.acting, -self.allowed)


def solve(
    cart: Cart,
    offers: Sequence[Offer],
    *,
    policy: PricingPolicy,
    at: datetime,
    budget: Budget,
    conditions: Sequence[Condition] = (),
    start: Moment | None = None,
) -> Solution:
    """Find the coupons that leave the member paying least, and prove it as far as the budget goes.

    The order of `offers` changes nothing. Of combinations that save the same: fewer coupons, then the earliest
    expiring, then the lowest ids; where the budget runs out between such the saving is proven and the choice is not.
    """
    start = start or Moment.at_start(cart, min_payable_minor=policy.min_payable_minor)
    circumstances = Circumstances(at, frozenset({CouponState.CLAIMED}), tuple(conditions))
    return _Search(tabulate(offers, start=start, circumstances=circumstances), budget=budget).run()


class _Search:
    """One search: what is open, what was found, and the best of it."""

    def __init__(self, table: Table, *, budget: Budget) -> None:
        self._table = table
        self._budget = budget
        self._open: list[tuple[tuple[int, int, tuple[int, ...], int], _Node]] = []
        self._found: list[_Node] = []
        self._explored = 0
        # The effect that was worked out last: where, and of which candidate.
        self._next = (table.start, -1, Effect((), 0))
        self._best = _Node(table.start.room_minor, 0, (), table.start, table.useful)

    def run(self) -> Solution:
        """Search until nothing open can be better, or the budget is spent."""
        self._push(self._best)
        # As long as one promises no less: of those that promise as much, one with fewer coupons may come later.
        while self._open and self._open[0][1].most_minor >= self._best.saving_minor:
            if self._explored and self._budget.is_spent(explored=self._explored):
                break
            _, node = heapq.heappop(self._open)
            if not self._may_improve(node):
                continue
            self._explored += 1
            self._look(node)
            if not self._may_improve(node):
                continue
            if self._open and self._open[0][1].most_minor > node.most_minor:
                self._push(node)
                continue
            self._dive(node)
        return self._solution()

    def _push(self, node: _Node) -> None:
        heapq.heappush(self._open, (node.urgency, node))

    def _dive(self, node: _Node) -> None:
        """Decide one coupon after the other, the more promising way, and leave the other ways open."""
        while node.allowed:
            if self._explored > 1 and self._budget.is_spent(explored=self._explored):
                self._push(node)
                return
            place = (node.allowed & -node.allowed).bit_length() - 1
            self._settle(node)
            gain = self._gain(node, place=place)
            without = self._without(node, 1 << place)
            if not gain:
                node = without
            else:
                taken = self._taken(node, place=place, gain=gain)
                self._note(taken)
                first, second = (taken, without) if taken.most >= without.most else (without, taken)
                if self._may_improve(second):
                    self._push(second)
                node = first
            if not self._may_improve(node):
                return

    def _may_improve(self, node: _Node) -> bool:
        """Whether what begins so can save more than the best, or as much with no more coupons."""
        if node.most_minor != self._best.saving_minor:
            return node.most_minor > self._best.saving_minor
        missing = self._best.saving_minor - node.saving_minor
        if missing <= 0:
            return False  # It was found itself; with one coupon more it is no better.
        weights = () if node.bound is None else node.bound.weights.items()
        open_ = [minor for place, minor in weights if node.allowed >> place & 1]
        needed = fewest(open_, needed_minor=missing) if node.bound is not None else 1
        return len(node.acting) + needed <= len(self._best.acting)

    def _without(self, node: _Node, gone: int) -> _Node:
        """The same combination, where these act no more."""
        assert node.bound is not None, "a node is looked at before it is decided"
        lost = node.bound.loss(gone, before=node.gone, table=self._table)
        return _Node(
            min(node.most, node.roomy - lost),
            node.saving_minor,
            node.acting,
            node.moment,
            node.allowed & ~gone,
            node.due,
            node.bound,
            node.gone | gone,
            node.roomy - lost,
        )

    def _taken(self, node: _Node, *, place: int, gain: int) -> _Node:
        """The combination of this coupon more."""
        assert node.bound is not None, "a node is looked at before it is decided"
        kept = node.allowed & self._table.goes_with[place]
        rest = self._without(node, node.allowed & ~kept & ~(1 << place))
        roomy, either = rest.roomy, self._table.either[place]
        if either in node.bound.rivals:
            # One of its set was expected to take its weight off; it takes this.
            roomy -= max(0, node.bound.weights.get(place, gain) - gain)
        return _Node(
            min(rest.most, roomy, node.saving_minor + node.moment.room_minor),
            node.saving_minor + gain,
            (*node.acting, place),
            node.moment,
            kept,
            place,
            node.bound,
            rest.gone,
            roomy,
        )

    def _settle(self, node: _Node) -> None:
        """Bring the moment up to date."""
        if node.due is None:
            return
        candidate, (moment, place, effect) = self._table.candidates[node.due], self._next
        if moment is not node.moment or place != node.due:
            effect = self._effect(candidate, moment=node.moment)
        node.moment = node.moment.after(candidate.offer, effect=effect)
        node.due = None

    def _effect(self, candidate: Candidate, *, moment: Moment) -> Effect:
        places = self._table.views[candidate.view]
        if candidate.rule is None:
            return Reach(candidate.offer, moment, places).effect
        left = [moment.left_minor[place] for place in places]
        lines = [0] * len(moment.left_minor)
        off = min(candidate.rule.off(sum(left)), moment.room_minor)
        for place, amount in zip(places, allocate(off, weights=left), strict=True):
            lines[place] = amount
        return Effect(tuple(lines), 0)

    def _look(self, node: _Node) -> None:
        """Work out anew what the candidates can save from here on."""
        self._settle(node)
        table, moment, room = self._table, node.moment, node.moment.room_minor
        sights: dict[int, Sight] = {}
        prices: dict[int, UnitPrices] = {}
        weights: list[Weight] = []
        gone: list[int | None] = [0] * len(table.views)
        for place in bits(node.allowed):
            candidate = table.candidates[place]
            sight = sights.get(candidate.view)
            if sight is None:
                sight = sights[candidate.view] = self._sight(candidate, moment=moment, room_minor=room)
            weight = self._weight(node, place=place, sight=sight)
            if weight and candidate.unit_rule is not None:
                if candidate.view not in prices:
                    prices[candidate.view] = UnitPrices.of(moment, sight.places)
                known = prices[candidate.view]
                here = _sum_of(gone, views=table.meets[candidate.view])
                weight = min(weight, unit_weight(candidate, rule=candidate.unit_rule, prices=known, gone=here))
            if weight:
                weights.append(Weight(place, weight))
                # What is taken off whole lines may make units cost nothing, which do not count any more.
                before = gone[candidate.view]
                gone[candidate.view] = None if before is None or not candidate.units else before + candidate.units
        found = bound(weights, moment=moment, prices=prices, table=table)
        node.bound, node.gone, node.allowed = found, 0, node.allowed & found.members
        node.roomy = node.saving_minor + found.most
        node.most = min(node.most, node.roomy, node.saving_minor + room)
        if not node.acting:
            self._note_each(node)

    def _note_each(self, node: _Node) -> None:
        """Every coupon by itself is a combination too: those that could save most are other ways to go."""
        assert node.bound is not None, "a node is looked at first"
        weights = node.bound.weights
        for place in sorted(weights, key=lambda place: (-weights[place], place))[: 2 * MAX_ALTERNATIVES]:
            gain = self._gain(node, place=place)
            if gain:
                self._note(_Node(gain, gain, (place,), node.moment, 0))

    def _sight(self, candidate: Candidate, *, moment: Moment, room_minor: int) -> Sight:
        places = self._table.views[candidate.view]
        return Sight(moment, places, sum(map(moment.left_minor.__getitem__, places)), room_minor)

    def _weight(self, node: _Node, *, place: int, sight: Sight) -> int:
        """What it can take off from here on at most; nothing where it cannot act any more."""
        candidate, before = self._table.candidates[place], self._table.before[place]
        if before != -1 and before not in node.acting and not node.allowed >> before & 1:
            return 0  # The one before it was passed over; it would only be another name for that.
        early = candidate.offer.threshold_base is ThresholdBase.INITIAL
        if not early and sight.left_minor < candidate.threshold_minor:
            return 0
        if candidate.by_line:
            return min(candidate.cap_minor, sight.left_minor, sight.room_minor)
        return taken(candidate, sight=sight)

    def _gain(self, node: _Node, *, place: int) -> int:
        """What it takes off now; nothing where it does not act."""
        candidate, table = self._table.candidates[place], self._table
        before = table.before[place]
        if before != -1 and before not in node.acting:
            return 0
        sight = self._sight(candidate, moment=node.moment, room_minor=node.moment.room_minor)
        offer = candidate.offer
        if offer.threshold_base is not ThresholdBase.INITIAL and sight.left_minor < candidate.threshold_minor:
            return 0
        if candidate.by_line:
            effect = Reach(offer, node.moment, sight.places).effect
            gain = effect.amount_minor if node.moment.open_units(sight.places) >= candidate.units else 0
            self._next = (node.moment, place, effect)
        else:
            gain = taken(candidate, sight=sight)
        if gain and offer.threshold_base is ThresholdBase.AFTER_THIS and candidate.threshold_minor:
            effect = self._effect(candidate, moment=node.moment)
            if sight.left_minor - sum(effect.lines_minor) < candidate.threshold_minor:
                return 0
        same = sum(table.candidates[acting].offer.template_id == offer.template_id for acting in node.acting)
        return gain if same < candidate.at_most else 0

    def _note(self, node: _Node) -> None:
        self._found.append(node)
        best = self._best
        standing = node.saving_minor - best.saving_minor or len(best.acting) - len(node.acting)
        if standing > 0 or (standing == 0 and self._rank(node) < self._rank(best)):
            self._best = node

    def _rank(self, node: _Node) -> tuple[int, int, list[datetime], list[CouponId]]:
        """Larger saving, fewer coupons, earliest expiring, lowest ids: the least is the best."""
        offers = [self._table.stand_in[place] for place in node.acting]
        return (
            -node.saving_minor,
            len(offers),
            sorted(offer.valid_until for offer in offers),
            sorted(offer.coupon_id for offer in offers),
        )

    def _solution(self) -> Solution:
        best = self._best
        most = max([best.saving_minor, *(node.most_minor for _, node in self._open)])
        # What was left out of the search is part of what could still be saved.
        most = min(most + self._table.cut_minor, self._table.start.room_minor)
        gap = max(0, most - best.saving_minor)
        status = OptimalityStatus.BOUNDED if gap else OptimalityStatus.PROVEN
        return Solution(
            best=self._combination(best),
            optimality=Optimality(status, self._explored, gap),
            alternatives=self._alternatives(),
        )

    def _alternatives(self) -> tuple[Combination, ...]:
        shown = [frozenset(self._best.acting)]
        combinations: list[Combination] = []
        likely = heapq.nsmallest(_LIKELY, self._found, key=lambda node: (-node.saving_minor, len(node.acting)))
        for node in sorted(likely, key=self._rank):
            acting = frozenset(node.acting)
            if any(acting <= other for other in shown):
                continue
            shown.append(acting)
            combinations.append(self._combination(node))
            if len(combinations) == MAX_ALTERNATIVES:
                break
        return tuple(combinations)

    def _combination(self, node: _Node) -> Combination:
        """Its coupons in pricing order: the interchangeable ones that are used first."""
        offers = sorted((self._table.stand_in[place] for place in node.acting), key=lambda offer: offer.pricing_order)
        return Combination(tuple(offers), node.saving_minor)


def _sum_of(gone: Sequence[int | None], *, views: Sequence[int]) -> int | None:
    """The units that others may act on of lines that these views share; None where nobody knows."""
    total = 0
    for view in views:
        units = gone[view]
        if units is None:
            return None
        total += units
    return total
