"""The outbox: events are published from the rows that record them, at least once and never before their commit.

`Relay` is the one publisher; `SqlEventLog` is where listeners read what the bus did not bring.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol, cast
from uuid import UUID

import orjson
import sqlalchemy as sa
from asyncpg import Pool, Record

from domain.shared.events import StoredEvent
from domain.shared.principal import Scope
from persistence.base import Statement, arrays, scope_params, within_scope
from persistence.events import events, streams
from persistence.redis.client import REDIS_FAILURES
from persistence.sessions import POSTGRES_FAILURES, OpenSession, Session, close_session, try_lock

RELAY_LOCK: Final = "relay"

_IN_SCOPE_EVENTS: Final = within_scope(member=events.c.owner_id, merchant=events.c.owner_id)
_AGE_SECONDS: Final = sa.extract("epoch", sa.func.clock_timestamp() - events.c.occurred_at).cast(sa.Double)

# The order of the partial index: oldest first, so that no owner waits behind the backlog of another.
UNPUBLISHED_EVENTS = Statement(
    "unpublished_events",
    sa.select(
        events.c.owner_id,
        events.c.stream,
        events.c.sequence,
        events.c.kind,
        events.c.subject_id,
        sa.cast(events.c.facts, sa.Text).label("facts"),
        events.c.occurred_at,
        _AGE_SECONDS.label("age_seconds"),
    )
    .where(events.c.published_at.is_(None), _IN_SCOPE_EVENTS)
    .order_by(events.c.occurred_at, events.c.owner_id, events.c.sequence)
    .limit(sa.bindparam("batch", type_=sa.Integer)),
)

_sent = arrays("sent", {"owner_id": sa.Uuid(), "stream": sa.Text(), "sequence": sa.BigInteger()})
MARK_PUBLISHED = Statement(
    "mark_published",
    sa.update(events)
    .values(published_at=sa.func.clock_timestamp())
    .where(
        events.c.owner_id == _sent.c.owner_id,
        events.c.stream == _sent.c.stream,
        events.c.sequence == _sent.c.sequence,
        _IN_SCOPE_EVENTS,
    ),
)

EVENTS_SINCE = Statement(
    "events_since",
    sa.select(
        events.c.owner_id,
        events.c.stream,
        events.c.sequence,
        events.c.kind,
        events.c.subject_id,
        events.c.facts,
        events.c.occurred_at,
    )
    .where(
        events.c.owner_id == sa.bindparam("owner", type_=sa.Uuid),
        events.c.stream == sa.bindparam("of_stream", type_=sa.Text),
        events.c.sequence > sa.bindparam("since", type_=sa.BigInteger),
        _IN_SCOPE_EVENTS,
    )
    .order_by(events.c.sequence)
    .limit(sa.bindparam("batch", type_=sa.Integer)),
)

INSTANT = Statement("instant", sa.select(sa.func.clock_timestamp()))
_asked = arrays("asked", {"owners": sa.Uuid()})
STREAM_POSITIONS = Statement(
    "stream_positions",
    sa.select(streams.c.owner_id, streams.c.stream, streams.c.sequence).where(
        streams.c.owner_id == _asked.c.owners,
        within_scope(member=streams.c.owner_id, merchant=streams.c.owner_id),
    ),
)


def _stored(row: Record, *, facts: Mapping[str, Any]) -> StoredEvent:
    return StoredEvent(
        owner_id=row["owner_id"],
        stream=row["stream"],
        sequence=row["sequence"],
        kind=row["kind"],
        subject_id=row["subject_id"],
        facts=facts,
        occurred_at=row["occurred_at"],
    )


class SqlEventLog:
    """Reads the streams where they are kept, each read one short query on the pool."""

    def __init__(self, pool: "Pool[Record]") -> None:
        self._pool = pool

    async def events_since(
        self, *, owner_id: UUID, stream: str, sequence: int, limit: int, scope: Scope
    ) -> Sequence[StoredEvent]:
        """The events after `sequence`, in order, at most `limit` of them."""
        params = {"owner": owner_id, "of_stream": stream, "since": sequence, "batch": limit, **scope_params(scope)}
        async with self._pool.acquire() as connection:
            rows = await EVENTS_SINCE.fetch(connection, params)
        return [_stored(row, facts=row["facts"]) for row in rows]

    async def instant(self) -> datetime:
        """What time it is, by the database's clock."""
        async with self._pool.acquire() as connection:
            return cast("datetime", await INSTANT.value(connection, {}))

    async def positions(self, *, owner_ids: Sequence[UUID], scope: Scope) -> Mapping[tuple[UUID, str], int]:
        """The last sequence of every stream of these owners; a stream without events is not there."""
        params = {"owners": list(owner_ids), **scope_params(scope)}
        async with self._pool.acquire() as connection:
            rows = await STREAM_POSITIONS.fetch(connection, params)
        return {(row["owner_id"], row["stream"]): row["sequence"] for row in rows}


