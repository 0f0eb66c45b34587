"""The bound of the search is admissible: what a way tells of all others is never less than what they come to."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.coupons.cart import Cart
from domain.coupons.decision import Circumstances
from domain.coupons.lanes import Lane
from domain.coupons.moment import Moment
from domain.coupons.offer import CouponState, Offer
from domain.coupons.solver.answers import StepBudget
from domain.coupons.solver.candidates import Limits
from domain.coupons.solver.hindsight import Hindsight
from domain.coupons.solver.kept import Shifts
from domain.coupons.solver.purses import Purse
from domain.coupons.solver.stands import Stand
from domain.coupons.solver.table import Table, tabulate
from domain.coupons.solver.unit_bounds import UnitBounds
from domain.coupons.solver.ways import Place, Way, walk
from tests.domain.coupons.carts import NOW
from tests.domain.coupons.test_solver_ties import round_cart, round_offer
from tests.domain.coupons.wallets import random_cart, random_wallet

CLAIMED = Circumstances(NOW, frozenset({CouponState.CLAIMED}))
Make: TypeAlias = Callable[[Random], tuple[Cart, list[Offer]]]
ON_UNITS = {"BUY_X_GET_Y", "FIXED_PRICE", "PRODUCT_EXCHANGE"}


def mixed(chance: Random) -> tuple[Cart, list[Offer]]:
    """Anything."""
    return random_cart(chance), random_wallet(chance, most=7, friendly=chance.random() < 0.75)


def units_first(chance: Random) -> tuple[Cart, list[Offer]]:
    """Coupons on units before all others, as their lanes have it."""
    wallet = []
    for one in random_wallet(chance, most=14, friendly=chance.random() < 0.8):
        lane = Lane.ITEM if one.kind in ON_UNITS else chance.choice([None, Lane.PLATFORM_ORDER])
        priority = one.stacking.priority + 5 * (one.kind in ON_UNITS)
        if one.kind in ON_UNITS or chance.random() < 0.3:
            wallet.append(replace(one, stacking=replace(one.stacking, lane=lane, priority=priority)))
    return random_cart(chance), wallet[:7]


def round_amounts(chance: Random) -> tuple[Cart, list[Offer]]:
    """Amounts that often leave nothing, or as much as others."""
    return round_cart(chance), [
        round_offer(chance, number) for number in chance.sample(range(1, 100), chance.randint(3, 7))
    ]


def random_limits(chance: Random, wallet: list[Offer]) -> Limits:
    """Two budgets for some of the coupons, or none."""
    if chance.random() < 0.7:
        return Limits()
    most = chance.choice([3, 500, 3000, 8000])
    purses = [None, *(Purse(key, chance.randint(1, most)) for key in "AB")]
    drawing = [(one.coupon_id, chance.choice(purses)) for one in wallet]
    return Limits(purse_of={coupon_id: purse for coupon_id, purse in drawing if purse is not None})


def every_way(start: Place, table: Table) -> list[Way]:
    """Every way through the wallet that differs from the others in what acts."""
    ways = {}
    for picks in range(1 << len(table.candidates)):
        if not picks & ~table.useful:
            way = walk(start, picks, table=table)
            ways[way.end.mask] = way
    return list(ways.values())


@pytest.mark.parametrize("make", [mixed, units_first, round_amounts], ids=lambda make: make.__name__)
@settings(max_examples=150, deadline=None)
@given(chance=st.randoms(use_true_random=True))
def test_no_way_comes_to_more_than_another_one_says_of_leaving_it_where_it_does(make: Make, chance: Random) -> None:
    cart, wallet = make(chance)
    points_minor = chance.choice([0, 0, 1, 1000, 3000, 20_000])
    start = Moment.at_start(cart, min_payable_minor=chance.randint(0, 1))
    table = tabulate(
        wallet,
        start=start,
        circumstances=CLAIMED,
        budget=StepBudget(1),
        limits=random_limits(chance, wallet),
        points_minor=points_minor,
    )
    ways = every_way(Place(Stand.at_start(start), (), 0, table.useful, 0), table)
    for way in chance.sample(ways, min(3, len(ways))):
        for counts_points in {False, points_minor > 0}:
            _check(way, ways, table, counts_points=counts_points)


def _check(way: Way, ways: list[Way], table: Table, *, counts_points: bool) -> None:
    part = 0 if counts_points else 1
    hindsight = Hindsight(way, table=table, unit_bounds=UnitBounds(table), shifts=Shifts(), counts_points=counts_points)
    bounds = {turn.number: int(most) for turn, most in hindsight.bounds()}
    best = max(other.end.value[part] for other in ways)
    hopeless = hindsight.hopeless(best)
    for other in ways:
        differs = other.end.mask ^ way.end.mask
        if differs:
            leaves_at = (differs & -differs).bit_length() - 1
            assert other.end.value[part] <= bounds[leaves_at]
        if other.end.value[part] == best and differs:
            assert not hopeless & other.end.mask
