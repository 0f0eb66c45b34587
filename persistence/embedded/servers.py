"""The pair of embedded servers of one data folder, from start to stop."""

import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from persistence.embedded import postgres, valkey
from persistence.embedded.binaries import find_postgres, find_valkey
from persistence.embedded.errors import EmbeddedError
from persistence.embedded.places import (
    make_data_folder,
    make_private,
    make_socket_folder,
    place_of_servers,
    servers_account,
)
from persistence.embedded.processes import (
    POLL_SECONDS,
    START_SECONDS,
    Account,
    ProcessMark,
    Server,
    end_leftover,
    mark,
    stop_all,
)

LOG_KEPT_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class EmbeddedSettings:
    """What is given already, and where the rest is kept."""

    data_dir: Path
    database_url: str | None = field(default=None, repr=False)
    redis_url: str | None = field(default=None, repr=False)
    durable: bool = True  # False: for tests, nothing is safe against a crash and everything is faster


@dataclass(frozen=True, slots=True)
class Urls:
    """Where the two servers are reached, with their passwords."""

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)


class EmbeddedServers:
    """PostgreSQL and Valkey for one data folder: `start`, use the `Urls`, `stop`; or a `with` block of the same.

    The data folder belongs to one running process at a time. With `join`, a second one uses the servers of the first
    for as long as that runs, and its `stop` leaves them alone: for commands beside a running `serve`.
    """

    def __init__(self, settings: EmbeddedSettings, *, join: bool = False) -> None:
        self._settings = settings
        self._join = join
        self._data_dir = settings.data_dir.absolute()
        self._state = self._data_dir / "servers.json"
        self._lock: int | None = None
        self._sockets: Path | None = None
        self._running: list[tuple[Server, Callable[[], bool]]] = []

    def start(self) -> Urls:
        """Start what is not given, and wait until it answers. Call it from the main thread.

        Raises `EmbeddedError`, with nothing left running.
        """
        given = self._settings
        if given.database_url is not None and given.redis_url is not None:
            return Urls(database_url=given.database_url, redis_url=given.redis_url)
        try:
            account = servers_account()
            make_data_folder(self._data_dir, account=account)
            self._lock = _lock(self._data_dir / "lock")
            if self._lock is None:
                return self._join_running()
            self._clear_leftovers()
            return self._start_missing(account)
        except OSError as error:
            self.stop()
            raise EmbeddedError(f"Embedded servers in {self._data_dir}: {error}") from None
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End what was started, in order; calling it again does nothing."""
        stop_all([server for server, _ in self._running])
        self._running.clear()
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
            self._sockets = None
        if self._lock is not None:
            self._state.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Urls:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def process_ids(self) -> tuple[int, ...]:
        """The servers that this object started."""
        return tuple(server.process.pid for server, _ in self._running)

    def _start_missing(self, account: Account | None) -> Urls:
        home = place_of_servers(self._data_dir, account=account)
        self._sockets = make_socket_folder(home, account=account)
        self._write_state(urls=None)
        redis_url = self._settings.redis_url or self._launch_valkey(home, account=account)
        database_url = self._settings.database_url or self._launch_postgres(home, account=account)
        for server, ready in self._running:
            server.wait_until(ready)
        urls = Urls(database_url=database_url, redis_url=redis_url)
        self._write_state(urls=urls)
        return urls

    def _launch_valkey(self, home: Path, *, account: Account | None) -> str:
        place = valkey.ValkeyPlace(
            folder=home / "valkey",
            log=_log(self._data_dir / "valkey.log"),
            socket=self._socket_root / "valkey",
            password=secrets.token_urlsafe(24),
        )
        if not place.folder.exists():
            make_private(place.folder, account=account)
        program = find_valkey(account)
        server = valkey.start_valkey(place, program=program, account=account, durable=self._settings.durable)
        self._add(server, ready=lambda: valkey.answers(place))
        return valkey.address(place)

    def _launch_postgres(self, home: Path, *, account: Account | None) -> str:
        place = postgres.PostgresPlace(
            cluster=home / "postgres",
            password_file=self._data_dir / "postgres.password",
            log=_log(self._data_dir / "postgres.log"),
            sockets=self._socket_root,
        )
        binaries = find_postgres(account)
        server = postgres.start_postgres(place, binaries=binaries, account=account, durable=self._settings.durable)
        self._add(server, ready=lambda: postgres.is_ready(server, cluster=place.cluster))
        return postgres.address(place)

    def _add(self, server: Server, *, ready: Callable[[], bool]) -> None:
        self._running.append((server, ready))
        self._write_state(urls=None)

    @property
    def _socket_root(self) -> Path:
        assert self._sockets is not None  # made before anything is launched
        return self._sockets

    def _write_state(self, *, urls: Urls | None) -> None:
        """Say what runs: to the next start, should this one be killed, and to those who join."""
        marks = [found for pid in self.process_ids if (found := mark(pid)) is not None]
        state = {
            "owner": os.getpid(),
            "sockets": str(self._sockets),
            "processes": [asdict(found) for found in marks],
            "urls": None if urls is None else [urls.database_url, urls.redis_url],
        }
        new = self._state.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text(json.dumps(state), encoding="utf-8")
        new.rename(self._state)

    def _read_state(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads(self._state.read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return state

    def _clear_leftovers(self) -> None:
        """Wait for the servers of an earlier run that was killed to be gone, and remove its sockets."""
        state = self._read_state()
        for left in state.get("processes", ()):
            end_leftover(ProcessMark(**left))
        if sockets := state.get("sockets"):
            shutil.rmtree(sockets, ignore_errors=True)
        self._state.unlink(missing_ok=True)

    def _join_running(self) -> Urls:
        deadline = time.monotonic() + (START_SECONDS if self._join else 0)
        while True:
            state = self._read_state()
            if self._join and state.get("urls"):
                database_url, redis_url = state["urls"]
                return Urls(
                    database_url=self._settings.database_url or database_url,
                    redis_url=self._settings.redis_url or redis_url,
                )
            if time.monotonic() >= deadline:
                owner = f" (process {state['owner']})" if "owner" in state else ""
                raise EmbeddedError(f"DATA_DIR {self._data_dir} is in use by another Laurel{owner}")
            time.sleep(POLL_SECONDS)


def _lock(path: Path) -> int | None:
    """The descriptor that holds the lock of a data folder until it is closed or its process ends; None if taken."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        os.close(descriptor)
        return None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _log(path: Path) -> Path:
    """A log file of ours, the grown one put aside."""
    if path.exists() and path.stat().st_size > LOG_KEPT_BYTES:
        path.rename(path.with_suffix(".log.1"))
    path.touch(mode=0o600)
    return path
