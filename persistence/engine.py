"""One asyncpg pool per process."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import asyncpg
import orjson

from persistence.connection import LeanConnection
from persistence.pool import LeanPool
from persistence.silence import notice_lost_host

LOCK_TIMEOUT_SECONDS = 5
STATEMENT_TIMEOUT_SECONDS = 15
IDLE_TIMEOUT_SECONDS = 20  # of a transaction
# Longer than both: a server that has not answered by then does not answer.
SILENCE_SECONDS = 21.0
# As long as a statement may take: what waits longer for a connection is told that the service is not available.
PATIENCE_SECONDS = 15.0
MOST_INSTANTS = 4_096  # remembered by a connection

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


async def open_pool(
    database_url: str,
    *,
    size: int,
    application_name: str = "laurel",
    on_connect: Callable[[Any], None] | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
    silence_seconds: float = SILENCE_SECONDS,
) -> LeanPool:
    """A pool of at most `size` connections, with JSON by orjson and every wait bounded.

    `on_connect` is given each new connection, to watch its statements.
    """

    async def prepare(connection: Any) -> None:
        notice_lost_host(connection)
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
            "idle_in_transaction_session_timeout": f"{IDLE_TIMEOUT_SECONDS}s",
            "jit": "off",
        },
    )
    pool.lend_at_most(size, patience_seconds=patience_seconds, silence_seconds=silence_seconds)
    return await _opened(pool)


async def _opened(pool: LeanPool) -> LeanPool:
    opened = await pool
    assert opened is pool, "a pool is awaited to be opened"
    pool.silence.start()
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


@lru_cache(maxsize=MOST_INSTANTS)
def _from_instant(instant: datetime) -> bytes:
    return ((instant - _EPOCH) // _MICROSECOND).to_bytes(8, "big", signed=True)


def _to_json(value: object) -> str:
    return orjson.dumps(value).decode()
