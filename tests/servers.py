"""One PostgreSQL and one Valkey for a whole test run, however many workers; a database of its own for each test.

A plugin: `pytest_plugins = ["tests.servers"]`. The servers start when the first test asks for them, in a keeper process
that ends when the run does, however it ends. `DATABASE_URL` and `REDIS_URL` win here too.

    database_url    fixture: a new, migrated database, dropped after the test
    redis_url       fixture: an empty numbered database of Valkey (channels of publish/subscribe are shared by all)
    servers()       where the two servers are, for helpers of other kinds
    template(...)   a database prepared once per run, to be copied by fresh_database(template=...) in 20 ms
"""

import asyncio
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import orjson
import pytest

from persistence.embedded import EmbeddedError, EmbeddedServers, EmbeddedSettings, Urls
from persistence.embedded.processes import ProcessMark, mark
from persistence.migrations import head, migrate

ROOT_VARIABLE = "LAUREL_TEST_RUN"  # the folder that the workers of one run share
KEEPER_SECONDS = 60.0
VALKEY_DATABASES = 4096
MEMORY = Path("/dev/shm")  # noqa: S108 - new folders alone are made in it
MEMORY_BYTES = 4_000_000_000
REPOSITORY = Path(__file__).parents[1]
_numbers = count()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        begin_run()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        end_run()


def begin_run() -> None:
    """Servers can be asked for from now on; also outside pytest."""
    os.environ[ROOT_VARIABLE] = str(quick_folder("laurel-tests-"))


def end_run() -> None:
    """Ends the servers of this run, and removes what they kept."""
    if (root := os.environ.pop(ROOT_VARIABLE, None)) is not None:
        _end_keeper(Path(root))
        shutil.rmtree(root, ignore_errors=True)
    for cached in (servers, migrated):
        cached.cache_clear()


@pytest.fixture
def database_url() -> Iterator[str]:
    url = fresh_database(template=migrated())
    yield url
    drop_database(url)


@pytest.fixture
def redis_url() -> str:
    return fresh_redis()


@cache
def servers() -> Urls:
    """The servers of this run, started by whoever asks first."""
    given = Urls(database_url=os.environ.get("DATABASE_URL", ""), redis_url=os.environ.get("REDIS_URL", ""))
    if given.database_url and given.redis_url:
        return given
    root = Path(os.environ[ROOT_VARIABLE])
    with _locked(root / "keeper.lock"):
        if not (root / "urls").exists():
            _start_keeper(root)
        database_url, redis_url = orjson.loads((root / "urls").read_bytes())
    return Urls(database_url=database_url, redis_url=redis_url)


@cache
def migrated() -> str:
    """The template with the newest revision and no rows."""
    return template(f"migrated_{head()}", prepare=migrate)


def template(name: str, *, prepare: Callable[[str], Coroutine[Any, Any, None]]) -> str:
    """The name of a database that `prepare` (given its URL) has filled, once in this run."""
    root = Path(os.environ[ROOT_VARIABLE])
    name = f"{root.name}_{name}".replace("-", "_").lower()[:63]
    with _locked(root / f"{name}.lock"):
        if not (root / f"{name}.ready").exists():
            run(_execute(f'CREATE DATABASE "{name}"'))
            run(prepare(_url_of(name)))
            (root / f"{name}.ready").touch()
    return name


def fresh_database(*, template: str = "template0") -> str:
    """The URL of a new database, a copy of `template`."""
    name = f"test_{secrets.token_hex(12)}"
    run(_execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY'))
    return _url_of(name)


def drop_database(url: str) -> None:
    """Drop what `fresh_database` made, whoever is still connected to it."""
    run(_execute(f'DROP DATABASE IF EXISTS "{urlsplit(url).path[1:]}" WITH (FORCE)'))


def fresh_redis() -> str:
    """The URL of an empty Valkey database that no other test of this run uses."""
    given = servers().redis_url
    if os.environ.get("REDIS_URL"):
        return given
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    number = (worker + next(_numbers) * int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))) % VALKEY_DATABASES
    return given.replace("?db=0", f"?db={number}")


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end from anywhere, a running loop included."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, work).result()


async def _execute(statement: str) -> None:
    connection = await asyncpg.connect(servers().database_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _url_of(database: str) -> str:
    parts = urlsplit(servers().database_url)
    return urlunsplit(parts._replace(path=f"/{database}"))


def quick_folder(prefix: str) -> Path:
    """A new folder for servers' data, in memory where there is enough; root's servers, another account, can pass it."""
    in_memory = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > MEMORY_BYTES
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=MEMORY if in_memory else None))
    folder.chmod(0o711)
    return folder


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _start_keeper(root: Path) -> None:
    owner = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    with (root / "keeper.log").open("wb") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.servers", str(root), str(owner)],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (root / "keeper.pid").write_text(str(keeper.pid))
    deadline = time.monotonic() + KEEPER_SECONDS
    while not (root / "urls").exists():
        if keeper.poll() is not None or time.monotonic() > deadline:
            raise EmbeddedError(f"no servers for the tests: {(root / 'keeper.log').read_text().strip()}")
        time.sleep(0.01)
    keeper.returncode = 0  # ended by whoever ends the run, not waited for here


def _end_keeper(root: Path) -> None:
    try:
        keeper = mark(int((root / "keeper.pid").read_text()))
    except FileNotFoundError:
        return
    if keeper is not None:
        os.kill(keeper.pid, signal.SIGTERM)
        _wait_for_end(keeper)


def _wait_for_end(process: ProcessMark) -> None:
    while mark(process.pid) == process:
        time.sleep(0.02)


def keep(root: Path, *, owner_pid: int) -> None:
    """Run the servers until the test run's own process ends, or says so by SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    owner = mark(owner_pid)
    settings = EmbeddedSettings(
        data_dir=root / "data",
        database_url=os.environ.get("DATABASE_URL") or None,
        redis_url=os.environ.get("REDIS_URL") or None,
        durable=False,
    )
    with EmbeddedServers(settings) as urls:
        new = root / "urls.new"
        new.write_bytes(orjson.dumps([urls.database_url, urls.redis_url]))
        new.rename(root / "urls")
        while owner is not None and mark(owner_pid) == owner:
            time.sleep(0.5)
    shutil.rmtree(root, ignore_errors=True)  # the run was killed and cannot clean up itself


if __name__ == "__main__":
    keep(Path(sys.argv[1]), owner_pid=int(sys.argv[2]))
