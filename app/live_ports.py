"""What the hub needs of the rest, and its bounds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias
from uuid import UUID

from domain.shared.events import StoredEvent
from domain.shared.principal import Scope
from persistence.redis.bus import Listening

Key: TypeAlias = tuple[UUID, str]


class EventLog(Protocol):
    """Where the streams are kept."""

    async def events_since(
        self, *, owner_id: UUID, stream: str, sequence: int, limit: int, scope: Scope
    ) -> Sequence[StoredEvent]:
        """The events after `sequence`, in order, at most `limit` of them."""
        ...

    async def instant(self) -> datetime:
        """What time it is there."""
        ...

    async def positions(self, *, owner_ids: Sequence[UUID], scope: Scope) -> Mapping[Key, int]:
        """The last sequence of every stream of these owners."""
        ...


class Bus(Protocol):
    """What says quickly that something happened."""

    @property
    def connected(self) -> bool:
        """Whether anything can arrive at all."""
        ...

    def want(self, owner_id: UUID) -> None:
        """Ask for what happens to an owner."""

    def unwant(self, owner_id: UUID) -> None:
        """Hear no more of an owner."""

    async def run(self, listening: Listening) -> None:
        """Listen until cancelled."""
        ...


class HubWatch(Protocol):
    """Who is told how the hub fares. All are plain calls."""

    def listeners(self, *, count: int) -> None:
        """So many listeners are open in this process."""

    def connected(self, *, connected: bool) -> None:
        """Whether Redis brings events, or PostgreSQL is asked for them."""

    def caught_up(self, *, reason: str) -> None:
        """Events were read from PostgreSQL: a `gap` of the bus, or a `slow` listener."""

    def task_failed(self, *, name: str, error: Exception) -> None:
        """A task of the hub itself ended, which none should; it is started again."""


@dataclass(frozen=True, slots=True)
class HubPace:
    """The hub's bounds and periods."""

    queue: int = 64
    page: int = 100
    # Who has missed more reads the whole again, which costs less than all of them one by one.
    replayed_most: int = 1000
    sweep_seconds: float = 15.0
    poll_seconds: float = 1.0
    confirm_seconds: float = 1.0
    open_seconds: float = 10.0
