"""Share an amount out over lines, units and funders so that every sum is exact, in whole minor units.

Three problems, three algorithms: over lines the largest remainder method (Hamilton), over the units of a line and over
lines by funders cumulative rounding. Nobody rounds a line by itself and nobody "absorbs the rest".
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from domain.shared.money import half_up

WHOLE_BASIS_POINTS: Final = 10_000


def allocate(amount: int, *, weights: Sequence[int], capacities: Sequence[int] | None = None) -> tuple[int, ...]:
    """Share `amount` out in proportion to the weights by largest remainders, never above a line's capacity.

    Each line gets ⌊amount·weight/total⌋; the units left over go to the largest remainders, of equal remainders to the
    larger weight, then to the earlier line. A line's capacity is what is left on it: its weight, unless told. What a
    full line cannot take goes to the others by the same rule. The sum is `amount`, or all that the lines with a
    weight can take where that is less; with no weight at all every line gets zero.
    """
    limits = weights if capacities is None else capacities
    _require_not_negative(amount, weights, limits)
    if capacities is None:
        total = sum(weights)
        return tuple(largest_remainders(min(amount, total), weights=weights, total=total))
    shares = [0] * len(weights)
    open_lines = [line for line, weight in enumerate(weights) if weight > 0 and limits[line] > 0]
    left = min(amount, sum(limits[line] for line in open_lines))
    while left:
        open_weights = [weights[line] for line in open_lines]
        offered = largest_remainders(left, weights=open_weights, total=sum(open_weights))
        full = [line for line, share in zip(open_lines, offered, strict=True) if share > limits[line]]
        if not full:
            for line, share in zip(open_lines, offered, strict=True):
                shares[line] = share
            break
        for line in full:
            shares[line] = limits[line]
            left -= limits[line]
        open_lines = [line for line in open_lines if line not in full]
    return tuple(shares)


def largest_remainders(amount: int, *, weights: Sequence[int], total: int) -> list[int]:
    """The shares of `allocate` where no line is full: an amount of 0 to `total`, the sum of weights none negative.

    A line without a weight has no remainder, and there are more lines with one than units left over.
    """
    if not total:
        return [0] * len(weights)
    products = [amount * weight for weight in weights]
    shares = [product // total for product in products]
    left = amount - sum(shares)
    if left:
        remainders = [product % total for product in products]
        least = sorted(remainders)[-left]
        tied = []
        for line, remainder in enumerate(remainders):
            if remainder > least:
                shares[line] += 1
                left -= 1
            elif remainder == least:
                tied.append(line)
        if left < len(tied):
            # Of equal remainders the larger weight; sorting keeps the order of lines, the earlier one first.
            tied.sort(key=lambda line: -weights[line])
        for line in tied[:left]:
            shares[line] += 1
    return shares


def _require_not_negative(amount: int, weights: Sequence[int], capacities: Sequence[int]) -> None:
    if len(weights) != len(capacities):
        raise ValueError("every line has one weight and one capacity")
    if amount < 0 or min(weights, default=0) < 0 or min(capacities, default=0) < 0:
        raise ValueError("amount, weights and capacities are not negative")


def share_of_units(amount: int, *, quantity: int, first: int, last: int) -> int:
    """What the units `first` to `last` (counted from 1, both included) bear of a line's amount.

    The share of units 1 to k is half_up(amount·k/quantity); any other run is a difference of two such shares, so that
    units refunded one by one sum to the line exactly.
    """
    if not 1 <= first <= last <= quantity:
        raise ValueError(f"units {first} to {last} are not units of a line of {quantity}")
    return half_up(amount * last, quantity) - half_up(amount * (first - 1), quantity)


def split_over_units(amount: int, *, quantity: int) -> tuple[int, ...]:
    """What each unit of a line bears of the line's amount."""
    return tuple(share_of_units(amount, quantity=quantity, first=unit, last=unit) for unit in range(1, quantity + 1))


def split_over_funders(amounts: Sequence[int], *, basis_points: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Split each line's amount over funders; lines and funders both sum exactly, and no share is negative.

    Answers one row for each line, one column for each funder. A funder's share of lines 1 to k is rounded from their
    running total, so that its whole share is that of the whole amount, however many lines there are. With more than two
    funders the first is split from the rest, then the second from what the others bear, and so on.
    """
    if sum(basis_points) != WHOLE_BASIS_POINTS or min(basis_points) < 0:
        raise ValueError("the funders' basis points are not negative and sum to 10000")
    rest, rest_points = list(amounts), WHOLE_BASIS_POINTS
    columns: list[list[int]] = []
    for points in basis_points[:-1]:
        column = _cumulative_share(rest, points, rest_points) if rest_points else [0] * len(rest)
        rest = [amount - share for amount, share in zip(rest, column, strict=True)]
        rest_points -= points
        columns.append(column)
    columns.append(rest)
    return tuple(zip(*columns, strict=True))


def _cumulative_share(amounts: Sequence[int], points: int, of_points: int) -> list[int]:
    running = [0]
    for amount in amounts:
        running.append(running[-1] + amount)
    return [
        half_up(after * points, of_points) - half_up(before * points, of_points) for before, after in pairwise(running)
    ]
