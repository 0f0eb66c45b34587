"""The hub: what happens to an owner reaches every listener of this process, in order, with nothing lost.

Redis says quickly that something happened; PostgreSQL says what. Events of a stream are numbered without a gap, so the
hub notices whatever Redis dropped and reads it from PostgreSQL. Without Redis it asks PostgreSQL at a slow pace. A
listener that is slower than its stream keeps no growing queue: it reads from PostgreSQL at its own pace.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Final
from uuid import UUID

from app.live_feeds import Feed, Listener
from app.live_ports import Bus, EventLog, HubPace, HubWatch, Key
from domain.shared.errors import Unavailable
from domain.shared.events import MissedEvents, StoredEvent
from domain.shared.principal import Scope
from persistence.redis.bus import decode_event
from persistence.sessions import POSTGRES_FAILURES

_CHECKED_AT_ONCE: Final = 1000
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 2.0
_CATCH_UPS_AT_ONCE: Final = 4


class Hub:
    """Fans the events of streams out to the listeners of this process."""

    def __init__(self, *, log: EventLog, bus: Bus, watch: HubWatch, pace: HubPace | None = None) -> None:
        self._log = log
        self._bus = bus
        self._watch = watch
        self._pace = pace or HubPace()
        self._feeds: dict[UUID, dict[str, Feed]] = {}
        self._unchecked: set[UUID] = set()
        self._check = asyncio.Event()
        self._catch_ups = asyncio.Semaphore(_CATCH_UPS_AT_ONCE)
        self._listening = 0
        self._closed = False

    async def run(self) -> None:
        """Serve the listeners until cancelled; then every one of them ends."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._supervise("bus", lambda: self._bus.run(self)))
                tasks.create_task(self._supervise("sweep", self._sweep))
                tasks.create_task(self._supervise("check", self._check_positions))
        finally:
            self.close()

    async def _supervise(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await run()
            except Exception as error:  # noqa: BLE001 - a bug in one task must not silence every listener
                self._watch.task_failed(name=name, error=error)
            await asyncio.sleep(_LONGEST_PAUSE_SECONDS)

    def close(self) -> None:
        """End every listener after what it was given, and take no more."""
        self._closed = True
        for feed in self._all_feeds():
            feed.ready.set()
            for listener in feed.listeners:
                listener.woken.set()

    # ── for those who listen ────────────────────────────────────────────────────────────────────────────────────────

    async def listen(
        self, *, owner_id: UUID, stream: str, since: int | None = None
    ) -> AsyncGenerator[StoredEvent | MissedEvents, None]:
        """The events of one stream, each once, in order: those after `since`, or those after the moment of asking.

        Who has missed more than may be replayed, or names a number that the stream has not come to (a restored
        database, an invented number), is told so first, and then what is new. So is who has been given what a database
        that was restored meanwhile does not know.
        The caller has checked that the viewer may see this owner. Close it (`contextlib.aclosing`) when done.
        Raises Unavailable when the stream cannot be read at its beginning, and when the hub is closed: a stream has no
        end.
        """
        async with self._attached(owner_id, stream, since) as (feed, listener):
            if since is not None and (missed := await self._missed(feed, listener)) is not None:
                yield missed
            opening = since is not None
            while not self._closed:
                if listener.set_back:
                    yield await self._start_again(feed, listener)
                if listener.behind:
                    within, opening = self._pace.open_seconds if opening else None, False
                    async with aclosing(self._replay(feed, listener, within=within)) as replay:
                        async for event in replay:
                            yield event
                    continue
                while listener.queue and not listener.set_back:
                    event = listener.queue.popleft()
                    if listener.follows(event):
                        yield event
                if listener.has_all:
                    await listener.woken.wait()
                    listener.woken.clear()
            raise Unavailable("live events end here: this process is about to stop")

    @asynccontextmanager
    async def _attached(self, owner_id: UUID, stream: str, since: int | None) -> AsyncIterator[tuple[Feed, Listener]]:
        feed = self._feed(owner_id, stream)
        start = feed.position if since is None else since
        listener = Listener(capacity=self._pace.queue, position=start, behind=since is not None)
        feed.listeners.add(listener)
        self._count(1)
        try:
            await self._until_ready(feed)
            yield feed, listener
        finally:
            self._count(-1)
            feed.listeners.discard(listener)
            self._drop_if_unheard(feed)

    async def _missed(self, feed: Feed, listener: Listener) -> MissedEvents | None:
        """What is not replayed to one that names a number; what came after it is read from PostgreSQL."""
        position, seen = feed.position or 0, listener.position or 0
        try:
            if seen > position:
                # It may have read in PostgreSQL what the bus has not brought here yet.
                stored = await self._log.positions(owner_ids=[feed.owner_id], scope=Scope.system())
                position = stored.get((feed.owner_id, feed.stream), 0)
            if 0 <= position - seen <= self._pace.replayed_most:
                return None
            listener.position = position
            return MissedEvents(position, await self._log.instant())
        except POSTGRES_FAILURES:
            raise Unavailable("live events cannot be read right now") from None

    async def _start_again(self, feed: Feed, listener: Listener) -> MissedEvents:
        """What is told to one that has seen what is not stored any more; it reads on from what is."""
        position = feed.position or 0
        listener.start_again(position)
        try:
            return MissedEvents(position, await self._log.instant())
        except POSTGRES_FAILURES:
            raise Unavailable("live events cannot be read right now") from None

    async def _until_ready(self, feed: Feed) -> None:
        if feed.ready.is_set():
            return
        if not self._bus.connected:
            self._request_check((feed.owner_id,))
        try:
            async with asyncio.timeout(self._pace.confirm_seconds):
                await feed.ready.wait()
                return
        except TimeoutError:
            self._request_check((feed.owner_id,))  # Redis is there and does not answer: its heartbeat will tell
        try:
            async with asyncio.timeout(self._pace.open_seconds):
                await feed.ready.wait()
        except TimeoutError:
            raise Unavailable("live events cannot be read right now") from None

    async def _replay(
        self, feed: Feed, listener: Listener, *, within: float | None
    ) -> AsyncGenerator[StoredEvent, None]:
        """Read on from PostgreSQL until the listener has seen what is stored; the queue takes over from there.

        Raises Unavailable where nothing can be read within so many seconds, of one that has just begun to listen: of
        the others each has been told something, and waits.
        """
        listener.behind = False
        full = True
        while full and not self._closed and not listener.set_back:
            try:
                async with asyncio.timeout(within):
                    page = await self._read(feed, after=listener.position or 0)
            except TimeoutError:
                raise Unavailable("live events cannot be read right now") from None
            within = None
            full = len(page) == self._pace.page
            for event in page:
                if event.sequence > (listener.position or 0):
                    listener.position = event.sequence
                    yield event

    # ── what the bus tells ──────────────────────────────────────────────────────────────────────────────────────────

    def on_message(self, payload: bytes) -> None:
        """An event came over the bus: hand it out if it is the next one, or read what is missing before it."""
        try:
            event = decode_event(payload)
        except ValueError:
            return  # not ours; the sweep would find anything that it hides
        feed = self._feeds.get(event.owner_id, {}).get(event.stream)
        if feed is None:
            return
        feed.latest = max(feed.latest, event.sequence)
        if feed.position is None or event.sequence <= feed.position:
            return
        if event.sequence == feed.position + 1:
            self._hand_out(feed, event)
        else:
            self._start_catch_up(feed)

    def on_connected(self) -> None:
        """The bus is there; its channels follow."""
        self._watch.connected(connected=True)

    def on_subscribed(self, owner_ids: Sequence[UUID]) -> None:
        """From now on the bus brings everything: whatever came before is read once."""
        self._request_check(owner_ids)

    def on_disconnected(self) -> None:
        """PostgreSQL is asked until the bus is back."""
        self._watch.connected(connected=False)
        self._request_check(tuple(self._feeds))

    # ── feeds ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _feed(self, owner_id: UUID, stream: str) -> Feed:
        feeds = self._feeds.get(owner_id)
        if feeds is None:
            feeds = self._feeds[owner_id] = {}
            self._bus.want(owner_id)
        elif stream not in feeds:
            self._request_check((owner_id,))  # the owner's channel is heard already, or asked for
        return feeds.setdefault(stream, Feed(owner_id=owner_id, stream=stream))

    def _drop_if_unheard(self, feed: Feed) -> None:
        feeds = self._feeds.get(feed.owner_id, {})
        if feed.listeners or feeds.get(feed.stream) is not feed:
            return
        del feeds[feed.stream]
        if feed.catching_up is not None:
            feed.catching_up.cancel()
        if not feeds:
            del self._feeds[feed.owner_id]
            self._bus.unwant(feed.owner_id)

    def _all_feeds(self) -> Iterable[Feed]:
        return [feed for feeds in self._feeds.values() for feed in feeds.values()]

    def _count(self, change: int) -> None:
        self._listening += change
        self._watch.listeners(count=self._listening)

    def _hand_out(self, feed: Feed, event: StoredEvent) -> None:
        feed.position = event.sequence
        for listener in feed.listeners:
            if not listener.give(event):
                self._watch.caught_up(reason="slow")

    # ── reading what the bus did not bring ──────────────────────────────────────────────────────────────────────────

    def _request_check(self, owner_ids: Iterable[UUID]) -> None:
        self._unchecked.update(owner_ids)
        self._check.set()

    async def _sweep(self) -> None:
        """Compare every position now and then: the last event of a stream has no successor to reveal its loss."""
        while True:
            await asyncio.sleep(self._pace.poll_seconds)
            waited = self._pace.poll_seconds
            while self._bus.connected and waited < self._pace.sweep_seconds:
                await asyncio.sleep(self._pace.poll_seconds)
                waited += self._pace.poll_seconds
            self._request_check(tuple(self._feeds))

    async def _check_positions(self) -> None:
        """Compare positions with PostgreSQL for all owners that were asked about meanwhile, in one statement."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            await self._check.wait()
            self._check.clear()
            owner_ids = [owner_id for owner_id in self._unchecked if owner_id in self._feeds]
            self._unchecked.clear()
            for first in range(0, len(owner_ids), _CHECKED_AT_ONCE):
                asked = owner_ids[first : first + _CHECKED_AT_ONCE]
                known = self._known(asked)
                try:
                    positions = await self._log.positions(owner_ids=asked, scope=Scope.system())
                    pause = _FIRST_PAUSE_SECONDS
                except POSTGRES_FAILURES:
                    self._request_check(asked)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
                else:
                    self._compare(asked, positions, known=known)

    def _known(self, owner_ids: Sequence[UUID]) -> Mapping[Key, int]:
        """How far the streams of these owners have come, as far as is known here."""
        feeds = [feed for owner_id in owner_ids for feed in self._feeds.get(owner_id, {}).values()]
        return {(feed.owner_id, feed.stream): feed.position or 0 for feed in feeds}

    def _compare(self, owner_ids: Sequence[UUID], positions: Mapping[Key, int], *, known: Mapping[Key, int]) -> None:
        """What is stored beside what is known here; `known` is from before it was read: that was stored then."""
        for owner_id in owner_ids:
            for feed in self._feeds.get(owner_id, {}).values():
                key = owner_id, feed.stream
                stored = positions.get(key, 0)
                if feed.position is None:
                    feed.open(stored)
                elif stored < known.get(key, 0):
                    feed.set_back(stored)
                feed.latest = max(feed.latest, stored)
                if feed.latest > (feed.position or 0):
                    self._start_catch_up(feed)

    def _start_catch_up(self, feed: Feed) -> None:
        if feed.catching_up is None or feed.catching_up.done():
            feed.catching_up = asyncio.create_task(self._catch_up(feed))

    async def _catch_up(self, feed: Feed) -> None:
        """Read from PostgreSQL until the feed is where the bus or the stored position said that its stream is."""
        self._watch.caught_up(reason="gap")
        while feed.latest > (feed.position or 0) and not self._closed:
            announced = feed.latest
            async with self._catch_ups:
                page = await self._read(feed, after=feed.position or 0)
            for event in page:
                if event.sequence > (feed.position or 0):
                    self._hand_out(feed, event)
            if not page and feed.latest == announced:
                feed.latest = feed.position or 0  # what the bus announced is not stored: it was no event of ours

    async def _read(self, feed: Feed, *, after: int) -> Sequence[StoredEvent]:
        pause = _FIRST_PAUSE_SECONDS
        while not self._closed:
            try:
                return await self._log.events_since(
                    owner_id=feed.owner_id,
                    stream=feed.stream,
                    sequence=after,
                    limit=self._pace.page,
                    scope=Scope.system(),
                )
            except POSTGRES_FAILURES:
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        return ()
