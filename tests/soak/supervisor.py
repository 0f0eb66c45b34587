"""Laurel on servers of its own, watched as an operator's systemd would watch it: what ends is started again.

`serve` keeps its own PostgreSQL, Valkey and server processes alive; this starts `serve` and `worker` again, no more.
"""

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from tests.laurel import free_port, start
from tests.soak.client import all_answer

LOOK_SECONDS: Final = 0.02
START_SECONDS: Final = 120.0
STOP_SECONDS: Final = 20.0
SERVER_PROCESSES: Final = 2


class Gone(psutil.Error):
    """Nothing of this kind runs at this moment, so that it cannot be killed."""


@dataclass(slots=True)
class Supervisor:
    """One Laurel in one data folder."""

    data_dir: Path
    port: int
    environment: Mapping[str, str]
    restarts: int = 0
    _serve: "subprocess.Popen[bytes] | None" = None
    _worker: "subprocess.Popen[bytes] | None" = None

    # ── what runs ───────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def urls(self) -> tuple[str, str]:
        """Where PostgreSQL and Valkey are now."""
        database_url, redis_url = json.loads((self.data_dir / "servers.json").read_bytes())["urls"]
        return database_url, redis_url

    def _embedded(self, name: str, *, among: Sequence[psutil.Process] | None = None) -> psutil.Process:
        for one in self._children() if among is None else among:
            with suppress(psutil.Error):
                if name in one.name() and one.status() != psutil.STATUS_ZOMBIE:
                    return one
        raise Gone

    def _children(self) -> list[psutil.Process]:
        if self._serve is None:
            return []
        try:
            return psutil.Process(self._serve.pid).children()
        except psutil.Error:
            return []

    def _server_processes(self, *, among: Sequence[psutil.Process] | None = None) -> list[psutil.Process]:
        found = []
        for one in self._children() if among is None else among:
            with suppress(psutil.Error):
                if "python" in one.name() and one.status() != psutil.STATUS_ZOMBIE and len(one.cmdline()) > 1:
                    found.append(one)
        return found

    # ── what is killed: each returns the processes that it ended ────────────────────────────────────────────────────

    def kill_server_process(self, chance: random.Random) -> set[int]:
        """One of the processes that serve."""
        running = self._server_processes()
        return _kill(chance.choice(running) if running else None)

    def kill_serve(self, _chance: random.Random) -> set[int]:
        """The parent of all: its servers and processes go with it."""
        return _kill(psutil.Process(self._serve.pid) if self._serve else None)

    def kill_everything(self, chance: random.Random) -> set[int]:
        """All processes of serve in one instant, as when a machine stops, but for what its kernel still writes."""
        if self._serve is None:
            raise Gone
        family = [*psutil.Process(self._serve.pid).children(recursive=True), psutil.Process(self._serve.pid)]
        for one in chance.sample(family, len(family)):
            with suppress(psutil.Error):
                one.kill()
        return {one.pid for one in family}

    def kill_worker(self, _chance: random.Random) -> set[int]:
        """The process of the background work."""
        return _kill(psutil.Process(self._worker.pid) if self._worker else None)

    def kill_postgres(self, _chance: random.Random) -> set[int]:
        """The postmaster; its backends notice."""
        return _kill(self._embedded("postgres"))

    def kill_backend(self, chance: random.Random) -> set[int]:
        """One session of PostgreSQL: it then ends all others and recovers."""
        postmaster = self._embedded("postgres")
        sessions = [one for one in postmaster.children() if any("[local]" in word for word in one.cmdline())]
        return _kill(chance.choice(sessions) if sessions else None)

    def kill_valkey(self, _chance: random.Random) -> set[int]:
        """Valkey."""
        return _kill(self._embedded("valkey"))

    def empty_valkey(self, _chance: random.Random) -> set[int]:
        """Valkey, and all that it had kept."""
        valkey = self._embedded("valkey")
        valkey.suspend()
        for folder in self.data_dir.parent.rglob("appendonlydir"):
            shutil.rmtree(folder, ignore_errors=True)
        return _kill(valkey)

    # ── whether it is back ──────────────────────────────────────────────────────────────────────────────────────────

    async def whole(self, *, without: AbstractSet[int] = frozenset()) -> bool:
        """Whether everything runs and answers, and nothing of what was killed is still about."""
        serve, worker = self._serve, self._worker
        if serve is None or worker is None or serve.poll() is not None or worker.poll() is not None:
            return False
        children = self._children()
        processes = {one.pid for one in self._server_processes(among=children)}
        try:
            servers = {self._embedded(name, among=children).pid for name in ("postgres", "valkey")}
        except psutil.Error:
            return False
        if len(processes) < SERVER_PROCESSES or ({serve.pid, worker.pid} | servers | processes) & without:
            return False
        return await all_answer(port=self.port)

    # ── keeping it alive ────────────────────────────────────────────────────────────────────────────────────────────

    async def keep(self) -> None:
        """Starts again what ended, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._serve is None or self._serve.poll() is not None:
                self._end_worker()  # it uses the servers of the one that is gone
                self.restarts += self._serve is not None
                self._serve = self._started("serve")
            elif self._worker is None or self._worker.poll() is not None:
                await self._start_worker()

    async def _start_worker(self) -> None:
        # Before `serve` has taken the data folder it would start servers of its own, and keep `serve` from them.
        assert self._serve is not None, "looked at before"
        with suppress(OSError, ValueError, KeyError):
            state = json.loads((self.data_dir / "servers.json").read_bytes())
            served = self.restarts > 0 or await all_answer(port=self.port)
            if state["owner"] == self._serve.pid and served:
                self._worker = self._started("worker")

    def _started(self, command: str) -> "subprocess.Popen[bytes]":
        with (self.data_dir.parent / f"{command}.log").open("ab") as log:
            return start(command, environment=dict(self.environment), stdout=log, stderr=log)

    def _end_worker(self) -> None:
        if self._worker is not None and self._worker.poll() is None:
            self._worker.kill()
        if self._worker is not None:
            self._worker.wait()
        self._worker = None

    def end(self) -> None:
        """Ends it all."""
        self._end_worker()
        if self._serve is not None and self._serve.poll() is None:
            self._serve.send_signal(signal.SIGTERM)
            self._serve.wait(timeout=STOP_SECONDS)


def _kill(process: psutil.Process | None) -> set[int]:
    if process is None:
        raise Gone
    try:
        process.kill()
    except psutil.NoSuchProcess:
        raise Gone from None
    return {process.pid}


@asynccontextmanager
async def supervised(folder: Path) -> AsyncIterator[Supervisor]:
    """A Laurel with PostgreSQL and Valkey of its own, durable, and a worker beside it; gone when left."""
    data_dir, port = folder / "data", free_port()
    environment = {
        **os.environ,
        "DATA_DIR": str(data_dir),
        "DEMO": "0",
        "PORT": str(port),
        "WORKERS": str(SERVER_PROCESSES),
        "RUN_WORKER": "0",
        "LOG_LEVEL": "warning",
        "LAUREL_DIE_WITH_PARENT": "1",
    }
    # As `make` starts them: else each start would compile the application anew.
    for name in ("DATABASE_URL", "REDIS_URL", "PYTHONDONTWRITEBYTECODE"):
        environment.pop(name, None)
    supervisor = Supervisor(data_dir, port, environment)
    keeping = asyncio.create_task(supervisor.keep())
    try:
        deadline = time.monotonic() + START_SECONDS
        while not await supervisor.whole():
            assert time.monotonic() < deadline, "it does not start"
            await asyncio.sleep(0.05)
        yield supervisor
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        supervisor.end()


KILLS: Final[Mapping[str, Callable[[Supervisor, random.Random], set[int]]]] = {
    "server process": Supervisor.kill_server_process,
    "serve": Supervisor.kill_serve,
    "everything": Supervisor.kill_everything,
    "worker": Supervisor.kill_worker,
    "PostgreSQL": Supervisor.kill_postgres,
    "a session of PostgreSQL": Supervisor.kill_backend,
    "Valkey": Supervisor.kill_valkey,
    "Valkey, emptied": Supervisor.empty_valkey,
}
# Of 40 kills so many are of each kind.
SHARES: Final[Mapping[str, int]] = {
    "server process": 10,
    "serve": 3,
    "everything": 3,
    "worker": 5,
    "PostgreSQL": 7,
    "a session of PostgreSQL": 5,
    "Valkey": 4,
    "Valkey, emptied": 3,
}


def drawn(count: int, *, chance: random.Random) -> Sequence[str]:
    """So many kills in random order, each kind by its share, and each at least once where there is room."""
    kinds = list(SHARES)
    wanted = kinds[:count] + chance.choices(
        kinds, weights=[SHARES[kind] for kind in kinds], k=max(0, count - len(kinds))
    )
    return chance.sample(wanted, len(wanted))
