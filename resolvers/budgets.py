"""How long a search may take before it answers with what it has."""

from collections.abc import Callable
from time import perf_counter
from typing import Final

BEST_QUOTE_SECONDS: Final = 0.02


class TimeBudget:
    """So many seconds from now on, whatever was explored."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._ends_at = clock() + seconds

    def is_spent(self, *, explored: int) -> bool:
        """Whether the time is over."""
        del explored
        return self._clock() >= self._ends_at
