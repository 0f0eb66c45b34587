"""What a lost PostgreSQL looks like to a client: UNAVAILABLE, however it was lost; a mistake of ours stays INTERNAL."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import asyncpg
import pytest
from graphql import GraphQLError

from app.http.errors import ErrorWriter, code_of
from domain.shared.batching import Sets
from persistence.engine import open_pool


def code(error: BaseException) -> str:
    return code_of(ErrorWriter(on_unexpected=lambda: None, suggestions=True).of_request(error))


async def raised(work: Callable[[], Awaitable[object]]) -> Exception:
    with pytest.raises(Exception) as failure:  # noqa: PT011 - which one is what the test asks
        await work()
    return failure.value


async def test_a_statement_whose_session_is_ended_is_unavailable(database_url: str) -> None:
    async with asyncio.timeout(20):
        pool = await open_pool(database_url, size=2)
        connection = await pool.acquire()
        pid = connection.get_server_pid()
        sleeping = asyncio.create_task(raised(lambda: connection.execute("SELECT pg_sleep(10)")))
        await asyncio.sleep(0.1)
        await pool.execute("SELECT pg_terminate_backend($1)", pid)
        assert code(await sleeping) == "UNAVAILABLE"
        assert code(await raised(lambda: connection.execute("SELECT 1"))) == "UNAVAILABLE"
        await pool.release(connection)
        await pool.close()
        assert code(await raised(lambda: pool.fetch("SELECT 1"))) == "UNAVAILABLE"


async def test_a_statement_that_takes_too_long_is_unavailable(database_url: str) -> None:
    pool = await open_pool(database_url, size=1)

    async def slow() -> None:
        async with pool.acquire() as connection:
            await connection.execute("SET statement_timeout = 50")
            await connection.execute("SELECT pg_sleep(5)")

    assert code(await raised(slow)) == "UNAVAILABLE"
    await pool.close()


async def test_a_deadlock_that_postgresql_ended_is_unavailable_to_one_and_nothing_to_the_other(
    database_url: str,
) -> None:
    pool = await open_pool(database_url, size=2)
    have_locked = asyncio.Barrier(2)

    async def lock(first: int, second: int) -> str:
        try:
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", first)
                await have_locked.wait()
                await connection.execute("SELECT pg_advisory_xact_lock($1)", second)
        except asyncpg.PostgresError as error:
            return code(error)
        return "DONE"

    assert sorted(await asyncio.gather(lock(1, 2), lock(2, 1))) == ["DONE", "UNAVAILABLE"]
    await pool.close()


async def test_a_session_that_was_idle_in_a_transaction_for_too_long_is_unavailable(database_url: str) -> None:
    pool = await open_pool(database_url, size=1)

    async def stopped() -> None:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 50")
            time.sleep(0.2)  # noqa: ASYNC251 - as a process that is stopped, or swapped out
            await connection.execute("SELECT 1")

    assert code(await raised(stopped)) == "UNAVAILABLE"
    await pool.close()


async def test_a_primary_that_has_become_a_standby_is_unavailable_and_its_connection_is_not_used_again(
    database_url: str,
) -> None:
    pool = await open_pool(database_url, size=1)

    async def write() -> None:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("INSERT INTO streams VALUES (gen_random_uuid(), 'wallet', 0)")

    await pool.execute("SET default_transaction_read_only = on")
    assert code(await raised(write)) == "UNAVAILABLE"
    await write()
    await pool.close()


async def test_a_transaction_that_meets_a_changed_table_is_unavailable_and_the_next_is_not(database_url: str) -> None:
    pool = await open_pool(database_url, size=1)

    async def read() -> None:
        async with pool.acquire() as connection, connection.transaction():
            await connection.fetch("SELECT * FROM streams")

    await read()
    await pool.execute("ALTER TABLE streams ADD COLUMN more int")
    assert code(await raised(read)) == "UNAVAILABLE"
    await read()
    await pool.close()


@pytest.mark.parametrize("sqlstate", ["40001", "53100", "53200", "53300", "57P03", "58030"])
async def test_what_postgresql_cannot_do_right_now_is_unavailable(database_url: str, sqlstate: str) -> None:
    pool = await open_pool(database_url, size=1)
    fail = f"DO $$ BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '{sqlstate}'; END $$"
    assert code(await raised(lambda: pool.execute(fail))) == "UNAVAILABLE"
    await pool.close()


@pytest.mark.parametrize(
    "url", ["postgresql://laurel@127.0.0.1:1/laurel", "postgresql://laurel@no-such-host.invalid/laurel"]
)
async def test_a_server_that_is_not_there_is_unavailable(url: str) -> None:
    assert code(await raised(lambda: asyncpg.connect(url, timeout=5))) == "UNAVAILABLE"


async def test_a_set_that_failed_with_the_server_is_unavailable_and_one_that_failed_by_itself_is_ours() -> None:
    for cause, expected in ((ConnectionRefusedError(), "UNAVAILABLE"), (KeyError("column"), "INTERNAL")):

        async def decide(_lane: str, _commands: Sequence[str], *, cause: Exception = cause) -> Sequence[str]:
            raise cause

        assert code(await raised(lambda: Sets(decide).submit("claim", lane="template"))) == expected


async def test_a_mistake_in_a_statement_is_ours(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    assert code(await raised(lambda: connection.execute("SELECT nothing FROM nowhere"))) == "INTERNAL"
    both = await raised(lambda: asyncio.gather(connection.execute("SELECT 1"), connection.execute("SELECT 1")))
    assert code(both) == "INTERNAL"
    await connection.close()


def test_a_scalar_that_cannot_be_printed_is_ours_and_an_argument_that_cannot_be_read_is_the_callers() -> None:
    writer = ErrorWriter(on_unexpected=lambda: None, suggestions=True)
    printing = GraphQLError("SafeInt cannot represent 13812345678901234567", path=["a"])
    assert code_of(writer.of_field(GraphQLError("x", path=["a"], original_error=printing))) == "INTERNAL"
    assert "138" not in str(writer.of_field(printing))
    assert code_of(writer.of_field(GraphQLError("Variable '$a' got invalid value"))) == "BAD_USER_INPUT"
