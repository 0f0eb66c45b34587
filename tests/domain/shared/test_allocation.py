"""Amounts are shared out over lines, units and funders without losing or inventing a fen."""

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.shared.allocation import allocate, share_of_units, split_over_funders, split_over_units

AMOUNTS = st.integers(min_value=0, max_value=10**9)
WEIGHTS = st.lists(st.integers(min_value=0, max_value=10**9), max_size=30)


@pytest.mark.parametrize(
    ("amount", "weights", "shares"),
    [
        (1000, [1000, 1000, 1000], (334, 333, 333)),
        (300, [1999, 500, 1], (240, 60, 0)),
        (2000, [9990, 10, 2000], (1665, 2, 333)),
    ],
)
def test_golden_allocations(amount: int, weights: list[int], shares: tuple[int, ...]) -> None:
    assert allocate(amount, weights=weights) == shares


def test_mall_356_three_equal_lines_bear_all_of_the_discount() -> None:
    # https://github.com/macrozheng/mall/issues/356: each line was rounded by itself and 1000 became 999.
    assert sum(allocate(1000, weights=[1000, 1000, 1000])) == 1000


def test_equal_remainders_go_to_the_larger_line_then_to_the_earlier() -> None:
    # 2 over 1:3 leaves remainders 2/4 and 2/4: the larger line, though later, takes the unit.
    assert allocate(2, weights=[1, 3]) == (0, 2)
    assert allocate(1, weights=[5, 5]) == (1, 0)
    assert allocate(2, weights=[7, 7, 7]) == (1, 1, 0)


def test_without_any_weight_every_line_gets_zero() -> None:
    assert allocate(100, weights=[0, 0]) == (0, 0)
    assert allocate(100, weights=[]) == ()


def test_more_than_the_lines_hold_stops_at_what_they_hold() -> None:
    assert allocate(5000, weights=[1000, 0, 500]) == (1000, 0, 500)


def test_what_a_full_line_cannot_take_goes_to_the_others() -> None:
    assert allocate(900, weights=[1000, 1000, 1000], capacities=[100, 1000, 1000]) == (100, 400, 400)
    assert allocate(900, weights=[1000, 1000, 0], capacities=[100, 300, 1000]) == (100, 300, 0)
    assert allocate(3, weights=[1, 1], capacities=[1, 3]) == (1, 2)
    assert allocate(10, weights=[1, 10**9], capacities=[50, 4]) == (6, 4)


def test_negative_input_is_refused() -> None:
    for amount, weights, capacities in [(-1, [1], [1]), (1, [-1], [1]), (1, [1], [-1]), (1, [1, 2], [1])]:
        with pytest.raises(ValueError, match=r"not negative|one weight and one capacity"):
            allocate(amount, weights=weights, capacities=capacities)


@given(amount=AMOUNTS, weights=WEIGHTS)
def test_lines_sum_to_the_amount_and_none_bears_more_than_it_holds(amount: int, weights: list[int]) -> None:
    shares = allocate(amount, weights=weights)
    assert sum(shares) == min(amount, sum(weights))
    assert all(0 <= share <= weight for share, weight in zip(shares, weights, strict=True))


@given(amount=AMOUNTS, weights=WEIGHTS)
def test_no_line_is_more_than_one_unit_from_its_exact_share(amount: int, weights: list[int]) -> None:
    total, amount = sum(weights), min(amount, sum(weights))
    for share, weight in zip(allocate(amount, weights=weights), weights, strict=True):
        assert total == 0 or abs(share - Fraction(amount * weight, total)) < 1


@given(amount=AMOUNTS, weights=WEIGHTS)
def test_a_larger_line_never_bears_less(amount: int, weights: list[int]) -> None:
    shares = allocate(amount, weights=weights)
    for line, other in product(range(len(weights)), repeat=2):
        if weights[line] > weights[other]:
            assert shares[line] >= shares[other]
        if weights[line] == weights[other] and line < other:
            assert 0 <= shares[line] - shares[other] <= 1


