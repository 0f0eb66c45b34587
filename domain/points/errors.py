"""Refusals of the points slice."""

from dataclasses import dataclass
from datetime import datetime

from domain.shared.errors import Refusal


@dataclass(eq=False)
class InsufficientPoints(Refusal):
    """The member has too few points, or owes some: `shortfall` is what is missing."""

    required: int
    available: int
    shortfall: int


@dataclass(eq=False)
class AlreadyCheckedIn(Refusal):
    """Today's check-in is done; the next one may be had from `next_at`."""

    next_at: datetime
