"""What an order takes at most: searched without that limit, then held to it."""

from collections.abc import Sequence
from dataclasses import replace
from heapq import nlargest

from domain.coupons.offer import MAX_COUPONS_PER_ORDER, Offer
from domain.coupons.solver.answers import Optimality, OptimalityStatus, Solution
from domain.coupons.solver.table import Table


def worth_most(offers: Sequence[Offer], *, table: Table) -> list[Offer]:
    """As many of these as an order takes: those that could take most off, of equal ones those that expire first."""
    caps = {offer.coupon_id: one.cap_minor for one, offer in zip(table.candidates, table.stand_in, strict=True)}
    ordered = sorted(offers, key=lambda one: (-caps[one.coupon_id], one.valid_until, one.coupon_id.int))
    return ordered[:MAX_COUPONS_PER_ORDER]


def held_against(fewer: Solution, unlimited: Solution, *, table: Table) -> Solution:
    """The best of what an order takes, proven by what could be had with more coupons, or by as many that take most."""
    without_limit = unlimited.best.value_minor + unlimited.optimality.gap_minor
    largest = nlargest(MAX_COUPONS_PER_ORDER, [one.cap_minor for one in table.candidates])
    most = min(without_limit, sum(largest) + table.cut_minor + table.points_minor)
    gap = max(0, most - fewer.best.value_minor)
    status = OptimalityStatus.BOUNDED if gap else OptimalityStatus.PROVEN
    explored = unlimited.optimality.explored + fewer.optimality.explored
    found = replace(fewer, optimality=Optimality(status, explored, gap))
    others = [one for one in unlimited.alternatives if one.value_minor <= fewer.best.value_minor]
    return with_possible_alternatives(replace(found, alternatives=(*fewer.alternatives, *others)))


def with_possible_alternatives(found: Solution) -> Solution:
    """Without those that are more than an order takes."""
    alternatives = [one for one in found.alternatives if len(one.offers) <= MAX_COUPONS_PER_ORDER]
    return replace(found, alternatives=tuple(alternatives))
