"""The embedded servers' lives: started, killed, refused. Each test has a data folder of its own."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from persistence.base import on_statement
from persistence.catalogue.follower import Catalogue
from persistence.embedded import EmbeddedError, EmbeddedServers, EmbeddedSettings, Urls, places
from persistence.embedded.processes import ProcessMark, command_of, mark
from persistence.engine import open_pool
from persistence.migrations import migrate
from persistence.redis.client import open_redis
from tests.queries import names_into
from tests.servers import quick_folder

REPOSITORY = Path(__file__).parents[2]
GONE_SECONDS = 15.0
ROOT = os.geteuid() == 0

# Another Laurel: starts servers on the folder it is given, says their process ids, and waits to be ended.
OTHER = """
import sys, time
from pathlib import Path
from persistence.base import on_statement
from persistence.catalogue.follower import Catalogue
from persistence.embedded import EmbeddedServers, EmbeddedSettings
servers = EmbeddedServers(EmbeddedSettings(data_dir=Path(sys.argv[1]), durable=sys.argv[2] == "durable"))
servers.start()
print(*servers.process_ids, flush=True)
time.sleep(100)
"""


@pytest.fixture(scope="module")
def stopped() -> Iterator[Path]:
    """A data folder of servers that ran once and were stopped in order, to be copied: making one takes a second."""
    folder = quick_folder("laurel-embedded-")
    with EmbeddedServers(EmbeddedSettings(data_dir=folder / "data", durable=False)):
        pass
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """The name of a data folder that does not exist yet."""
    folder = quick_folder("laurel-embedded-")
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.fixture
def settings(data_dir: Path, stopped: Path) -> EmbeddedSettings:
    """A data folder that is there already, of servers in a hurry."""
    _copy(stopped, to=data_dir)
    return EmbeddedSettings(data_dir=data_dir, durable=False)


@pytest.fixture
def other(settings: EmbeddedSettings) -> Iterator[tuple["subprocess.Popen[str]", list[ProcessMark]]]:
    process, marks = _another(settings.data_dir)
    yield process, marks
    process.kill()
    process.communicate()
    _wait_until_gone(marks)


async def test_both_servers_answer_and_what_they_kept_is_there_at_the_next_start(data_dir: Path) -> None:
    durable = EmbeddedSettings(data_dir=data_dir)
    with EmbeddedServers(durable) as urls:
        await _write(urls, number=1)
    with EmbeddedServers(durable) as urls:
        assert await _written(urls) == [1]


async def test_statements_are_seen_by_their_names_in_pg_stat_statements_and_in_the_servers_log(
    settings: EmbeddedSettings,
) -> None:
    ran: list[str] = []
    with EmbeddedServers(settings) as urls:
        await migrate(urls.database_url)
        pool = await open_pool(urls.database_url, size=1)
        async with pool.acquire() as connection:
            await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
            await connection.execute("SET log_min_duration_statement = 0")
            token = on_statement.set(names_into(ran))
            await Catalogue().look(connection)
            on_statement.reset(token)
            rows = await connection.fetch("SELECT query FROM pg_stat_statements")
        await pool.close()
    assert {"catalogue_version", "catalogue_revisions_of_coupon_templates"} <= set(ran)
    queries, log = [row["query"] for row in rows], (settings.data_dir / "postgres.log").read_text(encoding="utf-8")
    for name in set(ran):
        assert any(query.startswith(f"SELECT /* {name} */ ") for query in queries), name
        assert re.search(rf"laurel LOG: .*SELECT /\* {name} \*/ ", log), name


async def test_no_password_no_entry(settings: EmbeddedSettings) -> None:
    with EmbeddedServers(settings) as urls:
        user, _, place = urls.database_url.partition("@")
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(f"{user}x@{place}")


def test_killing_the_parent_leaves_no_orphan(
    other: tuple["subprocess.Popen[str]", list[ProcessMark]],
) -> None:
    process, marks = other
    assert len(marks) == 2
    process.kill()
    process.wait()
    _wait_until_gone(marks)


async def test_a_start_right_after_the_kill_recovers_what_was_committed(data_dir: Path, stopped: Path) -> None:
    _copy(stopped, to=data_dir)
    durable = EmbeddedSettings(data_dir=data_dir)
    with EmbeddedServers(durable) as urls:
        await _write(urls, number=1)
    for number in (2, 3):
        process, marks = _another(data_dir, durable=True)
        joined = EmbeddedServers(durable, join=True)
        await _write(joined.start(), number=number)
        joined.stop()
        if number == 3:
            for left in marks:  # the servers too, with no time to write anything more
                os.kill(left.pid, signal.SIGKILL)
        process.kill()
        process.communicate()
        with EmbeddedServers(durable) as urls:
            assert await _written(urls) == list(range(1, number + 1))


def test_a_lock_file_whose_process_id_went_to_another_program_is_no_hindrance(settings: EmbeddedSettings) -> None:
    lock = settings.data_dir / "postgres" / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{settings.data_dir / 'postgres'}\n")
    with EmbeddedServers(settings):
        assert not lock.read_text().startswith(f"{os.getpid()}\n")


async def test_two_copies_run_side_by_side(settings: EmbeddedSettings, stopped: Path) -> None:
    second = EmbeddedSettings(data_dir=settings.data_dir.with_name("second"), durable=False)
    _copy(stopped, to=second.data_dir)
    with EmbeddedServers(settings) as one, EmbeddedServers(second) as two:
        await _write(one, number=1)
        await _write(two, number=2)
        assert await _written(one) == [1]
        assert await _written(two) == [2]


def test_a_data_folder_in_use_is_refused_in_one_line(
    settings: EmbeddedSettings, other: tuple["subprocess.Popen[str]", list[ProcessMark]]
) -> None:
    process, marks = other
    with pytest.raises(EmbeddedError, match=f"^DATA_DIR .* is in use by another Laurel .process {process.pid}.$"):
        EmbeddedServers(settings).start()
    assert all(mark(left.pid) == left for left in marks)


async def test_a_command_beside_a_running_server_joins_it_and_leaves_it_running(
    settings: EmbeddedSettings, other: tuple["subprocess.Popen[str]", list[ProcessMark]]
) -> None:
    _, marks = other
    with EmbeddedServers(settings, join=True) as urls:
        await _write(urls, number=7)
    assert all(mark(left.pid) == left for left in marks)


def test_what_is_done_meanwhile_is_done_once_while_the_servers_start(settings: EmbeddedSettings) -> None:
    launched: list[int] = []

    def meanwhile() -> None:
        # Both are there, and what they are waited for with is not known yet.
        state = json.loads((settings.data_dir / "servers.json").read_bytes())
        assert state["urls"] is None
        launched.append(len(servers.process_ids))

    servers = EmbeddedServers(settings, meanwhile=meanwhile)
    with servers:
        assert launched == [2]


def test_what_fails_meanwhile_leaves_nothing_running(settings: EmbeddedSettings) -> None:
    pids: list[int] = []

    def meanwhile() -> None:
        pids.extend(servers.process_ids)
        raise LookupError

    servers = EmbeddedServers(settings, meanwhile=meanwhile)
    with pytest.raises(LookupError):
        servers.start()
    assert len(pids) == 2
    assert [mark(pid) for pid in pids] == [None, None]


def test_a_command_that_joins_does_its_own_before_it_waits(
    settings: EmbeddedSettings, other: tuple["subprocess.Popen[str]", list[ProcessMark]]
) -> None:
    done: list[str] = []
    with EmbeddedServers(settings, join=True, meanwhile=lambda: done.append("joined")):
        assert done == ["joined"]


def test_data_of_another_major_version_is_refused_in_one_line_and_nothing_is_left_running(
    settings: EmbeddedSettings,
) -> None:
    (settings.data_dir / "postgres" / "PG_VERSION").write_text("15\n")
    servers = EmbeddedServers(settings)
    with pytest.raises(
        EmbeddedError, match=r"^The data in .* was written by PostgreSQL 15, and this is PostgreSQL \d+"
    ):
        servers.start()
    assert servers.process_ids == ()


def test_a_server_that_cannot_start_says_why_in_one_line(settings: EmbeddedSettings) -> None:
    (settings.data_dir / "postgres" / "global" / "pg_control").unlink()
    with pytest.raises(EmbeddedError, match="pg_control") as refused:
        EmbeddedServers(settings).start()
    assert "\n" not in str(refused.value)


def test_what_is_given_is_not_started_and_the_data_folder_stays_untouched(data_dir: Path) -> None:
    given = EmbeddedSettings(data_dir=data_dir, database_url="postgresql://d", redis_url="redis://r")
    with EmbeddedServers(given) as urls:
        assert urls == Urls(database_url="postgresql://d", redis_url="redis://r")
    assert not data_dir.exists()
    done: list[str] = []
    with EmbeddedServers(given, meanwhile=lambda: done.append("given")):
        assert done == ["given"]


def test_with_redis_given_only_postgresql_is_started(data_dir: Path) -> None:
    servers = EmbeddedServers(EmbeddedSettings(data_dir=data_dir, redis_url="redis://r", durable=False))
    with servers as urls:
        assert urls.redis_url == "redis://r"
        (only,) = servers.process_ids
        assert "postgres" in command_of(only)


def test_passwords_are_in_no_command_line_and_no_readable_file(settings: EmbeddedSettings) -> None:
    servers = EmbeddedServers(settings)
    with servers as urls:
        secrets = [urls.redis_url.split(":")[2].split("@")[0], urls.database_url.split(":")[2].split("@")[0]]
        assert not any(secret in command_of(pid) for secret in secrets for pid in servers.process_ids)
        open_to_others = [
            path for path in settings.data_dir.iterdir() if path.is_file() and path.stat().st_mode & 0o077
        ]
        assert open_to_others == []
        assert not any(secret in repr(urls) for secret in secrets)


def test_a_data_folder_that_cannot_be_written_is_one_line(data_dir: Path) -> None:
    data_dir.write_text("a file")
    with pytest.raises(EmbeddedError, match=r"^DATA_DIR .* is not a folder"):
        EmbeddedServers(EmbeddedSettings(data_dir=data_dir)).start()


@pytest.mark.skipif(not ROOT, reason="only root runs its servers as another account")
async def test_root_keeps_its_data_where_the_servers_account_can_reach_it(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = data_dir.parent / "shared"
    monkeypatch.setattr(places, "SHARED_STATE", shared)
    closed = EmbeddedSettings(data_dir=tmp_path / "closed" / "data", durable=False)
    closed.data_dir.parent.mkdir(mode=0o700)
    with EmbeddedServers(closed) as urls:
        await _write(urls, number=1)
    with EmbeddedServers(closed) as urls:
        assert await _written(urls) == [1]
    assert closed.data_dir.parent.stat().st_mode & 0o777 == 0o700
    assert str(shared) in (closed.data_dir / "servers-are-elsewhere.txt").read_text()

    shutil.rmtree(closed.data_dir)
    with EmbeddedServers(closed) as urls:
        assert await _written(urls) == []


def _copy(folder: Path, *, to: Path) -> None:
    subprocess.run(["cp", "-a", str(folder), str(to)], check=True)  # with its owners, which shutil leaves behind


def _another(data_dir: Path, *, durable: bool = False) -> tuple["subprocess.Popen[str]", list[ProcessMark]]:
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(data_dir), "durable" if durable else "not"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    marks = [found for pid in process.stdout.readline().split() if (found := mark(int(pid))) is not None]
    return process, marks


def _wait_until_gone(marks: list[ProcessMark]) -> None:
    deadline = time.monotonic() + GONE_SECONDS
    while left := [command_of(found.pid) for found in marks if mark(found.pid) == found]:
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


async def _write(urls: Urls, *, number: int) -> None:
    connection = await asyncpg.connect(urls.database_url)
    await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    await connection.execute("CREATE TABLE IF NOT EXISTS kept (number int)")
    await connection.execute("INSERT INTO kept VALUES ($1)", number)
    await connection.close()
    client = open_redis(urls.redis_url)
    assert await client.set(f"kept:{number}", number)
    await client.aclose()


async def _written(urls: Urls) -> list[int]:
    connection = await asyncpg.connect(urls.database_url)
    exists = await connection.fetchval("SELECT to_regclass('kept') IS NOT NULL")
    rows = await connection.fetch("SELECT number FROM kept ORDER BY number") if exists else []
    await connection.close()
    return [row["number"] for row in rows]


async def test_a_server_that_is_killed_is_started_again_at_its_address_with_what_it_had(data_dir: Path) -> None:
    servers = EmbeddedServers(EmbeddedSettings(data_dir=data_dir))
    with servers as urls:
        await _write(urls, number=1)
        for place in (0, 1):
            os.kill(servers.process_ids[place], signal.SIGKILL)
        started: list[str] = []
        deadline = time.monotonic() + GONE_SECONDS
        while len(started) < 2:
            assert time.monotonic() < deadline, f"only {started} was started again"
            started += servers.revive()
            await asyncio.sleep(0.02)
        assert set(started) == {"PostgreSQL", "Valkey"}
        await _until_answers(urls)
        assert await _written(urls) == [1]
        assert servers.revive() == []


async def _until_answers(urls: Urls) -> None:
    deadline = time.monotonic() + GONE_SECONDS
    while True:
        try:
            return await (await asyncpg.connect(urls.database_url)).close()
        except (OSError, asyncpg.PostgresError):
            assert time.monotonic() < deadline, "it does not come back"
            await asyncio.sleep(0.02)
