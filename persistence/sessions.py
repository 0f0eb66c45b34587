"""Work that one process does for all: a PostgreSQL session of its own holds an advisory lock for as long as it lives.

Never a pooled connection: a session lock would go back into the pool with it. When the session dies, however it dies,
PostgreSQL frees the lock and another process takes over.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import Final, TypeAlias

import asyncpg
import sqlalchemy as sa
from asyncpg import Connection, Record

from persistence.base import Statement

Session: TypeAlias = "Connection[Record]"
OpenSession: TypeAlias = Callable[[], Awaitable[Session]]

POSTGRES_FAILURES: Final[tuple[type[Exception], ...]] = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that was ended at an awkward moment
    OSError,
    TimeoutError,
)
"""What a call may raise when PostgreSQL is away, slow or ends the session."""

_CLOSE_SECONDS: Final = 1.0

TRY_LOCK = Statement("try_lock", sa.select(sa.func.pg_try_advisory_lock(sa.bindparam("lock", type_=sa.BigInteger))))
UNLOCK = Statement("unlock", sa.select(sa.func.pg_advisory_unlock(sa.bindparam("lock", type_=sa.BigInteger))))
STILL_THERE = Statement("still_there", sa.select(sa.literal_column("1")))


def lock_number(name: str) -> int:
    """The advisory lock that a name stands for; the same in every process and version."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8, person=b"laurel").digest(), signed=True)


async def open_session(database_url: str, *, application_name: str, timeout_seconds: float = 5.0) -> Session:
    """A connection outside the pool. Every call on it is bounded, so that a dead server is noticed."""
    return await asyncpg.connect(
        database_url,
        timeout=timeout_seconds,
        command_timeout=timeout_seconds,
        server_settings={
            "application_name": application_name,
            "timezone": "UTC",
            "jit": "off",
            # A plan made while the outbox was empty would scan it for ever after.
            "plan_cache_mode": "force_custom_plan",
        },
    )


async def close_session(session: Session) -> None:
    """Give the session and its locks back; a server that does not answer is left to notice by itself."""
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await session.close()
    except POSTGRES_FAILURES:
        with contextlib.suppress(*POSTGRES_FAILURES):
            session.terminate()


async def try_lock(session: Session, *, name: str) -> bool:
    """Take the named lock if nobody has it; the session that has it may take it again."""
    return bool(await TRY_LOCK.value(session, {"lock": lock_number(name)}))


async def unlock(session: Session, *, name: str) -> None:
    """Give the named lock back."""
    await UNLOCK.value(session, {"lock": lock_number(name)})
