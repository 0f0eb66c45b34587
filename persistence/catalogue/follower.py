"""Keeps a process's catalogue fresh: told by NOTIFY, and by looking at the version should the notice be lost."""

import asyncio
import itertools
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, TypeVar

from domain.shared.clock import Clock
from persistence.base import Conn
from persistence.catalogue.edition import NOTHING_LISTED, Edition, edition_of
from persistence.catalogue.reads import Facts, read_facts, version_now
from persistence.catalogue.tables import CHANNEL
from persistence.engine import speak_json
from persistence.sessions import POSTGRES_FAILURES, OpenSession, close_session

Answer = TypeVar("Answer")


class FollowerWatch(Protocol):
    """Who is told how the catalogue fares."""

    def catalogue_read(self, *, version: int, things: int) -> None:
        """A version was read; so many things are listed."""

    def catalogue_lost(self, *, error: Exception) -> None:
        """PostgreSQL did not answer; the follower tries again."""

    def catalogue_lapsed(self, *, seconds: float) -> None:
        """For so long, since this was last told, the catalogue was not known to be fresh: everything was read."""


@dataclass(frozen=True, slots=True)
class FollowerPace:
    """How often the follower looks, and for how long what it has seen may be shown without another look.

    Nothing is shown that was not confirmed within `trust_seconds`: that is the bound of what clients are promised,
    whatever becomes of the notice, the session or the network. The rest is chosen so that it is seldom felt: with
    PostgreSQL there, a change is seen within `poll_seconds` and a read, notice or no notice; a session that hangs is
    given up after `patience_seconds`, early enough for another one to look in time.
    """

    poll_seconds: float = 0.25
    patience_seconds: float = 0.5
    trust_seconds: float = 1.0
    # Between two reads of many changes.
    least_seconds: float = 0.02
    first_pause_seconds: float = 0.05
    longest_pause_seconds: float = 1.0


DEFAULT_PACE: Final = FollowerPace()
_PARTS_OF_PATIENCE: Final = 5


class Catalogue:
    """The catalogue of one process. It is empty until it was first read, and when PostgreSQL was silent for too long.

    Time is PostgreSQL's, as of the last look, carried on by this process's monotonic clock; a test sets `clock`.
    """

    def __init__(self, *, clock: Clock | None = None, trust_seconds: float = DEFAULT_PACE.trust_seconds) -> None:
        self._clock = clock
        self._trust_seconds = trust_seconds
        self._facts = Facts()
        self._edition = NOTHING_LISTED
        # No version of another catalogue of this process either: what was kept under it must not be found here.
        self._versions = itertools.count(time.monotonic_ns())
        # What PostgreSQL's clock showed, and this process's at that moment.
        self._seen_at: datetime | None = None
        self._seen_on = 0.0
        self._confirmed_on = 0.0  # when the look began that confirmed it last
        self._reckoned_on = 0.0  # until when lapses are added up
        self._lapsed_seconds = 0.0
        # Until when, on this process's clock, the edition is fresh and as it stands: nearly always known beforehand.
        self._stands_until = 0.0

    @property
    def version(self) -> int:
        """The version in PostgreSQL that was read last; 0 before the first."""
        return self._facts.version

    @property
    def things(self) -> int:
        """How many things are listed."""
        return self._edition.things

    def current(self) -> Edition:
        """The catalogue as it stands now."""
        on = time.monotonic()
        if on < self._stands_until:
            return self._edition
        if self._seen_at is None or on - self._confirmed_on > self._trust_seconds:
            return NOTHING_LISTED
        now = self._clock.now() if self._clock else self._seen_at + timedelta(seconds=on - self._seen_on)
        edition = self._edition
        if edition.until <= now or (self._clock is not None and now < edition.at):
            edition = self._turn(now)
        self._foresee()
        return edition

    async def look(self, connection: Conn, *, patience_seconds: float | None = None) -> bool:
        """Compares versions, and reads what has changed; whether anything had. Raises TimeoutError out of patience.

        What is read is confirmed as of the beginning of its read: an answer that was long under way is no fresher.
        """
        began_on = time.monotonic()
        version, seen_at = await _patiently(version_now(connection), seconds=patience_seconds)
        seen_on = time.monotonic()
        changed = version != self._facts.version
        if changed:
            began_on = time.monotonic()
            self._facts = await read_facts(connection, self._facts)
        self._reckon()
        self._seen_at, self._seen_on, self._confirmed_on = seen_at, seen_on, began_on
        if changed:
            self._turn(self._clock.now() if self._clock else seen_at)
        self._foresee()
        return changed

    def lapse(self) -> float:
        """For how many seconds, since this was asked last, it was not known to be fresh."""
        self._reckon()
        lapsed, self._lapsed_seconds = self._lapsed_seconds, 0.0
        return lapsed

    def _reckon(self) -> None:
        now = time.monotonic()
        if self._seen_at is not None:
            self._lapsed_seconds += max(0.0, now - max(self._confirmed_on + self._trust_seconds, self._reckoned_on))
        self._reckoned_on = now

    def _foresee(self) -> None:
        if self._clock is None and self._seen_at is not None:
            turns_on = self._seen_on + (self._edition.until - self._seen_at).total_seconds()
            self._stands_until = min(self._confirmed_on + self._trust_seconds, turns_on)

    def _turn(self, now: datetime) -> Edition:
        def new_version() -> int:
            return next(self._versions)

        self._edition = edition_of(self._facts, at=now, before=self._edition, new_version=new_version)
        return self._edition