class Publishes(Protocol):
    """Where the relay sends events."""

    async def publish(self, events: Sequence[StoredEvent]) -> None:
        """Send the events in order; raises one of REDIS_FAILURES when it is not known that all were sent."""
        ...


class RelayWatch(Protocol):
    """Who is told how the relay fares. All are plain calls."""

    def leads(self, *, leading: bool) -> None:
        """Whether this process is the one that publishes."""

    def published(self, *, count: int) -> None:
        """So many events were published and marked."""

    def lags(self, *, seconds: float) -> None:
        """The age of the oldest event that waits to be published; 0 when none waits."""

    def failed(self, *, server: str, error: Exception) -> None:
        """`server` (postgresql or redis) did not answer; the relay tries again."""


@dataclass(frozen=True, slots=True)
class RelayPace:
    """How often the relay looks, and how much it takes at once."""

    batch: int = 500
    poll_seconds: float = 0.05
    standby_seconds: float = 1.0
    first_pause_seconds: float = 0.1
    longest_pause_seconds: float = 2.0


class NotPublished(Exception):
    """Redis did not take a batch, or not all of it: it stays in the outbox and is sent again."""

    def __init__(self, cause: Exception) -> None:
        super().__init__()
        self.cause = cause


class Relay:
    """Publishes what is committed, oldest first, one relay at a time among all processes.

    It reads on the session that holds its lock: a relay that lost the lock cannot read on. Published and then not
    marked (the process died between the two) means published again: listeners drop what they have seen by its sequence.
    """

    def __init__(
        self, *, open_session: OpenSession, publisher: Publishes, watch: RelayWatch, pace: RelayPace | None = None
    ) -> None:
        self._open_session = open_session
        self._publisher = publisher
        self._watch = watch
        self._pace = pace or RelayPace()
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Tell that a transaction of this process has committed events: they are published without waiting."""
        self._woken.set()

    async def run(self) -> None:
        """Publish until cancelled, or stand by while another process does."""
        pause = self._pace.first_pause_seconds
        while True:
            try:
                session = await self._open_session()
                try:
                    await self._stand_by(session)
                    pause = self._pace.first_pause_seconds
                    await self._lead(session)
                finally:
                    await close_session(session)
            except POSTGRES_FAILURES as error:
                self._watch.failed(server="postgresql", error=error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, self._pace.longest_pause_seconds)

    async def _stand_by(self, session: Session) -> None:
        while not await try_lock(session, name=RELAY_LOCK):  # noqa: ASYNC110 - the lock is another process's
            await asyncio.sleep(self._pace.standby_seconds)

    async def _lead(self, session: Session) -> None:
        self._watch.leads(leading=True)
        pause = self._pace.first_pause_seconds
        try:
            while True:
                self._woken.clear()
                try:
                    count = await self._forward(session)
                    pause = self._pace.first_pause_seconds
                except NotPublished as error:
                    self._watch.failed(server="redis", error=error.cause)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, self._pace.longest_pause_seconds)
                    continue
                if count == 0:
                    await self._wait()
        finally:
            self._watch.leads(leading=False)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._pace.poll_seconds):
                await self._woken.wait()
        except TimeoutError:
            pass

    async def _forward(self, session: Session) -> int:
        """Publish the oldest batch and mark it; returns how many events it held."""
        params = {"batch": self._pace.batch, **scope_params(Scope.system())}
        rows = await UNPUBLISHED_EVENTS.fetch(session, params)
        self._watch.lags(seconds=max((row["age_seconds"] for row in rows), default=0.0))
        if not rows:
            return 0
        batch = [_stored(row, facts=orjson.loads(row["facts"])) for row in rows]
        try:
            await self._publisher.publish(batch)
        except REDIS_FAILURES as error:
            raise NotPublished(error) from error
        await self._mark(session, rows)
        return len(rows)

    async def _mark(self, session: Session, rows: Sequence[Record]) -> None:
        params = {
            "owner_id": [row["owner_id"] for row in rows],
            "stream": [row["stream"] for row in rows],
            "sequence": [row["sequence"] for row in rows],
            **scope_params(Scope.system()),
        }
        await MARK_PUBLISHED.execute(session, params)
        self._watch.published(count=len(rows))
