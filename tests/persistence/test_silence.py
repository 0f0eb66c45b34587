"""A database that has fallen silent: whoever waits is told so, and the next is asked on another connection."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
import uvloop

from app.http.errors import ErrorWriter, code_of
from app.stock_watch import StockWatch
from persistence.coupons.reads import SqlCouponReads
from persistence.engine import (
    IDLE_TIMEOUT_SECONDS,
    PATIENCE_SECONDS,
    SILENCE_SECONDS,
    STATEMENT_TIMEOUT_SECONDS,
    open_pool,
)
from persistence.pool import LeanPool
from persistence.silence import LOST_HOST_SECONDS
from tests.coupon_world import world
from tests.live import running
from tests.network import Network

pytestmark = pytest.mark.timeout(60)

SILENCE = 1.0


@dataclass(slots=True)
class Far:
    """A pool of one connection to a database that is behind a network."""

    network: Network
    pool: LeanPool

    async def one(self) -> int:
        return int(await self.pool.fetchval("SELECT 1"))


@pytest.fixture
async def far(database_url: str) -> AsyncIterator[Far]:
    async with Network(database_url).opened() as network:
        pool = await open_pool(network.url, size=1, silence_seconds=SILENCE)
        try:
            yield Far(network, pool)
        finally:
            await asyncio.wait_for(pool.close(), 10)


@asynccontextmanager
async def told_that_it_is_away() -> AsyncIterator[None]:
    """The block ends with what a client reads as UNAVAILABLE."""
    with pytest.raises(Exception) as failure:  # noqa: PT011 - which one is what the client reads
        async with asyncio.timeout(10):
            yield
    assert not isinstance(failure.value, TimeoutError)
    writer = ErrorWriter(on_unexpected=lambda: None, suggestions=False)
    assert code_of(writer.of_request(failure.value)) == "UNAVAILABLE"


def test_a_silence_is_longer_than_a_statement_may_take() -> None:
    longest = max(STATEMENT_TIMEOUT_SECONDS, IDLE_TIMEOUT_SECONDS, PATIENCE_SECONDS, LOST_HOST_SECONDS)
    assert longest < SILENCE_SECONDS


async def test_what_is_not_answered_fails_and_the_next_is_asked_on_another_connection(far: Far) -> None:
    assert await far.one() == 1
    far.network.silence(new_ones_too=False)
    async with told_that_it_is_away():
        await far.one()
    assert await asyncio.wait_for(far.one(), 10) == 1
    assert far.network.connections == 2


async def test_so_does_a_transaction_that_is_not_answered_any_more(far: Far) -> None:
    async with told_that_it_is_away(), far.pool.acquire() as connection, connection.transaction():
        await connection.execute("CREATE TABLE never (n int)")
        far.network.silence(new_ones_too=False)
        await connection.execute("SELECT 1")
    async with asyncio.timeout(10):
        assert await far.pool.fetchval("SELECT to_regclass('never')") is None


async def test_what_was_called_off_while_it_was_not_answered_leaves_its_connection_to_nobody(far: Far) -> None:
    assert await far.one() == 1
    far.network.silence(new_ones_too=False)
    waiting = asyncio.create_task(far.one())
    await asyncio.sleep(0.1)
    waiting.cancel()
    await asyncio.sleep(0.1)
    assert await asyncio.wait_for(far.one(), 10) == 1


async def test_one_that_broke_while_it_was_lent_does_not_end_the_watch(far: Far) -> None:
    lost = await far.pool.take()
    lost._con._abort()  # type: ignore[attr-defined]  # as asyncpg does where the protocol is at its wits' end
    await asyncio.sleep(SILENCE / 2)  # it is looked at
    await far.pool.release(lost)
    assert await far.one() == 1
    far.network.silence(new_ones_too=False)
    async with told_that_it_is_away():
        await far.one()


async def test_a_connection_that_goes_on_asking_is_not_silent_however_long_it_is_lent(far: Far) -> None:
    async with far.pool.acquire() as connection:
        for _ in range(6):
            await connection.execute("SELECT pg_sleep($1)", SILENCE / 2)
    assert far.network.connections == 1


async def test_what_may_take_longer_is_borne_with(far: Far) -> None:
    async with far.pool.acquire() as connection:
        with far.pool.silence.bear(connection, seconds=4 * SILENCE):
            await connection.execute("SELECT pg_sleep($1)", 2 * SILENCE)
        async with told_that_it_is_away():
            await connection.execute("SELECT pg_sleep($1)", 3 * SILENCE)


async def test_what_is_left_of_stocks_is_told_again_when_the_database_speaks_again(database_url: str) -> None:
    async with world(database_url) as laurel, Network(database_url).opened() as network:
        template_id = await laurel.published(stock=5)
        pool = await open_pool(network.url, size=1, silence_seconds=SILENCE)
        read = SqlCouponReads(replace(laurel.database, pool=pool)).stocks_left
        watch = StockWatch(read, watch=_Told(), pace_seconds=0.01)
        async with running(watch.run()), aclosing(watch.listen(template_id)) as stocks, asyncio.timeout(20):
            assert (await anext(stocks)).remaining == 5
            network.silence(new_ones_too=False)
            await asyncio.sleep(0.1)  # a read is under way
            await laurel.claimed(template_id)
            assert (await anext(stocks)).remaining == 4
        await pool.close()


@dataclass(slots=True)
class _Told:
    def task_failed(self, *, name: str, error: Exception) -> None:
        raise AssertionError(name) from error


# ── a host that is gone ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the system has no such options")
@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_the_kernel_is_told_when_to_give_up_a_host(
    database_url: str, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def options() -> list[int]:
        async with Network(database_url).opened() as network:
            pool = await open_pool(network.url, size=1)
            try:
                async with pool.acquire() as connection:
                    return _options(connection)
            finally:
                await pool.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        keepalive, idle, interval, probes, unacknowledged = runner.run(options())
    assert keepalive == 1
    assert idle + interval * probes == LOST_HOST_SECONDS
    assert unacknowledged == LOST_HOST_SECONDS * 1000


def _options(connection: Any) -> list[int]:
    own = connection._transport.get_extra_info("socket")
    names = [socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT]
    return [
        own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        *(own.getsockopt(socket.IPPROTO_TCP, name) for name in names),
    ]
