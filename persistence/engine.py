"""One asyncpg pool per process."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson
from typing_extensions import override

if TYPE_CHECKING:
    from asyncpg import Pool, Record

    _Connection = asyncpg.Connection[Record]
else:
    _Connection = asyncpg.Connection

LOCK_TIMEOUT_SECONDS = 5
STATEMENT_TIMEOUT_SECONDS = 15


class LeanConnection(_Connection):
    """A connection that is given back without a reset round trip: nothing here leaves session state behind."""

    @override
    def get_reset_query(self) -> str:
        """Nothing to reset."""
        return ""


async def open_pool(
    database_url: str,
    *,
    size: int,
    application_name: str = "laurel",
    on_connect: Callable[[Any], None] | None = None,
) -> "Pool[Record]":
    """A pool of at most `size` connections, with JSON by orjson and every wait bounded.

    `on_connect` is given each new connection, to watch its statements.
    """

    async def prepare(connection: Any) -> None:
        await _prepare(connection)
        if on_connect is not None:
            on_connect(connection)

    pool: Pool[Record] = await asyncpg.create_pool(
        database_url,
        min_size=1,
        max_size=size,
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
    return pool


async def _prepare(connection: Any) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, schema="pg_catalog", encoder=_to_json, decoder=orjson.loads, format="text"
        )


def _to_json(value: object) -> str:
    return orjson.dumps(value).decode()
