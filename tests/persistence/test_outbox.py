import asyncio
import contextlib
from collections.abc import Sequence
from uuid import UUID, uuid5

from domain.shared.events import Event, StoredEvent
from domain.shared.ids import MemberId
from domain.shared.principal import Scope
from persistence.events import SqlEvents
from persistence.outbox import RELAY_LOCK, Relay, RelayPace, SqlEventLog
from persistence.sessions import try_lock
from tests.live import (
    QUICK,
    WALLET,
    EventDatabase,
    Told,
    Valkey,
    database,
    relaying,
    running,
    until,
    valkey,
)

__all__ = ["database", "valkey"]

NAMES = UUID("00000000-0000-0000-0000-00000000b0b1")
ANA, BEA = uuid5(NAMES, "ana"), uuid5(NAMES, "bea")
SLOW = RelayPace(poll_seconds=30, standby_seconds=0.05)


class Shelf:
    """Takes what is published, and can be told to fail or to hang."""

    def __init__(self) -> None:
        self.taken: list[StoredEvent] = []
        self.down = False
        self.hang: asyncio.Event | None = None

    @property
    def numbers(self) -> list[tuple[UUID, int]]:
        return [(e.owner_id, e.sequence) for e in self.taken]

    async def publish(self, events: Sequence[StoredEvent]) -> None:
        if self.down:
            raise ConnectionError("no Redis")
        self.taken.extend(events)
        if self.hang is not None:
            await self.hang.wait()


def relay_to(shelf: Shelf, database: EventDatabase, *, watch: Told | None = None, pace: RelayPace = QUICK) -> Relay:
    return Relay(open_session=database.session, publisher=shelf, watch=watch or Told(), pace=pace)


async def test_what_is_committed_is_published_whole_in_order_and_once(database: EventDatabase) -> None:
    shelf, told = Shelf(), Told()
    await database.append(ANA, count=3)
    await database.append(BEA, count=1)
    async with running(relay_to(shelf, database, watch=told).run()):
        await until(lambda: len(shelf.taken) == 4)
        await database.append(ANA, count=2)
        await until(lambda: told.marked == 6)
    assert shelf.numbers == [(ANA, 1), (ANA, 2), (ANA, 3), (BEA, 1), (ANA, 4), (ANA, 5)]
    assert shelf.taken[0].facts == {"n": 0}
    assert shelf.taken[0].kind == "CLAIMED"
    assert await database.unpublished() == 0


async def test_what_is_not_committed_is_not_published(database: EventDatabase) -> None:
    shelf = Shelf()
    async with running(relay_to(shelf, database).run()), database.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        now = await connection.fetchval("SELECT now()")
        appended = Event(owner_id=ANA, stream=WALLET, kind="CLAIMED", subject_id=ANA)
        await SqlEvents(connection, now=now).append([appended])
        await database.append(BEA)
        await until(lambda: len(shelf.taken) == 1)
        await asyncio.sleep(0.1)
        assert shelf.numbers == [(BEA, 1)]
        await transaction.rollback()
        await database.append(ANA)
        await until(lambda: shelf.numbers == [(BEA, 1), (ANA, 1)])


async def test_a_batch_is_no_larger_than_the_limit_and_the_rest_follows_at_once(database: EventDatabase) -> None:
    shelf, told = Shelf(), Told()
    await database.append(ANA, count=7)
    pace = RelayPace(batch=3, poll_seconds=30, standby_seconds=0.05)
    async with running(relay_to(shelf, database, watch=told, pace=pace).run()):
        await until(lambda: told.marked == 7)
    assert [sequence for _, sequence in shelf.numbers] == [1, 2, 3, 4, 5, 6, 7]


async def test_the_oldest_event_goes_first_whoever_owns_it(database: EventDatabase) -> None:
    first, second = sorted((ANA, BEA), reverse=True)
    await database.append(first)
    await database.append(second)
    shelf = Shelf()
    async with running(relay_to(shelf, database).run()):
        await until(lambda: len(shelf.taken) == 2)
    assert shelf.numbers == [(first, 1), (second, 1)]


async def test_a_woken_relay_does_not_wait_for_its_next_look(database: EventDatabase) -> None:
    shelf, told = Shelf(), Told()
    relay = relay_to(shelf, database, watch=told, pace=SLOW)
    async with running(relay.run()):
        await until(lambda: told.leading and bool(told.lag_seconds))
        await database.append(ANA)
        relay.wake()
        await until(lambda: len(shelf.taken) == 1, seconds=2)


async def test_nothing_is_lost_while_redis_is_down_and_the_lag_tells(database: EventDatabase) -> None:
    shelf, told = Shelf(), Told()
    shelf.down = True
    async with running(relay_to(shelf, database, watch=told).run()):
        await database.append(ANA, count=2)
        await until(lambda: told.failures.count("redis") >= 3 and told.lag_seconds[-1] > 0.05)
        assert await database.unpublished() == 2
        assert all(isinstance(error, ConnectionError) for error in told.errors)
        shelf.down = False
        await until(lambda: told.marked == 2 and told.lag_seconds[-1] == 0)
    assert told.leading is False
    assert shelf.numbers == [(ANA, 1), (ANA, 2)]


