"""Which of two combinations that save the same is better, and whether one could still be.

Fewer coupons come first, then the earliest expiring, then the lowest ids.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property

from domain.coupons.solver.table import Table

Rank = tuple[int, list[datetime], list[int]]
"""How many coupons, when they expire, and their ids, in order. The least is the best."""


def rank_of(acting: Sequence[int], *, table: Table) -> Rank:
    """The rank of a combination."""
    offers = [table.stand_in[number] for number in acting]
    return (
        len(offers),
        sorted([offer.valid_until for offer in offers]),
        sorted([offer.coupon_id.int for offer in offers]),
    )


class Ranks:
    """What combinations of a table could be at best; the orders of its coupons are made once."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def may_be_less(self, acting: Sequence[int], allowed: int, *, missing_minor: int, than: Rank) -> bool:
        """Whether these and some that are allowed, which take off so much at least, could be of a lower rank.

        They are no fewer than if each took off its most, expire no earlier and have no lower ids than as many of all.
        """
        more = self._fewest(allowed, missing_minor=missing_minor, at_most=than[0] - len(acting))
        count = len(acting) + more
        if count != than[0]:
            return count < than[0]
        table = self._table
        first = self._first(self._by_expiry, allowed, count=more)
        expiries = sorted([table.stand_in[number].valid_until for number in [*acting, *first]])
        if expiries != than[1]:
            return expiries < than[1]
        first = self._first(self._by_id, allowed, count=more)
        return sorted([table.stand_in[number].coupon_id.int for number in [*acting, *first]]) < than[2]

    @cached_property
    def _by_cap(self) -> Sequence[int]:
        candidates = self._table.candidates
        return sorted(range(len(candidates)), key=lambda number: -candidates[number].cap_minor)

    @cached_property
    def _by_expiry(self) -> Sequence[int]:
        stand_in = self._table.stand_in
        return sorted(range(len(stand_in)), key=lambda number: stand_in[number].valid_until)

    @cached_property
    def _by_id(self) -> Sequence[int]:
        stand_in = self._table.stand_in
        return sorted(range(len(stand_in)), key=lambda number: stand_in[number].coupon_id.int)

    def _fewest(self, allowed: int, *, missing_minor: int, at_most: int) -> int:
        """How many of these it takes at least; more than `at_most` where as many do not suffice."""
        if missing_minor <= 0:
            return 0
        found = self._first(self._by_cap, allowed, count=max(0, at_most))
        for count, number in enumerate(found, 1):
            missing_minor -= self._table.candidates[number].cap_minor
            if missing_minor <= 0:
                return count
        return at_most + 1

    def _first(self, numbers: Sequence[int], allowed: int, *, count: int) -> list[int]:
        """The first of these that are allowed, of a class of which one acts the first."""
        rivals, found, classes = self._table.rivals, list[int](), set[int]()
        for number in numbers:
            if len(found) == count:
                break
            if allowed >> number & 1:
                of = rivals.of[number]
                if rivals.friendly[of] or of not in classes:
                    classes.add(of)
                    found.append(number)
        return found
