"""Migrations: one head, up and down, equal to the tables in code."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import asyncpg

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

NEWEST: Final = "0013"
"""The newest revision, as `head` finds it: so that a start that has nothing to migrate need not import Alembic."""
_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
)
LOCK_TIMEOUT_SECONDS = 5
HERE = Path(__file__).parent


def sqlalchemy_url(database_url: str) -> str:
    """A plain PostgreSQL URL as SQLAlchemy's asyncpg dialect wants it."""
    _, _, rest = database_url.partition("://")
    return f"postgresql+asyncpg://{rest}"


def configuration(connection: "Connection | None" = None) -> "Config":
    """Alembic's configuration, without its command line."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("file_template", "%%(slug)s")
    if connection is not None:
        config.attributes["connection"] = connection
    return config


def head() -> str:
    """The newest revision that this code knows."""
    from alembic.script import ScriptDirectory

    revision = ScriptDirectory.from_config(configuration()).get_current_head()
    assert revision is not None, "there is one head"
    return revision


async def migrate(database_url: str) -> None:
    """Brings a database to the newest revision; of several processes at once, an advisory lock lets one work.

    Raises ConnectionError when the server is away, or goes away: what was not done is done by the next call.
    """
    if not await _is_newest(database_url):
        await _upgrade(database_url)


async def _is_newest(database_url: str) -> bool:
    connection = await asyncpg.connect(database_url)
    try:
        revision = await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return False
    finally:
        await connection.close()
    return bool(revision == NEWEST)


async def _upgrade(database_url: str) -> None:
    from alembic import command
    from sqlalchemy import pool
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(sqlalchemy_url(database_url), poolclass=pool.NullPool)
    try:
        async with engine.connect() as connection:
            await connection.exec_driver_sql("SELECT pg_advisory_lock(hashtext('laurel migrations'))")
            await connection.commit()
            await connection.run_sync(lambda sync: command.upgrade(configuration(sync), "head"))
            await connection.commit()
            await connection.exec_driver_sql("SELECT pg_advisory_unlock(hashtext('laurel migrations'))")
            await connection.commit()
    except DBAPIError as error:
        cause = getattr(error.orig, "__cause__", None)
        if error.connection_invalidated or isinstance(cause, _AWAY):
            raise ConnectionError(str(cause)) from error
        raise
    finally:
        await engine.dispose()
