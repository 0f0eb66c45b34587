"""The background work: the relay of the outbox, and periodic jobs that one process runs for all.

Every task is supervised: one that fails is logged, counted and started again after a pause, beside the others.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from persistence.outbox import Relay
from persistence.sessions import (
    POSTGRES_FAILURES,
    STILL_THERE,
    OpenSession,
    Session,
    close_session,
    try_lock,
    unlock,
)

_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Periodic:
    """A job that is run now and then, by one process at a time. It may be run again at any time: it is idempotent."""

    name: str
    every_seconds: float
    run: Callable[[], Awaitable[None]]


class WorkerWatch(Protocol):
    """Who is told how the worker fares. All are plain calls."""

    def job_finished(self, *, name: str, seconds: float) -> None:
        """A job was run to its end."""

    def job_failed(self, *, name: str, error: Exception) -> None:
        """A job failed; it is run again at its next time."""

    def task_failed(self, *, name: str, error: Exception) -> None:
        """A task of the worker itself ended, which none should; it is started again."""


class Worker:
    """Runs the relay and the jobs of one process. Any number of processes may run one: locks decide who works."""

    def __init__(
        self,
        *,
        relay: Relay,
        jobs: Sequence[Periodic],
        open_session: OpenSession,
        watch: WorkerWatch,
        standby_seconds: float = 2.0,
    ) -> None:
        names = [job.name for job in jobs]
        if len(set(names)) != len(names):
            raise ValueError("two jobs of one name would share one lock")
        self._relay = relay
        self._jobs = tuple(jobs)
        self._open_session = open_session
        self._watch = watch
        self._standby_seconds = standby_seconds

    async def run(self) -> None:
        """Work until cancelled; then what is under way is stopped, and the locks are given back."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._supervise("relay", self._relay.run))
            if self._jobs:
                tasks.create_task(self._supervise("jobs", self._run_jobs))

    async def _supervise(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        pause = _FIRST_PAUSE_SECONDS
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                await run()
            except Exception as error:  # noqa: BLE001 - the supervisor outlives whatever it supervises
                self._watch.task_failed(name=name, error=error)
            if loop.time() - began > _LONGEST_PAUSE_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads restarts, guards nothing
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _run_jobs(self) -> None:
        """Run the jobs for as long as the session that holds their locks lives; without it, no job goes on."""
        session = await self._open_session()
        turn = asyncio.Lock()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._beat(session, turn))
                for job in self._jobs:
                    tasks.create_task(self._lead(job, session, turn))
        except* POSTGRES_FAILURES as lost:
            raise ConnectionError("the session of the jobs' locks is lost") from lost
        finally:
            await close_session(session)

    async def _beat(self, session: Session, turn: asyncio.Lock) -> None:
        while True:
            await asyncio.sleep(self._standby_seconds)
            async with turn:
                await STILL_THERE.value(session, {})

    async def _lead(self, job: Periodic, session: Session, turn: asyncio.Lock) -> None:
        """Stand by until this process has the job's lock, then run it at its times."""
        lock = f"job:{job.name}"
        while True:
            async with turn:
                if await try_lock(session, name=lock):
                    break
            await asyncio.sleep(self._standby_seconds)
        try:
            while True:
                await self._run_job(job)
        finally:
            with contextlib.suppress(*POSTGRES_FAILURES):
                async with turn:
                    await unlock(session, name=lock)

    async def _run_job(self, job: Periodic) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            await job.run()
            self._watch.job_finished(name=job.name, seconds=loop.time() - began)
        except Exception as error:  # noqa: BLE001 - one failed run is told of, and the next one comes
            self._watch.job_failed(name=job.name, error=error)
        await asyncio.sleep(max(0.0, began + job.every_seconds - loop.time()))
