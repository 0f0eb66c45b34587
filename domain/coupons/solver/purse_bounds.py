"""What limited purses leave to be gained: whoever draws on one, all of them together take what is in it at most."""

from typing import Final

from domain.coupons.solver.candidates import Candidate, How
from domain.coupons.solver.purses import NO_PURSE, Purse
from domain.coupons.solver.ways import Turn, Way
from domain.shared.allocation import WHOLE_BASIS_POINTS

_PLAIN: Final = frozenset({How.SUM, How.FEE})


class PurseBounds:
    """Those of one way.

    Where more could come in than a purse has left, or one that acts is cut, what draws on it is not looked at one by
    one: all that acts gives its amount back, and the purse is used up. `is_opaque`: it is not known how one that is cut
    acts on others, as it is of one that looks at a sum of lines or at the fee.
    """

    def __init__(self, way: Way) -> None:
        self._way = way
        self._left: dict[object, int] = {}
        self._opened: set[object] = set()
        self.is_opaque = False
        drawing = [turn for turn in way.turns if turn.candidate.purse is not NO_PURSE]
        for purse in {turn.candidate.purse.key: turn.candidate.purse for turn in drawing}.values():
            turns = [turn for turn in drawing if turn.candidate.purse.key == purse.key]
            left = _left_in(purse, way=way, turns=turns)
            could_enter = sum([turn.candidate.cap_minor for turn in turns if not turn.acts])
            if could_enter > left or any(turn.is_cut and turn.acts for turn in turns):
                self._left[purse.key] = left
                self.is_opaque |= purse.partial and any(turn.candidate.how not in _PLAIN for turn in turns)

    @property
    def any_short(self) -> bool:
        """Whether any purse is short."""
        return bool(self._left)

    def is_short(self, candidate: Candidate) -> bool:
        """Whether its purse is one of which more could be asked than it has left."""
        return bool(self._left) and candidate.purse is not NO_PURSE and candidate.purse.key in self._left

    def still_left(self, candidate: Candidate) -> int:
        """What its purse has left that nobody was given yet."""
        return 0 if candidate.purse.key in self._opened else self._left[candidate.purse.key]

    def left_once(self, candidate: Candidate) -> int:
        """The same, and it is given."""
        left = self.still_left(candidate)
        self._opened.add(candidate.purse.key)
        return left

    def most(self, candidate: Candidate) -> int:
        """What the candidate may take off from the beginning of the way on, if it alone draws on its purse."""
        most = candidate.purse.most_minor(candidate.offer.borne_by)
        return candidate.cap_minor if most is None else min(candidate.cap_minor, most)


def _left_in(purse: Purse, *, way: Way, turns: list[Turn]) -> int:
    """How much more than on the way may be taken off in all."""
    assert purse.left_minor is not None, "a purse that is limited"
    drawn = way.end.stand.drawn
    left = purse.left_minor - drawn.get((purse.key, None), 0)
    for funder, most in purse.by_funder.items():
        points = {
            share.basis_points for turn in turns for share in turn.candidate.offer.borne_by if share.funder is funder
        }
        if len(points) == 1 and all(_bears(turn, funder) for turn in turns):
            # Each discount's part is rounded by itself.
            of_funder = most - drawn.get((purse.key, funder), 0) + len(turns)
            left = min(left, of_funder * WHOLE_BASIS_POINTS // max(1, *points) + 1)
    return left


def _bears(turn: Turn, funder: object) -> bool:
    return any(share.funder is funder and share.basis_points for share in turn.candidate.offer.borne_by)
