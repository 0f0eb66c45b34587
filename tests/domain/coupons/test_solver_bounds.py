"""The bound of the search is admissible: what a way tells of all others is never less than what they come to."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.coupons.cart import Cart, CartLine, Scope
from domain.coupons.decision import Circumstances
from domain.coupons.lanes import Lane
from domain.coupons.moment import Moment
from domain.coupons.offer import CouponState, Offer, Stacking
from domain.coupons.solver.answers import StepBudget
from domain.coupons.solver.candidates import Limits
from domain.coupons.solver.hindsight import Hindsight
from domain.coupons.solver.kept import Shifts
from domain.coupons.solver.purses import Purse
from domain.coupons.solver.stands import Stand
from domain.coupons.solver.table import Table, tabulate
from domain.coupons.solver.unit_bounds import UnitBounds
from domain.coupons.solver.ways import Place, Way, walk
from tests.domain.coupons.carts import NOW, TEA_HOUSE, offer
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


def line(number: int, product: str, quantity: int, unit_price_minor: int) -> CartLine:
    return CartLine(str(number), product, TEA_HOUSE, quantity, unit_price_minor)


def coupon(number: int, kind: str, *, on: str = "", lane: Lane | None = None, priority: int = 0, **terms: int) -> Offer:
    """A coupon on some products that goes with all of its like."""
    together = Stacking(lane=lane, tags=frozenset("p"), combines_with_tags=frozenset("p"), priority=priority)
    return replace(offer(number, kind, **terms), stacking=together, scope=Scope(product_refs=frozenset(on)))


HARD: dict[str, tuple[list[CartLine], list[Offer], int]] = {
    "a unit of another line that costs as much": (
        [line(1, "a", 1, 2000), line(2, "b", 2, 2000)],
        [
            coupon(1, "FIXED_PRICE", price_minor=500),
            coupon(2, "FIXED_PRICE", price_minor=500),
            coupon(3, "PERCENT_OFF", on="b", payable_basis_points=5000),
        ],
        0,
    ),
    "a fixed price that leaves more to who takes all that is left": (
        [line(1, "a", 2, 1606), line(2, "b", 1, 2852), line(3, "c", 1, 2741)],
        [
            coupon(1, "FIXED_PRICE", on="b", price_minor=550),
            coupon(2, "FIXED_PRICE", price_minor=436),
            coupon(3, "CASH", on="b", lane=Lane.STORE_ORDER, face_minor=2002),
            coupon(4, "AMOUNT_OFF", amount_minor=2192),
        ],
        0,
    ),
    "a share of units that is rounded": (
        [line(1, "a", 2, 2709), line(2, "b", 3, 819), line(3, "c", 4, 88)],
        [
            coupon(1, "BUY_X_GET_Y", on="ac", buy_quantity=2, get_quantity=3),
            coupon(2, "BUY_X_GET_Y", buy_quantity=1, get_quantity=2, payable_basis_points=8500),
        ],
        0,
    ),
    "a unit that mattered to nobody until others came in": (
        [
            line(1, "a", 2, 2775),
            line(2, "b", 4, 2567),
            line(3, "c", 3, 1234),
            line(4, "c", 2, 26),
            line(5, "b", 1, 2299),
        ],
        [
            coupon(1, "FIXED_PRICE", on="c", price_minor=333),
            coupon(2, "BUY_X_GET_Y", on="c", buy_quantity=3, get_quantity=1, payable_basis_points=5000),
            coupon(3, "BUY_X_GET_Y", buy_quantity=2, get_quantity=3),
        ],
        0,
    ),
    "units whose prices points change": (
        [line(1, "c", 3, 1348), line(2, "b", 2, 2245), line(3, "a", 4, 519)],
        [
            coupon(1, "FIXED_PRICE", on="ca", lane=Lane.SHIPPING, price_minor=336),
            coupon(2, "FIXED_PRICE", on="b", lane=Lane.TENDER, price_minor=1),
        ],
        1000,
    ),
}
"""Wallets of which a way once told less of others than they came to."""


@pytest.mark.parametrize("name", HARD)
def test_what_a_way_tells_of_others_holds_where_it_did_not_once(name: str) -> None:
    lines, wallet, points_minor = HARD[name]
    start = Moment.at_start(Cart("CNY", tuple(lines)), min_payable_minor=0)
    table = tabulate(wallet, start=start, circumstances=CLAIMED, budget=StepBudget(1), points_minor=points_minor)
    ways = every_way(Place(Stand.at_start(start), (), 0, table.useful, 0), table)
    assert len(ways) > 2
    for way in ways:
        for counts_points in {False, points_minor > 0}:
            _check(way, ways, table, counts_points=counts_points)
