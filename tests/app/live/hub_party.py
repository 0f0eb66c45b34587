"""A hub with its friends, and readers of its streams, for the tests of live push."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from uuid import UUID, uuid5

from typing_extensions import override

from app.live import Hub
from app.live_ports import HubPace
from domain.shared.events import MissedEvents, StoredEvent
from domain.shared.principal import Scope
from persistence.engine import open_pool
from persistence.outbox import SqlEventLog
from persistence.redis.bus import Publisher, Subscriber
from persistence.redis.client import open_redis
from tests.live import (
    WALLET,
    EventDatabase,
    Told,
    Valkey,
    running,
    until,
)

NAMES = UUID("00000000-0000-0000-0000-0000000011fe")
ANA, BEA = uuid5(NAMES, "ana"), uuid5(NAMES, "bea")
NO_POLL = HubPace(sweep_seconds=60, poll_seconds=60, confirm_seconds=0.5)
QUICK_POLL = HubPace(sweep_seconds=60, poll_seconds=0.05, confirm_seconds=0.5)
QUICK_SWEEP = HubPace(sweep_seconds=0.1, poll_seconds=0.05, confirm_seconds=0.5)


class Counting(SqlEventLog):
    """Counts what is read from PostgreSQL."""

    reads = 0
    checks = 0
    is_away = False
    held: "tuple[asyncio.Event, asyncio.Event] | None" = None

    @contextmanager
    def away(self) -> Iterator[None]:
        """The database cannot be read."""
        self.is_away = True
        try:
            yield
        finally:
            self.is_away = False

    @asynccontextmanager
    async def late_positions(self) -> AsyncIterator[asyncio.Event]:
        """Positions are read, when the event says so, and arrive when the block ends."""
        has_read, may_arrive = self.held = asyncio.Event(), asyncio.Event()
        try:
            yield has_read
        finally:
            self.held = None
            may_arrive.set()

    @override
    async def events_since(
        self, *, owner_id: UUID, stream: str, sequence: int, limit: int, scope: Scope
    ) -> Sequence[StoredEvent]:
        self.reads += 1
        if self.is_away:
            raise ConnectionResetError
        return await super().events_since(owner_id=owner_id, stream=stream, sequence=sequence, limit=limit, scope=scope)

    @override
    async def positions(self, *, owner_ids: Sequence[UUID], scope: Scope) -> Mapping[tuple[UUID, str], int]:
        self.checks += 1
        if self.is_away:
            raise ConnectionResetError
        found = await super().positions(owner_ids=owner_ids, scope=scope)
        if self.held is not None:
            has_read, may_arrive = self.held
            has_read.set()
            await may_arrive.wait()
        return found


class Party:
    """A hub with its friends."""

    def __init__(self, *, hub: Hub, told: Told, log: Counting, database: EventDatabase, valkey: Valkey) -> None:
        self.hub, self.told, self.log, self.database, self.valkey = hub, told, log, database, valkey

    async def publish(self, *events: StoredEvent) -> None:
        """Say something on the bus, whatever the database holds."""
        redis = open_redis(self.valkey.url)
        await Publisher(redis).publish(events)
        await redis.aclose()


@asynccontextmanager
async def hub_of(database: EventDatabase, valkey: Valkey, pace: HubPace = NO_POLL) -> AsyncIterator[Party]:
    redis = open_redis(valkey.url, timeout_seconds=0.5)
    pool = await open_pool(database.url, size=4, application_name="hub")
    told, log = Told(), Counting(pool)
    hub = Hub(log=log, bus=Subscriber(redis, heartbeat_seconds=1.0), watch=told, pace=pace)
    async with running(hub.run()):
        yield Party(hub=hub, told=told, log=log, database=database, valkey=valkey)
    await pool.close()
    await redis.aclose()


class Reader:
    """Reads a stream beside the test."""

    def __init__(self, events: AsyncGenerator[StoredEvent | MissedEvents, None]) -> None:
        self._events = events
        self.seen: list[int] = []
        self.missed: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def run(self) -> None:
        async with aclosing(self._events) as events:
            async for found in events:
                (self.missed if isinstance(found, MissedEvents) else self.seen).append(found.sequence)
                await self.gate.wait()


@asynccontextmanager
async def reading(
    party: Party, *, owner_id: UUID = ANA, since: int | None = None, stream: str = WALLET
) -> AsyncIterator[Reader]:
    reader = Reader(party.hub.listen(owner_id=owner_id, stream=stream, since=since))
    before = party.told.listening
    async with running(reader.run()):
        await until(lambda: party.told.listening > before)
        feed = party.hub._feeds[owner_id][stream]
        await until(feed.ready.is_set)
        yield reader


def has_seen(reader: Reader, seen: list[int]) -> bool:
    return reader.seen == seen


def numbers(first: int, last: int) -> list[int]:
    return list(range(first, last + 1))
