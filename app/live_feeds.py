"""The streams that somebody listens to in this process, and how far each who listens has come."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from uuid import UUID

from domain.shared.events import StoredEvent


@dataclass(slots=True, eq=False)
class Listener:
    """One consumer of a stream. `position` is the last sequence that it was given."""

    capacity: int
    position: int | None
    behind: bool
    set_back: bool = False  # its stream is not as far as it was given
    queue: deque[StoredEvent] = field(default_factory=deque)
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def has_all(self) -> bool:
        """Whether there is nothing to do for it but to wait."""
        return not (self.behind or self.set_back or self.queue)

    def give(self, event: StoredEvent) -> bool:
        """Queue an event; False when the listener is too slow and has to read it later."""
        self.woken.set()
        if self.behind:
            return True  # it reads from PostgreSQL, and finds this event there
        if len(self.queue) < self.capacity:
            self.queue.append(event)
            return True
        self.fall_behind()
        return False

    def fall_behind(self) -> None:
        """From now on it reads from PostgreSQL, until it has caught up."""
        self.queue.clear()
        self.behind = True
        self.woken.set()

    def follows(self, event: StoredEvent) -> bool:
        """Whether the event is its next one; one that was seen is dropped, a gap is read again."""
        position = self.position or 0
        if event.sequence <= position:
            return False
        if event.sequence > position + 1:
            self.fall_behind()
            return False
        self.position = event.sequence
        return True

    def start_again(self, position: int) -> None:
        """It was set back: it reads on from there."""
        self.set_back = False
        self.fall_behind()
        self.position = position


@dataclass(slots=True, eq=False)
class Feed:
    """One stream with listeners here. `position` is the last sequence handed to them; None until it is first read."""

    owner_id: UUID
    stream: str
    position: int | None = None
    listeners: set[Listener] = field(default_factory=set)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    latest: int = 0
    catching_up: asyncio.Task[None] | None = None

    def open(self, position: int) -> None:
        """So far it has come: who listens to what is new begins there."""
        self.position = position
        for listener in self.listeners:
            if listener.position is None:
                listener.position = position
        self.ready.set()

    def set_back(self, position: int) -> None:
        """A database was restored: what comes now is numbered anew, and would be taken for what was seen."""
        self.position = self.latest = position
        for listener in self.listeners:
            listener.set_back = True
            listener.woken.set()
