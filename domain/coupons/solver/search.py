"""The search: best bound first, after one dive for a good start."""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.coupons.cart import Cart
from domain.coupons.decision import Circumstances, Condition
from domain.coupons.moment import Moment, Reach
from domain.coupons.offer import CouponState, Offer, ThresholdBase
from domain.coupons.pricing import PricingPolicy
from domain.coupons.solver.answers import Budget, Combination, Optimality, OptimalityStatus, Solution
from domain.coupons.solver.bounds import Weight, bounds, fewest
from domain.coupons.solver.candidates import Sight, taken
from domain.coupons.solver.table import Table, tabulate
from domain.shared.ids import CouponId

MAX_ALTERNATIVES: Final = 10


@dataclass(frozen=True, slots=True)
class _Node:
    """A combination: the candidates that act, in order, what they save, and what the best that begins so saves at most.

    `before` is the moment at which the last of them acts, `allowed` are the candidates that may still act after it.
    """

    most_minor: int
    saving_minor: int
    acting: tuple[int, ...]
    before: Moment
    allowed: int

    @property
    def urgency(self) -> tuple[int, int, tuple[int, ...]]:
        """What is explored first: the highest bound, then the larger saving, then the earlier in pricing order."""
        return (-self.most_minor, -self.saving_minor, self.acting)


def solve(
    cart: Cart,
    offers: Sequence[Offer],
    *,
    policy: PricingPolicy,
    at: datetime,
    budget: Budget,
    conditions: Sequence[Condition] = (),
) -> Solution:
    """Find the coupons that leave the member paying least, and prove it as far as the budget goes.

    The order of `offers` changes nothing. Of combinations that save the same: fewer coupons, then the earliest
    expiring, then the lowest ids; where the budget runs out between such the saving is proven and the choice is not.
    """
    start = Moment.at_start(cart, min_payable_minor=policy.min_payable_minor)
    circumstances = Circumstances(at, frozenset({CouponState.CLAIMED}), tuple(conditions))
    return _Search(tabulate(offers, start=start, circumstances=circumstances)).run(budget)


class _Search:
    """One search: what is open, what was found, and the best of it."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._open: list[tuple[tuple[int, int, tuple[int, ...]], _Node]] = []
        self._found: list[_Node] = []
        self._explored = 0
        self._best = _Node(table.start.room_minor, 0, (), table.start, table.useful)

    def run(self, budget: Budget) -> Solution:
        """Search until nothing open can be better, or the budget is spent."""
        self._dive(self._best)
        while self._open and self._may_improve(self._open[0][1]) and not budget.is_spent(explored=self._explored):
            _, node = heapq.heappop(self._open)
            for child in self._children(node):
                heapq.heappush(self._open, (child.urgency, child))
        return self._solution()

    def _dive(self, node: _Node | None) -> None:
        """Follow the most promising child to the end, so that there is something good to hold the others against."""
        while node is not None:
            children = sorted((child.urgency, child) for child in self._children(node))
            node = children[0][1] if children else None
            for child in children[1:]:
                heapq.heappush(self._open, child)

    def _may_improve(self, node: _Node) -> bool:
        """Whether what begins so can save more than the best, or as much with no more coupons."""
        if node.most_minor == self._best.saving_minor:
            return len(node.acting) < len(self._best.acting)
        return node.most_minor > self._best.saving_minor

    def _children(self, node: _Node) -> Iterator[_Node]:
        """The combinations of one coupon more that are worth exploring; all of them are noted as found."""
        self._explored += 1
        table, moment = self._table, self._moment_after(node)
        weights, gains = self._look(node, moment=moment)
        room = moment.room_minor
        rest_of_all, after = bounds(weights, table=table)
        if not self._may_lead_further(node, weights, most=min(room, rest_of_all)):
            return
        for weight, gain, rest in zip(weights, gains, after, strict=True):
            if not gain:
                continue
            saving = node.saving_minor + gain
            child = _Node(
                saving + min(rest, room - gain),
                saving,
                (*node.acting, weight.place),
                moment,
                node.allowed & table.goes_with[weight.place],
            )
            self._note(child)
            if self._may_improve(child):
                yield child

    def _may_lead_further(self, node: _Node, weights: Sequence[Weight], *, most: int) -> bool:
        """The same question as at first, with what is known now that the moment is worked out."""
        missing = self._best.saving_minor - node.saving_minor
        if most != missing:
            return most > missing
        return len(node.acting) + fewest(weights, needed_minor=missing) <= len(self._best.acting)

    def _moment_after(self, node: _Node) -> Moment:
        if not node.acting:
            return node.before
        candidate = self._table.candidates[node.acting[-1]]
        effect = Reach(candidate.offer, node.before, self._table.views[candidate.view]).effect
        return node.before.after(candidate.offer, effect=effect)

    def _look(self, node: _Node, *, moment: Moment) -> tuple[list[Weight], list[int]]:
        """What each allowed candidate can save from here on at most, and what it saves next (0: it does not act)."""
        table, last = self._table, node.acting[-1] if node.acting else -1
        sights: dict[int, Sight] = {}
        weights, gains, room = [], [], moment.room_minor
        allowed = node.allowed
        while allowed:
            place = (allowed & -allowed).bit_length() - 1
            allowed &= allowed - 1
            candidate, before = table.candidates[place], table.before[place]
            if -1 < before <= last and before not in node.acting:
                continue  # The one before it was passed over; it would only be another name for that.
            sight = sights.get(candidate.view)
            if sight is None:
                places = table.views[candidate.view]
                left = sum(map(moment.left_minor.__getitem__, places))
                sight = sights[candidate.view] = Sight(moment, places, left, room)
            early = candidate.offer.threshold_base is ThresholdBase.INITIAL
            if not early and sight.left_minor < candidate.threshold_minor:
                continue
            gain = taken(candidate, sight=sight)
            weight = min(candidate.cap_minor, sight.left_minor, room) if candidate.by_line else gain
            if not weight:
                continue
            weights.append(Weight(place, weight))
            acts = (before == -1 or before in node.acting) and self._acts(node, place=place, sight=sight)
            gains.append(gain if acts else 0)
        return weights, gains

    def _acts(self, node: _Node, *, place: int, sight: Sight) -> bool:
        """Whether nothing else forbids it: the threshold after itself, and how many of its template the order takes."""
        candidate, table = self._table.candidates[place], self._table
        if candidate.offer.threshold_base is ThresholdBase.AFTER_THIS and candidate.threshold_minor:
            effect = Reach(candidate.offer, sight.moment, sight.places).effect
            if sight.left_minor - sum(effect.lines_minor) < candidate.threshold_minor:
                return False
        template_id = candidate.offer.template_id
        same = sum(table.candidates[acting].offer.template_id == template_id for acting in node.acting)
        return same < candidate.at_most

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
        most = max([best.saving_minor, *(node.most_minor for _, node in self._open[:1])])
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
        for node in sorted(self._found, key=self._rank):
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
