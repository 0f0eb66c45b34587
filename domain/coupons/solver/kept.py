"""What later coupons of a way make of an amount before them that is left out or comes in, and what rounding does.

An amount that is left out is still there for later coupons: one that takes a share of what is left on its lines wins
that share of it back, one that took all that was left may win back all. If its lines are others altogether, it wins
back a little too where coupons in between take fixed amounts, which are then shared out otherwise: what they move to
other lines is their amount's part of what was left to them at most, `smear` in all.

Where an amount comes in, later coupons that take a share of all of its lines take so much less.
"""

from dataclasses import dataclass


class Shifts:
    """By how much sharing an amount out over some lines by largest remainders may change the sum of others at most.

    Of m lines k are seen. Those k bear most too much where all of them are rounded up and all others down, by the same
    part of a unit each: k · (m - k) / m.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], float] = {}

    def shift(self, rounded: int, seen: int) -> float:
        """Of the lines that are rounded and those that are seen, as bits."""
        key = (rounded, seen)
        known = self._known.get(key)
        if known is None:
            inside, lines = (rounded & seen).bit_count(), rounded.bit_count()
            known = self._known[key] = inside * (lines - inside) / lines if lines else 0.0
        return known


@dataclass(frozen=True, slots=True)
class _Slope:
    """A coupon that takes a share of what is left on its lines; `gives_way`: less is counted where others come in."""

    lines: int
    share: float
    smear: float
    gives_way: bool


class Kept:
    """Built from the end of a way to its beginning; lines are bits."""

    def __init__(self, *, shifts: Shifts, every_line: int) -> None:
        self._shifts = shifts
        self._every_line = every_line
        self._slopes: list[_Slope] = []
        self._largest: dict[tuple[int, int], float] = {}
        self.overall = 1.0
        self.margin = 0.0

    def part(self, lines: int) -> float:
        """What is lost of an amount on these lines that is left out."""
        kept, smeared = 1.0, 0.0
        for slope in self._slopes:
            if lines & slope.lines:
                kept *= 1.0 - slope.share
            else:
                smeared += slope.share * slope.smear
        return max(0.0, kept - smeared)

    def net(self, lines: int) -> float:
        """What is gained of an amount on these lines that comes in."""
        net = 1.0
        for slope in self._slopes:
            if slope.gives_way and not lines & ~slope.lines:
                net *= 1.0 - slope.share * (1.0 if slope.lines == self._every_line else 1.0 - slope.smear)
        return net

    def slopes(self, lines: int, share: float, *, smear: float, gives_way: bool) -> None:
        """A coupon comes before what is known which takes a share."""
        self.overall *= 1.0 - share
        self._slopes.append(_Slope(lines, share, min(1.0, smear), gives_way))

    def rounds(self, minor: float) -> None:
        """Something is rounded, and may be by so much otherwise."""
        self.margin += minor

    def disturbs(self, lines: int, *, times: int) -> None:
        """An amount is shared out over these lines, in so many of the two ways."""
        for slope in self._slopes:
            self.margin += times * slope.share * self._shifts.shift(lines, slope.lines)

    def disturbs_once(self, rival_class: int, lines: int) -> None:
        """The same of one of a class of which one acts."""
        for number, slope in enumerate(self._slopes):
            moved, key = slope.share * self._shifts.shift(lines, slope.lines), (rival_class, number)
            before = self._largest.get(key, 0.0)
            if moved > before:
                self._largest[key] = moved
                self.margin += moved - before
