"""One asyncpg pool per process."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson
from typing_extensions import override

if TYPE_CHECKING:
    from asyncpg import Record

    _Connection = asyncpg.Connection[Record]
    _Pool = asyncpg.Pool[Record]
    _Lent = asyncpg.pool.PoolConnectionProxy[Record]
else:
    _Connection = asyncpg.Connection
    _Pool = asyncpg.Pool
    _Lent = object

LOCK_TIMEOUT_SECONDS = 5
STATEMENT_TIMEOUT_SECONDS = 15
MOST_INSTANTS = 4_096  # remembered by a connection

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class LeanConnection(_Connection):
    """A connection that is given back without a reset round trip: nothing here leaves session state behind."""

    @override
    def get_reset_query(self) -> str:
        """Nothing to reset."""
        return ""

    @override
    async def reset(self, *, timeout: float | None = None) -> None:
        """Nothing to do either, unless a transaction was left open."""
        if self.is_in_transaction():
            await super().reset(timeout=timeout)


class LeanPool(_Pool):
    """A pool that keeps some connections out for short reads: taking one from a pool costs as much as a statement.

    Up to half of the pool is kept. A connection on which anything failed goes back, to be looked after by the pool.
    """

    _kept: list[_Lent]
    _most_kept: int

    def keep(self, most: int) -> None:
        """How many are kept for reads; with 0, as they close, those that are kept go back."""
        self._kept = getattr(self, "_kept", [])
        self._most_kept = most

    def lend(self) -> "Loan":
        """A connection for one short read outside any transaction."""
        return Loan(self)

    async def take(self) -> _Lent:
        """A kept connection, or one of the pool."""
        while self._kept:
            connection = self._kept.pop()
            if not connection.is_closed():
                return connection
            await self.release(connection)
        return await self.acquire()

    async def give_back(self, connection: _Lent, *, sound: bool) -> None:
        """Keeps the connection where there is room, or lets the pool have it."""
        if sound and len(self._kept) < self._most_kept and not connection.is_closed():
            self._kept.append(connection)
        else:
            await self.release(connection)

    @override
    async def close(self) -> None:
        """Closes the pool, with what was kept out of it."""
        self.keep(0)
        while self._kept:
            await self.release(self._kept.pop())
        await super().close()


class Loan:
    """A connection for the length of a block."""

    __slots__ = ("_connection", "_pool")

    def __init__(self, pool: LeanPool) -> None:
        self._pool = pool

    async def __aenter__(self) -> _Lent:
        self._connection = await self._pool.take()
        return self._connection

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self._pool.give_back(self._connection, sound=kind is None)


async def open_pool(
    database_url: str,
    *,
    size: int,
    application_name: str = "laurel",
    on_connect: Callable[[Any], None] | None = None,
) -> LeanPool:
    """A pool of at most `size` connections, with JSON by orjson and every wait bounded.

    `on_connect` is given each new connection, to watch its statements.
    """

    async def prepare(connection: Any) -> None:
        await speak_json(connection)
        await speak_instants(connection)
        if on_connect is not None:
            on_connect(connection)

    pool = LeanPool(
        database_url,
        min_size=1,
        max_size=size,
        max_queries=50_000,
        max_inactive_connection_lifetime=300.0,
        loop=None,
        record_class=asyncpg.Record,
        connection_class=LeanConnection,
        init=prepare,
        server_settings={
            "application_name": application_name,
            "timezone": "UTC",
            "lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s",
            "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
            "idle_in_transaction_session_timeout": "30s",
            "jit": "off",
        },
    )
    pool.keep(size // 2)
    return await _opened(pool)


async def _opened(pool: LeanPool) -> LeanPool:
    opened = await pool
    assert opened is pool, "a pool is awaited to be opened"
    return pool


async def speak_json(connection: Any) -> None:
    """JSON columns come and go as values."""
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, schema="pg_catalog", encoder=_to_json, decoder=orjson.loads, format="text"
        )


class _Instants(dict[bytes, datetime]):
    """Instants by how they travel: microseconds since 2000. Rows that are read together have many in common."""

    def __missing__(self, data: bytes) -> datetime:
        if len(self) >= MOST_INSTANTS:
            self.clear()
        instant = self[data] = _EPOCH + timedelta(microseconds=int.from_bytes(data, "big", signed=True))
        return instant


async def speak_instants(connection: Any) -> None:
    """Instants come and go as aware datetimes: as asyncpg has them itself, in half the time or less."""
    await connection.set_type_codec(
        "timestamptz", schema="pg_catalog", encoder=_from_instant, decoder=_Instants().__getitem__, format="binary"
    )


def _from_instant(instant: datetime) -> bytes:
    return ((instant - _EPOCH) // _MICROSECOND).to_bytes(8, "big", signed=True)


def _to_json(value: object) -> str:
    return orjson.dumps(value).decode()
