"""买赠券: who buys so many units gets some more for less, or for nothing."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from domain.coupons.lanes import Lane
from domain.coupons.terms import Basket, CouponKind, OnLines, require_term
from domain.shared.allocation import WHOLE_BASIS_POINTS, allocate
from domain.shared.money import half_up
from domain.shared.text import Text

MAX_UNITS: Final = 1000


@dataclass(frozen=True, slots=True)
class BuyXGetY:
    """Of the cheapest `buy_quantity` + `get_quantity` units in scope, pay less for the cheapest `get_quantity`.

    `payable_basis_points` is what is paid for those: 5000 is half their price. Left out they are free.
    """

    buy_quantity: int
    get_quantity: int
    payable_basis_points: int | None = None

    def __post_init__(self) -> None:
        """Refuse quantities that are none, and a share that is no discount."""
        for value, path in ((self.buy_quantity, "buyQuantity"), (self.get_quantity, "getQuantity")):
            require_term(1 <= value <= MAX_UNITS, path=path, reason=f"is 1 to {MAX_UNITS} units")
        if self.payable_basis_points is not None:
            require_term(
                1 <= self.payable_basis_points < WHOLE_BASIS_POINTS,
                path="payableBasisPoints",
                reason="is 1 to 9999: the part that the member pays, 5折 being 5000; left out, it is free",
            )


def _discount(terms: BuyXGetY, basket: Basket) -> OnLines:
    nothing = (0,) * len(basket.lines)
    got = _cheapest(basket, count=terms.get_quantity)
    taken = _cheapest(basket, count=terms.get_quantity + terms.buy_quantity)
    if sum(taken) < terms.get_quantity + terms.buy_quantity:
        return OnLines(nothing)
    prices = [line.units_minor(count) for line, count in zip(basket.lines, got, strict=True)]
    # Rounded once for the coupon, never line by line.
    off = half_up(sum(prices) * (WHOLE_BASIS_POINTS - (terms.payable_basis_points or 0)), WHOLE_BASIS_POINTS)
    return OnLines(allocate(off, weights=prices), taken)


def _cheapest(basket: Basket, *, count: int) -> tuple[int, ...]:
    """How many units of each line are among the cheapest so many; of equal prices the earlier line's."""
    taken = [0] * len(basket.lines)
    open_places = [place for place, line in enumerate(basket.lines) if line.open_units]
    for place in sorted(open_places, key=lambda place: (basket.lines[place].unit_price, place)):
        taken[place] = min(count, basket.lines[place].open_units)
        count -= taken[place]
    return tuple(taken)


def _fold(basis_points: int) -> str:
    return f"{Fraction(basis_points, 1000).numerator / Fraction(basis_points, 1000).denominator:.3f}".rstrip("0").rstrip(".")
