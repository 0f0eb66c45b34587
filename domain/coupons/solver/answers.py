"""What a search answers with, and how long it may go on."""

from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from domain.coupons.offer import Offer


class Budget(Protocol):
    """How long a search may go on. It is asked before every step, so that it may look at a clock."""

    def is_spent(self, *, explored: int) -> bool:
        """Whether the search must stop, having explored so many combinations."""
        ...


@dataclass(frozen=True, slots=True)
class StepBudget:
    """So many combinations explored, whatever the time: the same answer on every machine."""

    most: int

    def is_spent(self, *, explored: int) -> bool:
        """Whether the search must stop."""
        return explored >= self.most


class OptimalityStatus(Enum):
    """What is known of the best combination found.

    PROVEN: no combination of the coupons saves more. BOUNDED: one may, by at most the gap.
    """

    PROVEN = "PROVEN"
    BOUNDED = "BOUNDED"


@dataclass(frozen=True, slots=True)
class Optimality:
    """How good the best combination found is, how many combinations were explored, and what could still be saved."""

    status: OptimalityStatus
    explored: int
    gap_minor: int


ONLY_ONE: Final = Optimality(OptimalityStatus.PROVEN, explored=1, gap_minor=0)
"""Of coupons that somebody chose: there is no other combination."""


@dataclass(frozen=True, slots=True)
class Combination:
    """Coupons that all act together, in the order in which they do; what they take off, and what points pay then."""

    offers: tuple[Offer, ...]
    saving_minor: int
    points_minor: int = 0

    @property
    def value_minor(self) -> int:
        """What the member does not pay in money."""
        return self.saving_minor + self.points_minor


@dataclass(frozen=True, slots=True)
class Solution:
    """The best combination found, and other ones that the search came across.

    `alternatives` are the best others, larger saving first, then fewer coupons, earlier expiry and lower ids; none is a
    part of the best or of one before it. The search looks for the best alone: there may be others as good as these.
    """

    best: Combination
    optimality: Optimality
    alternatives: tuple[Combination, ...]
