"""The pair of embedded servers of one data folder, from start to stop."""

import fcntl
import json
import os
import secrets
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
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
# Between two starts of a server that ends again and again. What a killed one left behind needs a moment to go.
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0


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


@dataclass(slots=True)
class _Kept:
    """A server that is kept running: how it is started, and when it may be started again."""

    start: Callable[[], Server]
    ready: Callable[[Server], bool]
    server: Server
    pause_seconds: float = FIRST_PAUSE_SECONDS
    not_before: float = 0.0

    def revive(self) -> bool:
        """Starts it again if it has ended and its pause is over; whether it was."""
        now = time.monotonic()
        if self.server.process.poll() is None:
            if now > self.not_before + LONGEST_PAUSE_SECONDS:
                self.pause_seconds = FIRST_PAUSE_SECONDS
            return False
        if now < self.not_before:
            return False
        self.not_before = now + self.pause_seconds
        self.pause_seconds = min(self.pause_seconds * 2, LONGEST_PAUSE_SECONDS)
        try:
            self.server = self.start()
        except EmbeddedError:  # processes of the killed one are still at its data
            return False
        return True


class EmbeddedServers:
    """PostgreSQL and Valkey for one data folder: `start`, use the `Urls`, `stop`; or a `with` block of the same.

    The data folder belongs to one running process at a time. With `join`, a second one uses the servers of the first
    for as long as that runs, and its `stop` leaves them alone: for commands beside a running `serve`.

    `meanwhile` is called once, when the servers have been launched and before they are waited for: what takes long and
    needs no server (importing the application) costs nothing there.
    """

    def __init__(
        self, settings: EmbeddedSettings, *, join: bool = False, meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        self._settings = settings
        self._join = join
        self._meanwhile = meanwhile
        self._data_dir = settings.data_dir.absolute()
        self._state = self._data_dir / "servers.json"
        self._lock: int | None = None
        self._sockets: Path | None = None
        self._running: list[_Kept] = []
        self._urls: Urls | None = None

    def start(self) -> Urls:
        """Start what is not given, and wait until it answers. Call it from the main thread.

        Raises `EmbeddedError`, with nothing left running.
        """
        given = self._settings
        if given.database_url is not None and given.redis_url is not None:
            self._meanwhile()
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
        stop_all([kept.server for kept in self._running])
        self._running.clear()
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
            self._sockets = None
        if self._lock is not None:
            self._state.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None
        self._urls = None

    def revive(self) -> Sequence[str]:
        """Start again what has ended by itself; returns the names of what was started. Call it from the main thread.

        The addresses stay. PostgreSQL recovers first what it had promised, and does not answer until it has.
        """
        started = [kept.server.name for kept in self._running if kept.revive()]
        if started:
            self._write_state()
        return started

    def __enter__(self) -> Urls:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def process_ids(self) -> tuple[int, ...]:
        """The servers that this object started."""
        return tuple(kept.server.process.pid for kept in self._running)

    def _start_missing(self, account: Account | None) -> Urls:
        home = place_of_servers(self._data_dir, account=account)
        self._sockets = make_socket_folder(home, account=account)
        self._write_state()
        redis_url = self._settings.redis_url or self._launch_valkey(home, account=account)
        database_url = self._settings.database_url or self._launch_postgres(home, account=account)
        self._meanwhile()
        for kept in self._running:
            self._wait_for(kept)
        self._urls = Urls(database_url=database_url, redis_url=redis_url)
        self._write_state()
        return self._urls

    def _wait_for(self, kept: _Kept) -> None:
        """Wait until it answers. One that was killed by somebody is started again; one that fails by itself is not."""
        while True:
            try:
                kept.server.wait_until(partial(kept.ready, kept.server))
            except EmbeddedError:
                if kept.server.process.returncode != -signal.SIGKILL:
                    raise
                while not kept.revive():
                    time.sleep(POLL_SECONDS)
                self._write_state()
            else:
                return

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
        durable = self._settings.durable
        self._add(
            lambda: valkey.start_valkey(place, program=program, account=account, durable=durable),
            ready=lambda _: valkey.answers(place),
        )
        return valkey.address(place)

    def _launch_postgres(self, home: Path, *, account: Account | None) -> str:
        place = postgres.PostgresPlace(
            cluster=home / "postgres",
            password_file=self._data_dir / "postgres.password",
            log=_log(self._data_dir / "postgres.log"),
            sockets=self._socket_root,
        )
        binaries = find_postgres(account)
        durable = self._settings.durable
        self._add(
            lambda: postgres.start_postgres(place, binaries=binaries, account=account, durable=durable),
            ready=lambda server: postgres.is_ready(server, cluster=place.cluster),
        )
        return postgres.address(place)

    def _add(self, start: Callable[[], Server], *, ready: Callable[[Server], bool]) -> None:
        self._running.append(_Kept(start=start, ready=ready, server=start()))
        self._write_state()

    @property
    def _socket_root(self) -> Path:
        assert self._sockets is not None  # made before anything is launched
        return self._sockets

    def _write_state(self) -> None:
        """Say what runs: to the next start, should this one be killed, and to those who join."""
        urls = self._urls
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
        if self._join:
            self._meanwhile()
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
