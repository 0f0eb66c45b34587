"""How the programme earns, keeps and releases points."""

from dataclasses import dataclass
from typing import Final

from domain.points.checkin import SEVEN_DAYS, CheckInCycle
from domain.points.rules import ONE_POINT_PER_YUAN, Rate


@dataclass(frozen=True, slots=True)
class PointsPolicy:
    """`release_days` after an order is received its points may be spent; they expire `valid_days` local days later.

    Points that a refund returns to a lot which has expired in the meantime expire at once (0), or are kept for
    `returned_grace_days` more.
    """

    rate: Rate = ONE_POINT_PER_YUAN
    release_days: int = 7
    valid_days: int = 365
    returned_grace_days: int = 0
    check_in: CheckInCycle = SEVEN_DAYS


DEFAULT_POLICY: Final = PointsPolicy()
