"""How the programme earns, keeps and releases points."""

from dataclasses import dataclass
from typing import Final

from domain.points.checkin import SEVEN_DAYS, CheckInCycle
from domain.points.rules import ONE_POINT_PER_YUAN, Rate


@dataclass(frozen=True, slots=True)
class Worth:
    """What points pay: `points` of them pay `minor` of money. 100 points for ¥1 are Worth(1, 1)."""

    points: int
    minor: int

    def __post_init__(self) -> None:
        """Refuse points that are worth nothing, or money for none."""
        if self.points < 1 or self.minor < 1:
            raise ValueError("points pay money")

    def minor_of(self, points: int) -> int:
        """What so many points pay at most, rounded down."""
        return points * self.minor // self.points

    def points_for(self, minor: int) -> int:
        """The least points that pay so much."""
        return -(-minor * self.points // self.minor)


FEN_PER_POINT: Final = Worth(points=1, minor=1)


@dataclass(frozen=True, slots=True)
class PointsPolicy:
    """How points are earned (`rate`) and what they pay (`worth`).

    `release_days` after an order is received its points may be spent; they expire `valid_days` local days later.

    Points that a refund returns to a lot which has expired in the meantime expire at once (0), or are kept for
    `returned_grace_days` more.
    """

    rate: Rate = ONE_POINT_PER_YUAN
    worth: Worth = FEN_PER_POINT
    release_days: int = 7
    valid_days: int = 365
    returned_grace_days: int = 0
    check_in: CheckInCycle = SEVEN_DAYS


DEFAULT_POLICY: Final = PointsPolicy()
