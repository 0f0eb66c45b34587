"""A server that has fallen silent is not waited for: what was asked of it fails, and is asked again elsewhere.

Where the host is gone the kernel says so; where it is there and its PostgreSQL answers nothing, only waiting tells.
"""

import asyncio
import math
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from asyncpg import Record
    from asyncpg.pool import PoolConnectionProxy

    Lent: TypeAlias = PoolConnectionProxy[Record]

LOST_HOST_SECONDS: Final = 20
_PROBES: Final = 2
_LOOKS: Final = 7

# What has these options has all three of them.
_PROBED: Final = hasattr(socket, "TCP_KEEPIDLE")


def notice_lost_host(connection: Any) -> None:
    """A host that acknowledges nothing for LOST_HOST_SECONDS is given up, whether something is sent to it or awaited.

    The system would try for a quarter of an hour, and wait for ever. Nothing to do for Unix sockets.
    """
    own: socket.socket = connection._transport.get_extra_info("socket")  # noqa: SLF001 - asyncpg does not lend it
    if own.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if _PROBED:
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, LOST_HOST_SECONDS // 2)
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, LOST_HOST_SECONDS // 2 // _PROBES)
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, LOST_HOST_SECONDS * 1000)


class _Connection(Protocol):
    """What is watched of a connection."""

    @property
    def statements_begun(self) -> int | None:
        """How many statements have begun on it; None where it is broken."""
        ...

    def terminate(self) -> None:
        """End it: whoever waits on it gets an error."""
        ...


class SilenceWatch:
    """Ends connections that were lent and have begun no statement for `seconds`, or a seventh longer.

    That is longer than PostgreSQL lets a statement run, or a transaction lie idle: it is silent, then. A look now and
    then at all of them costs less than a timer for each statement. What may take longer is asked within `bear`.
    """

    def __init__(self, lent: "Collection[Lent]", *, seconds: float) -> None:
        self._lent = lent
        self._every = seconds / _LOOKS
        # Looks and not instants are counted: a process that was stopped has not waited.
        self._seen: dict[_Connection, tuple[int, int]] = {}
        self._borne: dict[_Connection, int] = {}
        self._next: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Looks, until it is stopped."""
        self._next = asyncio.get_running_loop().call_later(self._every, self._look)

    def stop(self) -> None:
        """Looks no more."""
        if self._next is not None:
            self._next.cancel()

    @contextmanager
    def bear(self, lent: object, *, seconds: float) -> Iterator[None]:
        """What is asked on this connection within the block may take so long."""
        connection = _behind(lent)
        assert connection is not None, "it is lent"
        self._borne[connection] = math.ceil(seconds / self._every)
        try:
            yield
        finally:
            del self._borne[connection]

    def _look(self) -> None:
        self.start()
        seen, self._seen = self._seen, {}
        for connection in [one for one in map(_behind, tuple(self._lent)) if one is not None]:
            begun = connection.statements_begun
            if begun is None:
                continue
            before, looks = seen.get(connection, (begun, 0))
            looks = looks + 1 if before == begun else 1
            if looks > self._borne.get(connection, _LOOKS):
                connection.terminate()
            else:
                self._seen[connection] = (begun, looks)


def _behind(lent: object) -> _Connection | None:
    """None of what is being opened yet, or was taken back."""
    return getattr(lent, "_con", None)
