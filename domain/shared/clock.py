"""The one door through which time enters."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time; the database's in production, a set one in tests."""

    def now(self) -> datetime:
        """The current instant, UTC."""
        ...
