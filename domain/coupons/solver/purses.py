"""What discounts are paid from, where that is limited: a campaign's budget, and of it what each funder may bear."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from domain.coupons.offer import Funder, FunderShare
from domain.shared.allocation import WHOLE_BASIS_POINTS, split_over_funders


@dataclass(frozen=True, slots=True)
class Purse:
    """What is left to be given, of all and by funder (who is not named may bear any amount).

    Coupons share one where `key` is the same. `left_minor` None: nothing is limited. From one that is `partial` a
    coupon that is worth more takes what there is.
    """

    key: object = None
    left_minor: int | None = None
    by_funder: Mapping[Funder, int] = field(default_factory=lambda: MappingProxyType({}))
    partial: bool = False

    def most_minor(self, funders: Sequence[FunderShare]) -> int | None:
        """What a discount that these bear may be at most, where nothing was drawn; None: any amount."""
        if self.left_minor is None:
            return None
        most = self.left_minor
        for share in funders:
            left = self.by_funder.get(share.funder)
            if left is not None and share.basis_points:
                # Shares are rounded: of an amount one minor unit larger it may still be the same.
                most = min(most, (left + len(funders)) * WHOLE_BASIS_POINTS // share.basis_points + 1)
        return most


NO_PURSE: Final = Purse()

Drawn = Mapping[tuple[object, Funder | None], int]
"""What was drawn already, by the purse's key and the funder; None: of all."""


def drawn_with(drawn: Drawn, purse: Purse, amount_minor: int, *, funders: Sequence[FunderShare]) -> Drawn:
    """What is drawn when so much more is."""
    if purse.left_minor is None:
        return drawn
    after = dict(drawn)
    for funder, amount in _draws(amount_minor, funders=funders):
        after[purse.key, funder] = after.get((purse.key, funder), 0) + amount
    return after


def lacking(drawn: Drawn, purse: Purse, amount_minor: int, *, funders: Sequence[FunderShare]) -> int:
    """How much less would have to be drawn for this amount to be covered; 0 where it is."""
    if purse.left_minor is None:
        return 0
    most = 0
    for funder, amount in _draws(amount_minor, funders=funders):
        left = purse.left_minor if funder is None else purse.by_funder.get(funder)
        if left is not None and amount:
            most = max(most, drawn.get((purse.key, funder), 0) + amount - left)
    return most


def most_from(drawn: Drawn, purse: Purse, amount_minor: int, *, funders: Sequence[FunderShare]) -> int:
    """How much of this amount is covered at most."""

    def left_of(funder: Funder | None) -> int | None:
        left = purse.left_minor if funder is None else purse.by_funder.get(funder)
        return None if left is None else left - drawn.get((purse.key, funder), 0)

    return most_covered(amount_minor, funders=funders, left_of=left_of)


def most_covered(
    amount_minor: int, *, funders: Sequence[FunderShare], left_of: Callable[[Funder | None], int | None]
) -> int:
    """The largest amount up to this one of which all and each funder have their part left (None: any amount).

    Every part grows with the amount, so that the largest is found by halving.
    """
    lefts = {funder: left_of(funder) for funder in (None, *(share.funder for share in funders))}

    def is_covered(amount: int) -> bool:
        parts = _draws(amount, funders=funders)
        return all(not part or (left := lefts[funder]) is None or part <= left for funder, part in parts)

    if is_covered(amount_minor):
        return amount_minor
    covered, uncovered = 0, amount_minor
    while uncovered - covered > 1:
        middle = (covered + uncovered) // 2
        covered, uncovered = (middle, uncovered) if is_covered(middle) else (covered, middle)
    return covered


def _draws(amount_minor: int, *, funders: Sequence[FunderShare]) -> list[tuple[Funder | None, int]]:
    (row,) = split_over_funders([amount_minor], basis_points=[share.basis_points for share in funders])
    return [(None, amount_minor), *((share.funder, part) for share, part in zip(funders, row, strict=True))]
