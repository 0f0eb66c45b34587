"""`python -m app serve`: embedded servers, migrations, demo data, then as many server processes as there are cores.

The parent holds the listening socket and watches; it serves nothing itself. Nothing outlives it: children die with
their parent, however that ends.
"""

import asyncio
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from multiprocessing.context import ForkProcess
from typing import Final

from pydantic import SecretStr

from app.imports import lean_imports
from app.settings import Settings, SettingsError, settings_or_exit
from app.shared_metrics import share_metrics
from persistence.embedded import EmbeddedError, EmbeddedServers, EmbeddedSettings, die_with_parent

READY_SECONDS: Final = 30.0
BACKLOG: Final = 2048
_RECOVERY_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.1
# A process that ends sooner could probably not start, as while PostgreSQL is away: the next one waits a little longer.
_EARLY_SECONDS: Final = 2.0
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 2.0
# With servers of our own a process may end at its start because one of them was killed just then; else it is at fault.
_ENDS_FORGIVEN: Final = 8


class CannotServe(Exception):
    """Why not, in one line."""


def serve() -> int:
    """Serves until SIGINT or SIGTERM; returns the exit status."""
    settings = settings_or_exit()
    if os.environ.get("LAUREL_DIE_WITH_PARENT"):
        die_with_parent()
    try:
        listener = _listen(settings)
        servers = EmbeddedServers(embedded_settings(settings), meanwhile=lambda: _import_application(settings))
        with listener, servers as urls:
            given = settings.model_copy(
                update={"database_url": SecretStr(urls.database_url), "redis_url": SecretStr(urls.redis_url)}
            )
            return _Processes(given, listener, servers=servers).run()
    except (CannotServe, EmbeddedError, SettingsError) as refused:
        tell(str(refused))
        return 1


def _import_application(settings: Settings) -> None:
    """Imports and builds once what every child will need, so that none pays for it."""
    # Before anything imports the metrics library, which looks for the folder once.
    share_metrics(settings.data_dir)
    with lean_imports():
        import app.prepare
        import app.process  # noqa: F401 - for the children
        from app.executor import service_schema

        service_schema()


def embedded_settings(settings: Settings) -> EmbeddedSettings:
    """What of the two servers is given, and where the rest is kept."""
    return EmbeddedSettings(
        data_dir=settings.data_dir,
        database_url=_revealed(settings.database_url),
        redis_url=_revealed(settings.redis_url),
    )


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def tell(line: str) -> None:
    """One line for the person who waits."""
    sys.stderr.write(f"laurel: {line}\n")
    sys.stderr.flush()


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        place = f"{settings.host}:{settings.port}"
        raise CannotServe(f"cannot listen on {place}: {error.strerror}. Choose another: PORT=8001 make run") from None
    listener.set_inheritable(True)
    return listener


@dataclass(slots=True)
class _Child:
    process: ForkProcess
    started_at: float


class _Processes:
    """The server processes of one parent: started, watched, stopped."""

    def __init__(self, settings: Settings, listener: socket.socket, *, servers: EmbeddedServers) -> None:
        self._settings = settings
        self._listener = listener
        self._servers = servers
        self._children: list[_Child] = []
        self._told_to_stop = threading.Event()
        self._pause_seconds = 0.0
        self._start_at = 0.0
        self._ended_by_themselves = 0

    def run(self) -> int:
        from app.prepare import show_start

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        self._prepare()
        try:
            if self._wait_until_ready():
                asyncio.run(show_start(self._settings, port=self._port))
            self._watch()
        finally:
            self._end()
        return 0

    def _prepare(self) -> None:
        """Prepares the database. A server of ours that is away in these moments was killed: it is waited for."""
        from app.prepare import prepare_database

        ends_at = time.monotonic() + _RECOVERY_SECONDS
        while not self._told_to_stop.is_set():
            try:
                asyncio.run(prepare_database(self._settings))
            except CannotServe:
                if not self._servers.process_ids or time.monotonic() > ends_at:
                    raise
                self._revive()
                time.sleep(_LOOK_SECONDS)
            else:
                return

    def _revive(self) -> None:
        for name in self._servers.revive():
            tell(f"{name} ended and is started again")

    @property
    def _port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def _stop(self, _number: int, _frame: object) -> None:
        self._told_to_stop.set()

    def _start(self) -> None:
        from app.process import run_process

        context = multiprocessing.get_context("fork")
        process = context.Process(target=run_process, args=(self._settings, self._listener, os.getpid()))
        process.start()
        self._children.append(_Child(process, time.monotonic()))

    def _wait_until_ready(self) -> bool:
        """Whether a server process is ready; raises CannotServe if they cannot be, rather than try for ever."""
        host = "127.0.0.1" if self._settings.host in {"0.0.0.0", "::"} else self._settings.host  # noqa: S104 - compared
        ends_at = time.monotonic() + READY_SECONDS
        while not self._told_to_stop.is_set():
            self._replace()
            if self._ended_by_themselves > (_ENDS_FORGIVEN if self._servers.process_ids else 0):
                raise CannotServe("a server process ended before it was ready; its last lines say why")
            if time.monotonic() > ends_at:
                raise CannotServe(f"not ready after {READY_SECONDS:.0f} s")
            try:
                connection = HTTPConnection(host, self._port, timeout=2)
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:  # noqa: PLR2004 - OK
                    return True
            except (OSError, HTTPException):
                pass
            time.sleep(0.05)
        return False

    def _watch(self) -> None:
        """Replaces what ends: embedded servers, and server processes. Once all has run, it never gives up."""
        while not self._told_to_stop.is_set():
            time.sleep(_LOOK_SECONDS)
            self._replace()

    def _replace(self) -> None:
        self._revive()
        for child in [c for c in self._children if not c.process.is_alive()]:
            self._children.remove(child)
            self._note_end(child)
        if self._told_to_stop.is_set() or time.monotonic() < self._start_at:
            return
        while len(self._children) < self._settings.workers:
            self._start()

    def _note_end(self, child: _Child) -> None:
        now = time.monotonic()
        self._ended_by_themselves += child.process.exitcode != -signal.SIGKILL
        if now - child.started_at > _EARLY_SECONDS:
            self._pause_seconds = 0.0
        self._start_at = now + self._pause_seconds
        self._pause_seconds = min(max(self._pause_seconds * 2, _FIRST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
        tell(f"server process {child.process.pid} ended (status {child.process.exitcode}); another is started")

    def _end(self) -> None:
        from app.drain import QUIET_SECONDS, quiet

        # The listener is everybody's: the parent lets its queue run empty, then each child closes its own handle.
        quiet(self._listener.fileno())
        time.sleep(QUIET_SECONDS)
        self._listener.close()
        for child in self._children:
            if child.process.is_alive():
                child.process.terminate()
        ends_at = time.monotonic() + self._settings.drain_seconds + 2
        for child in self._children:
            child.process.join(max(0.0, ends_at - time.monotonic()))
            if child.process.is_alive():
                child.process.kill()
                child.process.join()