async def test_a_killed_redis_is_found_again(database: EventDatabase, valkey: Valkey) -> None:
    told = Told()
    async with relaying(database, redis_url=valkey.url, watch=told):
        await database.append(ANA)
        await until(lambda: told.marked == 1)
        valkey.kill()
        await database.append(ANA, count=2)
        await until(lambda: "redis" in told.failures)
        valkey.start()
        await until(lambda: told.marked == 3)
    assert await database.unpublished() == 0


async def test_a_relay_that_dies_between_publishing_and_marking_has_published_twice(database: EventDatabase) -> None:
    shelf = Shelf()
    shelf.hang = asyncio.Event()
    await database.append(ANA)
    async with running(relay_to(shelf, database).run()):
        await until(lambda: len(shelf.taken) == 1)
    assert await database.unpublished() == 1
    shelf.hang = None
    async with running(relay_to(shelf, database).run()):
        await until(lambda: len(shelf.taken) == 2)
    assert shelf.numbers == [(ANA, 1), (ANA, 1)]


async def test_of_two_relays_one_publishes_and_the_other_takes_over_when_it_ends(database: EventDatabase) -> None:
    shelf, told, other_told = Shelf(), Told(), Told()
    async with running(relay_to(shelf, database, watch=told).run()) as first:
        await until(lambda: told.leading)
        async with running(relay_to(shelf, database, watch=other_told).run()):
            await database.append(ANA, count=5)
            await until(lambda: told.marked == 5)
            assert not other_told.leading
            first[0].cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await first[0]
            await database.append(ANA)
            await until(lambda: other_told.marked == 1, seconds=3)
    assert [sequence for _, sequence in shelf.numbers] == [1, 2, 3, 4, 5, 6]


async def test_a_relay_whose_backend_is_ended_goes_on_with_a_new_one(database: EventDatabase) -> None:
    shelf, told = Shelf(), Told()
    async with running(relay_to(shelf, database, watch=told).run()):
        await until(lambda: told.leading)
        assert await database.end_sessions("relay") == 1
        await until(lambda: "postgresql" in told.failures)
        await database.append(ANA)
        await until(lambda: told.marked == 1)
    assert shelf.numbers == [(ANA, 1)]


async def test_a_relay_that_lost_its_lock_marks_nothing_more(database: EventDatabase) -> None:
    shelf, told = Shelf(), Told()
    shelf.hang = asyncio.Event()
    await database.append(ANA)
    async with running(relay_to(shelf, database, watch=told).run()):
        await until(lambda: len(shelf.taken) == 1)
        await database.end_sessions("relay")
        session = await database.session()
        while not await try_lock(session, name=RELAY_LOCK):  # noqa: ASYNC110 - the lock is the other session's
            await asyncio.sleep(0.001)
        shelf.hang.set()
        await until(lambda: "postgresql" in told.failures)
        assert await database.unpublished() == 1
        await session.close()
        await until(lambda: told.marked == 1)


async def test_the_idle_look_is_an_index_probe_whatever_the_history(database: EventDatabase) -> None:
    await database.append(ANA, count=3000)
    await database.pool.execute("UPDATE events SET published_at = now()")
    await database.pool.execute("VACUUM ANALYZE events")
    await database.append(BEA)
    plan = await database.pool.fetch(
        "EXPLAIN SELECT * FROM events WHERE published_at IS NULL AND (true OR owner_id = $1) "
        "ORDER BY occurred_at, owner_id, sequence LIMIT 500",
        ANA,
    )
    assert any("events_unpublished_idx" in row[0] for row in plan), plan


async def test_the_log_reads_on_from_a_sequence_a_page_at_a_time(database: EventDatabase) -> None:
    await database.append(ANA, count=5)
    await database.append(ANA, count=1, stream="points")
    log = SqlEventLog(database.pool)
    page = await log.events_since(owner_id=ANA, stream=WALLET, sequence=2, limit=2, scope=Scope.system())
    assert [e.sequence for e in page] == [3, 4]
    assert page[0].facts == {"n": 2}
    assert await log.positions(owner_ids=[ANA, BEA], scope=Scope.system()) == {(ANA, WALLET): 5, (ANA, "points"): 1}


async def test_the_log_shows_nobody_the_events_of_another(database: EventDatabase) -> None:
    await database.append(ANA)
    log, bea = SqlEventLog(database.pool), Scope.of_member(MemberId(BEA))
    assert await log.events_since(owner_id=ANA, stream=WALLET, sequence=0, limit=9, scope=bea) == []
    assert await log.positions(owner_ids=[ANA], scope=bea) == {}
    ana = Scope.of_member(MemberId(ANA))
    assert len(await log.events_since(owner_id=ANA, stream=WALLET, sequence=0, limit=9, scope=ana)) == 1
