"""How much the coupons that are still to come can save at most.

The bound is admissible: it is never less than what any combination of them saves. Each coupon counts for what it takes
off now, or for its cap, since less is left whenever it acts later. Within a lane either one coupon that goes with no
other of its lane acts, or of every colour (a set of which no two go together) one does. The sum stops at the room that
the payable floor leaves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from domain.coupons.lanes import Lane
from domain.coupons.solver.table import Table


@dataclass(frozen=True, slots=True)
class Weight:
    """What one candidate can save from here on, at most."""

    place: int
    minor: int


@dataclass(slots=True)
class _LaneBound:
    """What one lane can save at most: its best loner, or the best of each colour."""

    loner: int = 0
    colours: dict[int, int] = field(default_factory=dict)
    together: int = 0

    def add(self, weight: int, *, colour: int, is_loner: bool) -> None:
        if is_loner:
            self.loner = max(self.loner, weight)
            return
        before = self.colours.get(colour, 0)
        if weight > before:
            self.colours[colour] = weight
            self.together += weight - before

    @property
    def most(self) -> int:
        return max(self.loner, self.together)


def bounds(weights: Sequence[Weight], *, table: Table) -> tuple[int, list[int]]:
    """What these (in pricing order) can save at most, and for each what the later ones can once it acts.

    The room is not regarded.
    """
    lanes: dict[Lane, _LaneBound] = {}
    rest, after = 0, [0] * len(weights)
    for nth in range(len(weights) - 1, -1, -1):
        weight = weights[nth]
        lane = table.candidates[weight.place].lane
        mine = lanes.setdefault(lane, _LaneBound())
        colour, is_loner = table.colour[weight.place], table.loner[weight.place]
        others = 0 if is_loner else mine.together - mine.colours.get(colour, 0)
        after[nth] = rest - mine.most + others
        rest -= mine.most
        mine.add(weight.minor, colour=colour, is_loner=is_loner)
        rest += mine.most
    return rest, after


def fewest(weights: Sequence[Weight], *, needed_minor: int) -> int:
    """How many of these it takes at least to save so much; one more than there are where all of them do not."""
    count = 0
    for minor in sorted((weight.minor for weight in weights), reverse=True):
        if needed_minor <= 0:
            break
        needed_minor -= minor
        count += 1
    return count if needed_minor <= 0 else count + 1
