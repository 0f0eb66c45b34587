"""Refusals of the points slice."""

from dataclasses import dataclass
from datetime import datetime

from domain.shared.errors import Refusal


@dataclass(eq=False)
class InsufficientPoints(Refusal):
    """The member has too few points, or owes some: `shortfall` is what is missing.

    With `some_lapsed`, more were held for an order though its time is over: once they are returned, decide again.
    """

    required: int
    available: int
    shortfall: int
    some_lapsed: bool = False


@dataclass(eq=False)
class AlreadyCheckedIn(Refusal):
    """Today's check-in is done; the next one may be had from `next_at`."""

    next_at: datetime
