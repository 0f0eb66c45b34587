"""What is left of stocks: read a few times a second while somebody listens, the newest handed to each listener.

One statement serves all listeners of a process, whichever templates they watch. PostgreSQL alone is asked: nothing is
announced when a claim takes from a stock, for at a flash sale there would be thousands of announcements a second.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from domain.coupons.model import StockLeft
from domain.shared.errors import Unavailable
from domain.shared.ids import TemplateId
from persistence.sessions import POSTGRES_FAILURES

PACE_SECONDS: Final = 0.3
OPEN_SECONDS: Final = 10.0  # as long as the hub tries to open a stream
_LONGEST_PAUSE_SECONDS: Final = 2.0

ReadStocks: TypeAlias = Callable[[Sequence[TemplateId]], Awaitable[Mapping[TemplateId, StockLeft]]]


class StockWatcher(Protocol):
    """Who is told how the watch fares."""

    def task_failed(self, *, name: str, error: Exception) -> None:
        """A read failed for another reason than that PostgreSQL is away."""


@dataclass(slots=True, eq=False)
class _Listener:
    """One who listens to one stock. It keeps no queue: of what it has not taken yet the newest wins."""

    newest: StockLeft | None = None
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class StockWatch:
    """Tells the listeners of this process what is left. `read` reads the stocks of some templates."""

    def __init__(
        self,
        read: ReadStocks,
        *,
        watch: StockWatcher,
        pace_seconds: float = PACE_SECONDS,
        open_seconds: float = OPEN_SECONDS,
    ) -> None:
        self._read = read
        self._watch = watch
        self._pace_seconds = pace_seconds
        self._open_seconds = open_seconds
        self._listeners: dict[TemplateId, set[_Listener]] = {}
        self._wanted = asyncio.Event()
        self._closed = False

    async def run(self) -> None:
        """Serve the listeners until cancelled; then every one of them ends."""
        pause = self._pace_seconds
        try:
            while True:
                await self._wanted.wait()
                try:
                    await self._look()
                    pause = self._pace_seconds
                except POSTGRES_FAILURES:
                    pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
                except Exception as error:  # noqa: BLE001 - a bug must not silence every listener
                    self._watch.task_failed(name="stock", error=error)
                    pause = _LONGEST_PAUSE_SECONDS
                await asyncio.sleep(pause)
        finally:
            self._closed = True
            for listener in self._all():
                listener.woken.set()

    async def listen(self, template_id: TemplateId) -> AsyncGenerator[StockLeft, None]:
        """What is left of a stock: now, and whenever it has changed; of changes in a row the newest.

        The caller has checked that the viewer may see the template. Close it (`contextlib.aclosing`) when done.
        Raises Unavailable when nothing can be read for as long as it may take to begin, and when the process stops: a
        stock has no end.
        """
        listener = _Listener()
        self._listeners.setdefault(template_id, set()).add(listener)
        self._wanted.set()
        told: int | None = None
        try:
            while not self._closed:
                left = listener.newest
                if left is not None and left.remaining != told:
                    told = left.remaining
                    yield left
                    continue
                listener.woken.clear()
                async with asyncio.timeout(self._open_seconds if told is None else None):
                    await listener.woken.wait()
            raise Unavailable("live events end here: this process is about to stop")
        except TimeoutError:
            raise Unavailable("live events cannot be read right now") from None
        finally:
            self._forget(template_id, listener)

    async def _look(self) -> None:
        left = await self._read(list(self._listeners))
        for template_id, stock in left.items():
            for listener in self._listeners.get(template_id, ()):
                if listener.newest is None or listener.newest.remaining != stock.remaining:
                    listener.newest = stock
                    listener.woken.set()

    def _forget(self, template_id: TemplateId, listener: _Listener) -> None:
        own = self._listeners.get(template_id, set())
        own.discard(listener)
        if not own:
            self._listeners.pop(template_id, None)
        if not self._listeners:
            self._wanted.clear()

    def _all(self) -> list[_Listener]:
        return [listener for own in self._listeners.values() for listener in own]