@given(data=st.data(), amount=AMOUNTS, weights=WEIGHTS)
def test_capacities_hold_and_the_sum_is_all_that_fits(data: st.DataObject, amount: int, weights: list[int]) -> None:
    capacities = [data.draw(st.integers(min_value=0, max_value=10**9)) for _ in weights]
    shares = allocate(amount, weights=weights, capacities=capacities)
    fits = sum(capacity for capacity, weight in zip(capacities, weights, strict=True) if weight)
    assert sum(shares) == min(amount, fits)
    assert all(0 <= share <= capacity for share, capacity in zip(shares, capacities, strict=True))


def test_golden_units_of_1000_over_three() -> None:
    assert split_over_units(1000, quantity=3) == (333, 334, 333)


@given(amount=AMOUNTS, quantity=st.integers(min_value=1, max_value=60))
def test_units_refunded_in_any_runs_sum_to_the_line(amount: int, quantity: int) -> None:
    units = split_over_units(amount, quantity=quantity)
    assert sum(units) == amount
    assert all(unit >= 0 for unit in units)
    assert max(units) - min(units) <= 1
    for first in range(1, quantity + 1):
        run = share_of_units(amount, quantity=quantity, first=first, last=quantity)
        assert run == sum(units[first - 1 :])


@pytest.mark.parametrize(("first", "last"), [(0, 1), (2, 1), (1, 4)])
def test_units_outside_the_line_are_refused(first: int, last: int) -> None:
    with pytest.raises(ValueError, match="not units of a line of 3"):
        share_of_units(100, quantity=3, first=first, last=last)


def test_golden_split_of_1000_between_platform_and_merchant() -> None:
    # Rounding each line by itself gives the platform 167 + 167 + 167 = 501.
    rows = split_over_funders([334, 333, 333], basis_points=[5000, 5000])
    assert rows == ((167, 167), (167, 166), (166, 167))


def test_the_third_funder_bears_its_part_of_what_the_first_leaves() -> None:
    assert split_over_funders([1000, 500], basis_points=[5000, 2500, 2500]) == ((500, 250, 250), (250, 125, 125))


def test_a_funder_that_bears_everything_bears_every_line() -> None:
    assert split_over_funders([5, 7], basis_points=[10_000]) == ((5,), (7,))
    assert split_over_funders([5, 7], basis_points=[10_000, 0]) == ((5, 0), (7, 0))
    assert split_over_funders([5, 7], basis_points=[0, 10_000]) == ((0, 5), (0, 7))
    assert split_over_funders([5], basis_points=[10_000, 0, 0]) == ((5, 0, 0),)
    assert split_over_funders([], basis_points=[10_000]) == ()


@pytest.mark.parametrize("basis_points", [[5000], [5000, 5001], [-1, 10_001]])
def test_basis_points_that_do_not_make_a_whole_are_refused(basis_points: list[int]) -> None:
    with pytest.raises(ValueError, match="10000"):
        split_over_funders([1], basis_points=basis_points)


@st.composite
def _basis_points(draw: st.DrawFn) -> list[int]:
    cuts = sorted(draw(st.lists(st.integers(min_value=0, max_value=10_000), max_size=4)))
    return [after - before for before, after in zip([0, *cuts], [*cuts, 10_000], strict=True)]


@given(amounts=st.lists(AMOUNTS, min_size=1, max_size=30), basis_points=_basis_points())
def test_lines_and_funders_both_sum_exactly(amounts: list[int], basis_points: list[int]) -> None:
    rows = split_over_funders(amounts, basis_points=basis_points)
    assert [sum(row) for row in rows] == amounts
    assert all(share >= 0 for row in rows for share in row)
    columns = [sum(column) for column in zip(*rows, strict=True)]
    # What a funder bears in all does not depend on how the amount lies over the lines.
    assert columns == list(split_over_funders([sum(amounts)], basis_points=basis_points)[0])
