"""What happened: one row per state change, which is history, push and outbox at once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeAlias
from uuid import UUID

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"

WALLET = "wallet"
POINTS = "points"
REDEMPTIONS = "redemptions"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to `subject_id`, told to `owner_id` on a stream, which the database numbers."""

    owner_id: UUID
    stream: str
    kind: str
    subject_id: UUID
    facts: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event with its number and its time."""

    owner_id: UUID
    stream: str
    sequence: int
    kind: str
    subject_id: UUID
    facts: Mapping[str, JSON]
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class MissedEvents:
    """Events up to this number were missed by one who asked too late for them: it reads the whole again."""

    sequence: int
    occurred_at: datetime


class Events(Protocol):
    """Appends events in the transaction of the write that caused them."""

    async def append(self, events: Sequence[Event]) -> Sequence[int]:
        """Numbers and stores the events; returns their sequences in the order given."""
        ...

    async def append_alike(
        self,
        owner_ids: Sequence[UUID],
        *,
        stream: str,
        kind: str,
        subject_ids: Sequence[UUID],
        facts: Mapping[str, JSON] | None = None,
    ) -> None:
        """Numbers and stores events of one kind and the same facts on one stream: to each owner of its subject.

        The same as `append`, for sets of a thousand: what they share is said once.
        """
        ...

    async def lock(self, owner_ids: Collection[UUID], *, stream: str) -> None:
        """Takes the owners' streams, in order, before anything of theirs is decided."""
        ...