class Follower:
    """Looks whenever it is told of a change, and every so often; on a session of its own, for a channel needs one."""

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        open_session: OpenSession,
        watch: FollowerWatch | None = None,
        pace: FollowerPace = DEFAULT_PACE,
    ) -> None:
        self._catalogue = catalogue
        self._open_session = open_session
        self._watch = watch
        self._pace = pace
        self._told = asyncio.Event()

    async def run(self) -> None:
        """Follow until cancelled."""
        pause = self._pace.first_pause_seconds
        while True:
            try:
                session = await self._open_session()
                try:
                    await speak_json(session)
                    await session.add_listener(CHANNEL, self._on_notice)
                    session.add_termination_listener(self._on_end)
                    while True:
                        self._told.clear()
                        looked_on = asyncio.get_running_loop().time()
                        await self._look(session)
                        pause = self._pace.first_pause_seconds
                        await self._wait(since=looked_on)
                except TimeoutError:
                    session.terminate()  # it hangs: to part from it politely would hang too
                    raise
                finally:
                    await close_session(session)
            except POSTGRES_FAILURES as error:
                if self._watch is not None:
                    self._watch.catalogue_lost(error=error)
                self._tell_lapse()
                await asyncio.sleep(pause)
                pause = min(pause * 2, self._pace.longest_pause_seconds)

    async def _look(self, session: Conn) -> None:
        changed = await self._catalogue.look(session, patience_seconds=self._pace.patience_seconds)
        if changed and self._watch is not None:
            self._watch.catalogue_read(version=self._catalogue.version, things=self._catalogue.things)
        self._tell_lapse()

    def _tell_lapse(self) -> None:
        seconds = self._catalogue.lapse()
        if seconds and self._watch is not None:
            self._watch.catalogue_lapsed(seconds=seconds)

    async def _wait(self, *, since: float) -> None:
        """Until the next look: counted from the last one, so that a moment without a turn does not put it off."""
        await asyncio.sleep(self._pace.least_seconds)
        try:
            async with asyncio.timeout_at(since + self._pace.poll_seconds):
                await self._told.wait()
        except TimeoutError:
            pass

    def _on_notice(self, *_: object) -> None:
        self._told.set()

    def _on_end(self, *_: object) -> None:
        self._told.set()


async def _patiently(answer: Coroutine[Any, Any, Answer], *, seconds: float | None) -> Answer:
    """Waits for it in parts, so that a moment in which this process itself had no turn is not held against PostgreSQL.

    Raises TimeoutError out of patience.
    """
    if seconds is None:
        return await answer
    task = asyncio.create_task(answer)
    try:
        for _ in range(_PARTS_OF_PATIENCE):
            await asyncio.wait({task}, timeout=seconds / _PARTS_OF_PATIENCE)
            if task.done():
                return task.result()
        raise TimeoutError
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
