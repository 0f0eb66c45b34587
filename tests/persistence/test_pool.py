"""The pool: each connection is one's alone, and comes back in order whatever became of who had it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest
import uvloop

from app.http.errors import ErrorWriter, code_of
from domain.shared.principal import Scope
from persistence.connection import LeanConnection
from persistence.engine import IDLE_TIMEOUT_SECONDS, LOCK_TIMEOUT_SECONDS, STATEMENT_TIMEOUT_SECONDS, open_pool
from persistence.pool import LeanPool
from tests.world import World, open_world

SLEEP = "SELECT pg_sleep(30)"


@asynccontextmanager
async def opened(url: str, *, size: int, patience_seconds: float = 10.0) -> AsyncIterator[LeanPool]:
    pool = await open_pool(url, size=size, patience_seconds=patience_seconds)
    try:
        async with asyncio.timeout(30):
            yield pool
    finally:
        await asyncio.wait_for(pool.close(), 10)


async def one(pool: LeanPool) -> int:
    async with pool.acquire() as connection:
        return int(await connection.fetchval("SELECT 1"))


async def sessions_that(pool: LeanPool, condition: str) -> int:
    """How many of this database's clients, besides one's own."""
    others = "datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    return int(await pool.fetchval(f"SELECT count(*) FROM pg_stat_activity WHERE {others} AND {condition}"))  # noqa: S608


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await condition():  # noqa: ASYNC110 - of the server
            await asyncio.sleep(0.01)


async def test_a_connection_that_was_given_back_is_lent_to_the_next(database_url: str) -> None:
    async with opened(database_url, size=4) as pool:
        pids = {await pool.fetchval("SELECT pg_backend_pid()") for _ in range(5)}
        assert len(pids) == 1


async def test_a_statement_is_prepared_once_for_each_connection(database_url: str) -> None:
    prepared = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%twice%'"
    async with opened(database_url, size=1) as pool, pool.acquire() as connection:
        for _ in range(3):
            assert [row["twice"] for row in await connection.fetch("SELECT 2 * $1::int AS twice", 21)] == [42]
            assert await connection.fetchval("SELECT 2 * $1::int AS twice", 4) == 8
            assert await connection.execute("SELECT 2 * $1::int AS twice", 1) == "SELECT 1"
        assert await connection.fetchval(prepared) == 2  # its own, too


async def test_a_statement_is_prepared_anew_when_its_table_has_changed(database_url: str) -> None:
    async with opened(database_url, size=2) as pool, pool.acquire() as connection, pool.acquire() as other:
        await other.execute("CREATE TABLE changing AS SELECT 1 AS first")
        for _ in range(2):
            assert [dict(row) for row in await connection.fetch("SELECT * FROM changing")] == [{"first": 1}]
        await other.execute("ALTER TABLE changing ADD COLUMN second int DEFAULT 2")
        try:
            assert [*map(dict, await connection.fetch("SELECT * FROM changing"))] == [{"first": 1, "second": 2}]
            await other.execute("ALTER TABLE changing DROP COLUMN second")
            with pytest.raises(asyncpg.InvalidCachedStatementError):  # a transaction that has failed stays so
                async with connection.transaction():
                    await connection.fetch("SELECT * FROM changing")
            assert [*map(dict, await connection.fetch("SELECT * FROM changing"))] == [{"first": 1}]
        finally:
            await other.execute("DROP TABLE changing")


async def test_a_statement_that_the_session_has_forgotten_is_prepared_anew(database_url: str) -> None:
    async with opened(database_url, size=1) as pool:
        await pool.fetch("SELECT $1::int", 1)
        await pool.execute("DEALLOCATE ALL")
        assert [row[0] for row in await pool.fetch("SELECT $1::int", 2)] == [2]
        await pool.execute("DISCARD ALL")
        async with pool.acquire() as connection:
            with pytest.raises(asyncpg.InvalidSQLStatementNameError):
                async with connection.transaction():
                    await connection.fetch("SELECT $1::int", 3)
            assert [row[0] for row in await connection.fetch("SELECT $1::int", 4)] == [4]


async def test_a_connection_runs_one_statement_at_a_time(database_url: str) -> None:
    async with opened(database_url, size=1) as pool, pool.acquire() as connection:
        await connection.fetch("SELECT pg_sleep(0.2)")
        first = asyncio.create_task(connection.fetch("SELECT pg_sleep(0.2)"))
        await asyncio.sleep(0)
        with pytest.raises(asyncpg.InterfaceError, match="another operation is in progress"):
            await connection.fetch("SELECT pg_sleep(0.2)")
        await first


async def test_what_watches_statements_is_told_of_each(database_url: str) -> None:
    told: list[str] = []
    pool = await open_pool(
        database_url, size=1, on_connect=lambda one: one.add_query_logger(lambda record: told.append(record.query))
    )
    async with pool.acquire() as connection:
        for _ in range(3):
            await connection.fetch("SELECT 3")
        await asyncio.sleep(0)
    await pool.close()
    assert told.count("SELECT 3") == 3


async def test_no_connection_is_ever_lent_to_two(database_url: str) -> None:
    busy: set[int] = set()

    async def work(number: int) -> None:
        async with pool.acquire() as connection:
            pid = connection.get_server_pid()
            assert pid not in busy
            busy.add(pid)
            await connection.fetchval("SELECT $1::int", number)
            busy.remove(pid)

    async with opened(database_url, size=3) as pool:
        await asyncio.gather(*(work(number) for number in range(300)))
        assert await sessions_that(pool, "true") <= 2


async def test_no_connection_is_lent_to_two_where_many_are_called_off(database_url: str) -> None:
    busy: set[object] = set()

    async def work(number: int) -> None:
        async with pool.acquire() as connection:
            assert connection not in busy
            busy.add(connection)
            try:
                await connection.fetchval("SELECT $1::int, pg_sleep(0.002)", number)
            finally:
                busy.remove(connection)

    async with opened(database_url, size=2) as pool:
        tasks = [asyncio.create_task(work(number)) for number in range(200)]
        for number, task in enumerate(tasks):
            await asyncio.sleep(0.001)
            if number % 3 == 0:
                task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(each) for each in ended} == {type(None), asyncio.CancelledError}
        assert [await one(pool), await one(pool)] == [1, 1]


async def test_a_request_that_is_called_off_ends_its_statement_and_leaves_a_connection(database_url: str) -> None:
    async with opened(database_url, size=1) as pool, opened(database_url, size=1) as other:

        async def is_asleep() -> bool:
            return await sessions_that(other, "state = 'active' AND query LIKE 'SELECT pg_sleep%'") > 0

        sleeping = asyncio.create_task(pool.fetchval(SLEEP))
        await until(is_asleep)
        sleeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sleeping
        assert await one(pool) == 1
        assert not await is_asleep()


async def test_who_is_called_off_while_waiting_takes_nothing_along(database_url: str) -> None:
    async with opened(database_url, size=1) as pool:
        held = await pool.acquire()
        waiting = [asyncio.create_task(one(pool)) for _ in range(3)]
        await asyncio.sleep(0)
        # One before it is given a connection, one at the moment at which it is.
        waiting[0].cancel()
        pool.give_back_now(held)
        waiting[1].cancel()
        assert await waiting[2] == 1
        assert await one(pool) == 1


async def test_a_session_that_the_server_ended_is_replaced(database_url: str) -> None:
    async with opened(database_url, size=2) as pool, opened(database_url, size=1) as other:
        async with pool.acquire() as one_, pool.acquire() as two:
            pids = [one_.get_server_pid(), two.get_server_pid()]
        await other.execute("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid", pids)

        async def is_over() -> bool:
            # Those alone: whoever else looks at the database may stay.
            left = await other.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY($1::int[])", pids)
            return int(left) == 0

        await until(is_over)
        await asyncio.sleep(0.05)
        assert await asyncio.gather(*(one(pool) for _ in range(3))) == [1, 1, 1]


async def test_a_session_that_is_ended_during_a_statement_is_unavailable_and_replaced(database_url: str) -> None:
    async with opened(database_url, size=1) as pool, opened(database_url, size=1) as other:
        sleeping = asyncio.create_task(pool.fetchval(SLEEP))
        waiting = asyncio.create_task(one(pool))

        async def was_ended() -> bool:
            # Asleep, and not only prepared: a session that ends between the two is another error of the driver's.
            asleep = "state = 'active' AND wait_event = 'PgSleep' AND query = $1 AND datname = current_database()"
            ended = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {asleep}"  # noqa: S608
            return bool(await other.fetch(ended, SLEEP))

        await until(was_ended)
        with pytest.raises((asyncpg.AdminShutdownError, asyncpg.PostgresConnectionError)) as failure:
            await sleeping
        assert code(failure.value) == "UNAVAILABLE"
        assert await waiting == 1


async def test_who_finds_no_connection_in_time_is_told_that_the_service_is_unavailable(database_url: str) -> None:
    async with opened(database_url, size=1, patience_seconds=0.05) as pool:
        async with pool.acquire():
            with pytest.raises(TimeoutError) as failure:
                await one(pool)
        assert code(failure.value) == "UNAVAILABLE"
        assert await one(pool) == 1


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_who_has_no_patience_left_waits_in_nobodys_way(
    database_url: str, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """Nor does a deadline that has come while one waited: where opening a connection took all the time there was."""

    async def wait_at_once() -> None:
        async with opened(database_url, size=1) as pool:
            lent = await pool.take()
            outcomes = await asyncio.gather(pool.take(0), pool.take(0.1), pool.take(0), return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [TimeoutError] * 3
            await pool.release(lent)
            assert await one(pool) == 1

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(wait_at_once())


async def test_each_who_waits_has_a_patience_of_its_own(database_url: str) -> None:
    async with opened(database_url, size=1, patience_seconds=10.0) as pool:
        lent = await pool.take()
        begun = asyncio.get_running_loop().time()
        patient, hasty, hastier = (asyncio.create_task(pool.take(seconds)) for seconds in (10.0, 0.2, 0.1))
        outcomes = await asyncio.gather(hasty, hastier, return_exceptions=True)
        waited = asyncio.get_running_loop().time() - begun
        assert all(isinstance(outcome, TimeoutError) for outcome in outcomes)
        assert 0.1 <= waited < 5
        assert not patient.done()
        await pool.release(lent)
        again = await patient  # those who went away are in nobody's way
        await pool.release(again)
        assert await one(pool) == 1


async def test_a_read_does_not_wait_for_what_lies_idle(database_url: str) -> None:
    """Transactions hold some of the connections for as long as they like; reads go on with the others."""
    async with opened(database_url, size=4, patience_seconds=5) as pool:
        first = [await pool.acquire() for _ in range(4)]
        waiting = [asyncio.create_task(one(pool)) for _ in range(20)]
        await asyncio.sleep(0)
        await pool.release(first[0])
        assert await asyncio.gather(*waiting) == [1] * 20
        for connection in first[1:]:
            await pool.release(connection)


async def test_what_is_given_back_twice_is_lent_once(database_url: str) -> None:
    async with opened(database_url, size=2) as pool:
        connection = await pool.acquire()
        assert pool.give_back_now(connection)
        assert not pool.give_back_now(connection)
        await pool.release(connection)
        async with pool.acquire() as one_, pool.acquire() as two:
            assert one_.get_server_pid() != two.get_server_pid()


async def test_a_transaction_that_was_left_open_is_not_lent_on(database_url: str) -> None:
    async with opened(database_url, size=1) as pool:
        async with pool.acquire() as connection:
            await connection.execute("BEGIN; CREATE TABLE left_open ()")
        assert await pool.fetchval("SELECT to_regclass('left_open')") is None
        async with pool.acquire() as connection:
            assert not connection.is_in_transaction()


async def test_a_transaction_that_is_called_off_is_rolled_back(database_url: str) -> None:
    async with open_world(database_url, size=1) as world:

        async def write() -> None:
            async with world.database.begin(Scope.system()) as unit:
                await unit.connection.execute("CREATE TABLE called_off ()")
                await unit.connection.execute(SLEEP)

        writing = asyncio.create_task(write())
        await asyncio.sleep(0.1)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert await _exists(world, "called_off") is None


async def test_a_transaction_that_could_not_begin_leaves_the_connection_to_the_next(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_world(database_url, size=1) as world:

        async def write() -> int:
            async with world.database.begin(Scope.system()) as unit:
                return int(await unit.connection.fetchval("SELECT 1"))

        async def fail(*_: object, **__: object) -> str:
            raise asyncpg.QueryCanceledError("canceling statement due to user request")

        assert await write() == 1
        with monkeypatch.context() as patched:
            patched.setattr(LeanConnection, "execute", fail)
            with pytest.raises(asyncpg.QueryCanceledError):
                await write()
        assert await write() == 1


@pytest.mark.parametrize("steps", range(12))
async def test_whenever_a_transaction_is_called_off_the_next_one_can_begin(database_url: str, steps: int) -> None:
    """Also while its BEGIN is under way: a driver that believes it begun would begin the next with a SAVEPOINT."""
    async with open_world(database_url, size=1) as world:
        assert await one(world.database.pool) == 1

        async def write() -> None:
            async with world.database.begin(Scope.system()) as unit:
                await unit.connection.fetchval("SELECT 1")

        writing = asyncio.create_task(write())
        for _ in range(steps):
            await asyncio.sleep(0)
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        await write()


async def test_every_connection_bounds_its_waits(database_url: str) -> None:
    async with opened(database_url, size=1) as pool:
        assert await pool.fetchval("SHOW statement_timeout") == f"{STATEMENT_TIMEOUT_SECONDS}s"
        assert await pool.fetchval("SHOW lock_timeout") == f"{LOCK_TIMEOUT_SECONDS}s"
        assert await pool.fetchval("SHOW idle_in_transaction_session_timeout") == f"{IDLE_TIMEOUT_SECONDS}s"


async def test_a_pool_closes_when_what_it_lent_has_come_back(database_url: str) -> None:
    pool = await open_pool(database_url, size=2)
    connection = await pool.acquire()
    waiting = asyncio.create_task(pool.fetchval("SELECT pg_sleep(0.05), 1"))
    await asyncio.sleep(0)
    closing = asyncio.create_task(pool.close())
    await asyncio.sleep(0.01)
    assert not closing.done()
    await pool.release(connection)
    await asyncio.wait_for(closing, 10)
    await asyncio.gather(waiting, return_exceptions=True)
    with pytest.raises(asyncpg.InterfaceError):
        await one(pool)


async def _exists(world: World, table: str) -> object:
    async with world.database.read() as connection:
        return await connection.fetchval("SELECT to_regclass($1)", table)


def code(error: BaseException) -> str:
    return code_of(ErrorWriter(on_unexpected=lambda: None, suggestions=True).of_request(error))
