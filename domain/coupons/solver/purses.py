"""What discounts are paid from, where that is limited: a campaign's budget, and of it what each funder may bear."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from domain.coupons.offer import Funder, FunderShare
from domain.shared.allocation import WHOLE_BASIS_POINTS, split_over_funders


@dataclass(frozen=True, slots=True)
class Purse:
    """What is left to be given, of all and by funder (who is not named may bear any amount).

    Coupons share one where `key` is the same. `left_minor` None: nothing is limited.
    """

    key: object = None
    left_minor: int | None = None
    by_funder: Mapping[Funder, int] = field(default_factory=lambda: MappingProxyType({}))

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


def _draws(amount_minor: int, *, funders: Sequence[FunderShare]) -> list[tuple[Funder | None, int]]:
    (row,) = split_over_funders([amount_minor], basis_points=[share.basis_points for share in funders])
    return [(None, amount_minor), *((share.funder, part) for share, part in zip(funders, row, strict=True))]
