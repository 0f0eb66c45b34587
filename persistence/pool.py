"""A pool of connections that costs next to nothing while it has one to give.

asyncpg's own pool costs as much as a short statement to take from and to give back to. Here a connection that is given
back in good order is lent to the next who asks, or to whoever has waited longest, without asyncpg's pool hearing of it.
That one opens connections, and gets those on which anything went wrong: it waits until a statement that was called off
has ended, rolls back what was left open, or closes it.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

import asyncpg
from typing_extensions import override

from persistence.connection import LeanConnection
from persistence.silence import SilenceWatch

if TYPE_CHECKING:
    from collections.abc import Generator

    from asyncpg import Record

    _Pool = asyncpg.Pool[Record]
    Lent = asyncpg.pool.PoolConnectionProxy[Record]
else:
    _Pool = asyncpg.Pool
    Lent = object


class LeanPool(_Pool):
    """Lends each connection to one at a time. Whoever waits for one longer than the patience gets a TimeoutError."""

    _idle: list[Lent]
    _lent: set[Lent]
    _waiting: "deque[tuple[asyncio.Future[Lent | None], float]]"
    _alarm: asyncio.TimerHandle | None
    _alarm_at: float
    _most: int
    _patience_seconds: float
    _is_ending: bool
    silence: SilenceWatch

    def lend_at_most(self, most: int, *, patience_seconds: float, silence_seconds: float) -> None:
        """How many connections there may be, and how long one may say nothing; before the pool is used."""
        self._idle = []
        self._lent = set()
        self.silence = SilenceWatch(self._lent, seconds=silence_seconds)
        self._waiting = deque()
        self._alarm = None
        self._alarm_at = 0.0
        self._most = most
        self._patience_seconds = patience_seconds
        self._is_ending = False

    @override
    def acquire(self, *, timeout: float | None = None) -> "Loan":  # type: ignore[override]
        """A connection for the length of an `async with`, or until it is released."""
        return Loan(self, timeout)

    def take_now(self) -> Lent | None:
        """A connection, if one lies there."""
        if self._idle:
            connection = self._idle[-1]
            if _is_sound(connection):
                self._idle.pop()
                self._lent.add(connection)
                return connection
        return None

    async def take(self, patience_seconds: float | None = None) -> Lent:
        """A connection, waited for. Raises TimeoutError, or what opening one raises."""
        patience = self._patience_seconds if patience_seconds is None else patience_seconds
        deadline = asyncio.get_running_loop().time() + patience
        while True:
            connection = self.take_now()
            if connection is None and self._idle:
                async with asyncio.timeout_at(deadline):
                    await self._clear_away()
                connection = self.take_now()
            if connection is None and len(self._lent) < self._most:
                async with asyncio.timeout_at(deadline):
                    connection = await self._open()
            if connection is None:
                connection = await self._wait(deadline)
            if connection is not None:
                return connection

    def give_back_now(self, connection: Lent) -> bool:
        """Lends on a connection on which all went well; whether it did."""
        if self._is_ending or connection not in self._lent or not _is_sound(connection):
            return False
        while self._waiting:
            waiter, _ = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return True
        self._lent.remove(connection)
        self._idle.append(connection)
        return True

    async def put_right(self, connection: Lent) -> None:
        """Gives a connection to asyncpg's pool, which puts it right or closes it; another may then be opened."""
        if connection not in self._lent:
            return
        try:
            await super().release(connection)
        finally:
            self._lent.discard(connection)
            self._tell_next()

    @override
    async def release(self, connection: Lent, *, timeout: float | None = None) -> None:
        """Gives back what was acquired without an `async with`; once given back, nothing happens."""
        del timeout
        if connection in self._lent:
            await self.put_right(connection)

    @override
    async def close(self) -> None:
        """Closes the pool, when all that was lent has been given back."""
        self._is_ending = True
        if self._alarm is not None and not self._waiting:
            self._alarm.cancel()
        while self._idle:
            await super().release(self._idle.pop())
        try:
            await super().close()
        finally:
            self.silence.stop()

    async def _clear_away(self) -> None:
        """Lets go of those that were closed while they lay here, as by a restart of the server."""
        while self._idle and not _is_sound(self._idle[-1]):
            await super().release(self._idle.pop())

    async def _open(self) -> Lent:
        place: Any = object()  # counts as lent while it is being opened
        self._lent.add(place)
        try:
            connection: Lent = await super().acquire()
        except BaseException:
            self._lent.discard(place)
            self._tell_next()
            raise
        self._lent.discard(place)
        self._lent.add(connection)
        return connection

    async def _wait(self, deadline: float) -> Lent | None:
        """What another has given back; None: look again."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Lent | None] = loop.create_future()
        self._waiting.append((waiter, deadline))
        # One alarm serves all who wait: nearly all are given a connection long before it, and none sets a timer.
        if self._alarm is None or deadline < self._alarm_at:
            self._set_alarm(deadline, loop=loop)
        try:
            return await waiter
        except BaseException:
            # It may have been given one at the very moment at which it stopped waiting.
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                connection = waiter.result()
                if connection is None:
                    self._tell_next()
                elif not self.give_back_now(connection):
                    await self.put_right(connection)
            raise

    def _set_alarm(self, deadline: float, *, loop: asyncio.AbstractEventLoop) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        # Kept here: of uvloop's, one that is due at once does not know when it is.
        self._alarm_at = deadline
        self._alarm = loop.call_at(deadline, self._turn_away, loop)

    def _turn_away(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ends the waiting of those whose patience is over."""
        self._alarm = None
        now = loop.time()
        for waiter, deadline in self._waiting:
            if deadline <= now and not waiter.done():
                waiter.set_exception(TimeoutError("no connection was given back in time"))
        self._waiting = deque(entry for entry in self._waiting if not entry[0].done())
        if self._waiting:
            self._set_alarm(min(deadline for _, deadline in self._waiting), loop=loop)

    def _tell_next(self) -> None:
        while self._waiting:
            waiter, _ = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return


def _is_sound(connection: Lent) -> bool:
    """Whether it is open, and no transaction was left open on it."""
    # What asyncpg's pool has taken back, as it does when the server ends a session, has nothing behind it.
    behind: LeanConnection | None = connection._con  # type: ignore[attr-defined]  # noqa: SLF001
    return behind is not None and behind.is_sound


class Loan:
    """A connection for the length of a block, or awaited, until it is released."""

    __slots__ = ("_connection", "_patience_seconds", "_pool")

    def __init__(self, pool: LeanPool, patience_seconds: float | None = None) -> None:
        self._pool = pool
        self._patience_seconds = patience_seconds

    def __await__(self) -> "Generator[Any, Any, Lent]":
        return self._pool.take(self._patience_seconds).__await__()

    async def __aenter__(self) -> Lent:
        connection = self._pool.take_now()
        if connection is None:
            connection = await self._pool.take(self._patience_seconds)
        self._connection = connection
        return connection

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, asyncpg.ReadOnlySQLTransactionError):
            # Its server is no longer the primary: a new connection leads to the one that is.
            self._connection.terminate()
        if kind is not None or not self._pool.give_back_now(self._connection):
            await self._pool.put_right(self._connection)
