"""A Valkey that a test may kill, writers of events, and listeners to it all, for the tests of live push."""

import asyncio
import contextlib
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self
from uuid import UUID

import pytest
from asyncpg import Pool, Record

from domain.shared.events import Event, StoredEvent
from persistence.embedded.binaries import find_valkey
from persistence.engine import open_pool
from persistence.events import SqlEvents
from persistence.outbox import Relay, RelayPace
from persistence.redis.bus import Publisher
from persistence.redis.client import open_redis
from persistence.sessions import Session, open_session

WALLET = "wallet"
START_SECONDS = 10.0


class Valkey:
    """A server of one test: it can be killed, stopped in its tracks, and started again at the same address."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="lv"))
        self._socket = self._folder / "s"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._socket}?db=0"

    def start(self) -> Self:
        self._socket.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [find_valkey(None), "--port", "0", "--unixsocket", str(self._socket), "--save", "", "--dir", self._folder],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._socket.exists():
            assert time.monotonic() < deadline, "Valkey did not start"
            time.sleep(0.01)
        return self

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def command(self, *words: str) -> object:
        redis = open_redis(self.url)
        try:
            answer: object = await redis.execute_command(*words)  # type: ignore[no-untyped-call]
            return answer
        finally:
            await redis.aclose()


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    """A Valkey of the test's own."""
    server = Valkey()
    try:
        yield server.start()
    finally:
        server.stop()


@dataclass(slots=True)
class EventDatabase:
    """The database of one test."""

    url: str
    pool: "Pool[Record]"

    async def append(self, owner_id: UUID, *, count: int = 1, stream: str = WALLET) -> Sequence[int]:
        """Commit so many events of one owner; returns their sequences."""
        async with self.pool.acquire() as connection, connection.transaction():
            now = await connection.fetchval("SELECT now()")
            return await SqlEvents(connection, now=now).append(
                [
                    Event(owner_id=owner_id, stream=stream, kind="CLAIMED", subject_id=owner_id, facts={"n": n})
                    for n in range(count)
                ]
            )

    async def restore(self, owner_id: UUID, *, sequence: int, stream: str = WALLET) -> None:
        """As when a backup was restored: of one stream nothing is known after a number."""
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "DELETE FROM events WHERE owner_id = $1 AND stream = $2 AND sequence > $3", owner_id, stream, sequence
            )
            await connection.execute(
                "UPDATE streams SET sequence = $3 WHERE owner_id = $1 AND stream = $2", owner_id, stream, sequence
            )

    async def unpublished(self) -> int:
        return int(await self.pool.fetchval("SELECT count(*) FROM events WHERE published_at IS NULL"))

    async def session(self) -> Session:
        return await open_session(self.url, application_name="relay", timeout_seconds=2)

    async def end_sessions(self, application_name: str) -> int:
        """End the backends of these connections, as a failover does; returns how many there were."""
        ended = await self.pool.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = $1 AND pid <> pg_backend_pid()",
            application_name,
        )
        return len(ended)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[EventDatabase]:
    """The test's database, with a pool for its writes."""
    pool = await open_pool(database_url, size=8, application_name="server")
    try:
        yield EventDatabase(url=database_url, pool=pool)
    finally:
        await pool.close()


@dataclass(slots=True)
class Told:
    """Keeps what a relay, a hub, the sockets or a worker tell their watch."""

    leading: bool = False
    lag_seconds: list[float] = field(default_factory=list)
    marked: int = 0
    failures: list[str] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    listening: int = 0
    hears_redis: bool = False
    catch_ups: list[str] = field(default_factory=list)
    sockets: int = 0
    cuts: list[int] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)

    def leads(self, *, leading: bool) -> None:
        self.leading = leading

    def published(self, *, count: int) -> None:
        self.marked += count

    def lags(self, *, seconds: float) -> None:
        self.lag_seconds.append(seconds)

    def failed(self, *, server: str, error: Exception) -> None:
        self.failures.append(server)
        self.errors.append(error)

    def listeners(self, *, count: int) -> None:
        self.listening = count

    def connected(self, *, connected: bool) -> None:
        self.hears_redis = connected

    def caught_up(self, *, reason: str) -> None:
        self.catch_ups.append(reason)

    def socket_opened(self) -> None:
        self.sockets += 1

    def socket_closed(self) -> None:
        self.sockets -= 1

    def socket_cut(self, *, code: int) -> None:
        self.cuts.append(code)

    def job_finished(self, *, name: str, seconds: float) -> None:
        self.jobs.append(name)

    def job_failed(self, *, name: str, error: Exception) -> None:
        self.failures.append(name)

    def task_failed(self, *, name: str, error: Exception) -> None:
        self.failures.append(name)


QUICK = RelayPace(poll_seconds=0.02, standby_seconds=0.05, first_pause_seconds=0.02, longest_pause_seconds=0.1)


@contextlib.asynccontextmanager
async def running(*works: Awaitable[None]) -> AsyncIterator[Sequence["asyncio.Future[None]"]]:
    """Run these beside the test, and end them with it; one that fails before then fails the test."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        yield tasks
        for task in tasks:
            if task.done() and not task.cancelled():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def relaying(
    database: EventDatabase, *, redis_url: str, watch: Told | None = None, pace: RelayPace = QUICK
) -> AsyncIterator[Relay]:
    """A relay that runs beside the test."""
    redis = open_redis(redis_url, timeout_seconds=0.5)
    relay = Relay(open_session=database.session, publisher=Publisher(redis), watch=watch or Told(), pace=pace)
    try:
        async with running(relay.run()):
            yield relay
    finally:
        await redis.aclose()


async def until(true: Callable[[], bool], *, seconds: float = 10.0) -> None:
    """Wait until it is true, or fail."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - any change may make it true
            await asyncio.sleep(0.005)


def event(owner_id: UUID, sequence: int, *, stream: str = WALLET) -> StoredEvent:
    """An event as it was stored."""
    return StoredEvent(
        owner_id=owner_id,
        stream=stream,
        sequence=sequence,
        kind="CLAIMED",
        subject_id=owner_id,
        facts={"n": sequence, "name": "满100减20"},
        occurred_at=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
    )
