"""Alembic's entry: the same tables that statements are made of are what migrations are compared with."""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import create_async_engine

from persistence.migrations import LOCK_TIMEOUT_SECONDS, sqlalchemy_url
from persistence.schema import metadata


def run(connection: Connection) -> None:
    """Runs the migrations on a connection; a lock that is not had in time is an error, never a queue behind it."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    _bounded()


def write_down() -> None:
    """Writes the SQL of the migrations instead of running it (`alembic upgrade head --sql`), to be read and linted."""
    context.configure(dialect_name="postgresql", target_metadata=metadata, transaction_per_migration=True)
    _bounded()


def _bounded() -> None:
    with context.begin_transaction():
        # For the session: each migration has a transaction of its own, and SET LOCAL would end with the first.
        context.execute(f"SET lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'")
        context.run_migrations()


async def run_alone() -> None:
    """Opens a connection of its own, for `alembic` on the command line."""
    engine = create_async_engine(sqlalchemy_url(os.environ["DATABASE_URL"]), poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)
        await connection.commit()
    await engine.dispose()


given = context.config.attributes.get("connection")
if context.is_offline_mode():
    write_down()
elif given is not None:
    run(given)
else:
    asyncio.run(run_alone())
