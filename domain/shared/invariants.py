"""What must always hold, recomputed from the rows. A violation is an incident, never a refusal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Violation:
    """What breaks an invariant: its name, and what was found."""

    name: str
    detail: str


class Invariants(Protocol):
    """The invariants of one slice, looked after in the rows."""

    async def violations(self, *, limit: int) -> Sequence[Violation]:
        """What breaks them, at most so many of each."""
        ...
