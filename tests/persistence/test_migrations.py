"""Migrations: one head, up and down again, equal to the tables in code, harmless to a database in use."""

import asyncio
import io
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from alembic import command
from pytest_alembic.config import Config as RunnerConfig
from pytest_alembic.runner import MigrationContext, runner
from pytest_alembic.tests import default as expected
from sqlalchemy import Connection, pool
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from persistence import migrations
from persistence.base import metadata
from persistence.migrations import NEWEST, configuration, head, migrate, sqlalchemy_url
from tests.servers import drop_database, fresh_database

SQUAWK = shutil.which("squawk", path=Path(sys.executable).parent)

# Rules of squawk that do not fit, each with the reason.
EXCLUDED_RULES = {
    "prefer-bigint-over-int": "32 bits are for what rules bound: an ordinal, a limit, a day of a streak",
    "prefer-robust-stmts": "each migration is one transaction: one that fails part way has changed nothing",
    "prefer-text-field": "the one varchar is that of Alembic's own table",
    "require-statement-timeout": "lock_timeout bounds what others wait; what holds up nobody may go on",
}


@pytest.fixture
def empty_database_url() -> Iterator[str]:
    url = fresh_database()
    yield url
    drop_database(url)


async def on_connection(url: str, work: Callable[[Connection], None]) -> None:
    """Runs what needs a connection of SQLAlchemy's synchronous kind, as Alembic does."""
    engine = create_async_engine(sqlalchemy_url(url), poolclass=pool.NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(work)
            await connection.commit()
    finally:
        await engine.dispose()


@pytest.mark.parametrize(
    "check",
    [
        expected.test_single_head_revision,
        expected.test_upgrade,
        expected.test_model_definitions_match_ddl,
        expected.test_up_down_consistency,
    ],
    ids=lambda check: check.__name__.removeprefix("test_"),
)
async def test_the_history_is_what_it_should_be(
    check: Callable[[MigrationContext], None], empty_database_url: str
) -> None:
    def with_runner(connection: Connection) -> None:
        config = RunnerConfig(alembic_config=configuration(connection))
        with runner(config=config, engine=connection) as context:
            check(context)

    await on_connection(empty_database_url, with_runner)


async def test_going_down_leaves_nothing_and_going_up_again_everything(empty_database_url: str) -> None:
    await migrate(empty_database_url)
    assert await tables(empty_database_url) == {*metadata.tables, "alembic_version"}
    await on_connection(empty_database_url, lambda sync: command.downgrade(configuration(sync), "base"))
    assert await tables(empty_database_url) == {"alembic_version"}
    await migrate(empty_database_url)
    assert await tables(empty_database_url) == {*metadata.tables, "alembic_version"}


async def test_several_processes_migrate_at_once_and_one_does_it(empty_database_url: str) -> None:
    await asyncio.gather(*(migrate(empty_database_url) for _ in range(4)))
    connection = await asyncpg.connect(empty_database_url)
    assert await connection.fetchval("SELECT version_num FROM alembic_version") == head() == NEWEST
    await connection.close()


async def tables(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    await connection.close()
    return {row["tablename"] for row in rows}


# ── locks ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_migration_that_cannot_have_its_lock_gives_up_in_time(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT_SECONDS", 0.2)
    holder = await asyncpg.connect(database_url)
    await holder.execute("BEGIN; LOCK TABLE members, stores IN ACCESS SHARE MODE")
    began = time.monotonic()
    with pytest.raises(DBAPIError, match="lock timeout"):
        async with asyncio.timeout(10):
            await on_connection(database_url, lambda sync: command.downgrade(configuration(sync), "base"))
    assert time.monotonic() - began < 5
    assert {"members", "stores"} <= await tables(database_url)
    await holder.execute("ROLLBACK")
    await holder.close()
    # Each migration is a transaction: those before it may be undone, none is half done.
    await migrate(database_url)
    assert await tables(database_url) == {*metadata.tables, "alembic_version"}


async def test_every_migration_of_a_run_is_bounded_not_the_first_alone(empty_database_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(migrations.HERE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "9999_later.py").write_text(
        f"from alembic import op\nrevision, down_revision = '9999', {head()!r}\n"
        "def upgrade():\n"
        "    found = op.get_bind().exec_driver_sql('SHOW lock_timeout').scalar()\n"
        f"    assert found == '{migrations.LOCK_TIMEOUT_SECONDS}s', found\n"
        "def downgrade():\n    pass\n"
    )

    def upgrade(connection: Connection) -> None:
        config = configuration(connection)
        config.set_main_option("script_location", str(folder))
        command.upgrade(config, "head")

    await on_connection(empty_database_url, upgrade)


# ── the DDL ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def ddl() -> str:
    """The SQL of every migration, from nothing to the newest."""
    written = io.StringIO()
    config = configuration()
    config.output_buffer = written
    command.upgrade(config, "head", sql=True)
    return written.getvalue()


def lint(sql: str) -> subprocess.CompletedProcess[str]:
    assert SQUAWK is not None, "squawk-cli is among the development dependencies"
    excluded = ",".join(EXCLUDED_RULES)
    asked = [SQUAWK, "--pg-version", "18", "--exclude", excluded, "--stdin-filepath", "migrations.sql"]
    return subprocess.run(asked, input=sql, capture_output=True, text=True, check=False, timeout=60)


def test_the_ddl_holds_up_nobody() -> None:
    linted = lint(ddl())
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_the_linter_finds_ddl_that_holds_up_everybody() -> None:
    linted = lint(
        ddl() + "ALTER TABLE members ALTER COLUMN locale TYPE integer USING 1;\n"
        "ALTER TABLE members RENAME COLUMN locale TO tongue;\n"
    )
    assert linted.returncode != 0
    assert "changing-column-type" in linted.stdout
    assert "renaming-column" in linted.stdout


def test_the_sql_can_be_written_down_for_who_runs_it_by_hand() -> None:
    sql = ddl()
    assert f"SET lock_timeout = '{migrations.LOCK_TIMEOUT_SECONDS}s'" in sql
    assert all(f"CREATE TABLE {name} (" in sql for name in metadata.tables)
