"""A uvicorn server that cuts nothing when it is told to stop.

uvicorn alone closes its listener and every connection that is idle at that instant, and sockets with 1012. This one
first says so (`/readyz`, `Connection: close` on every answer), closes sockets through their owner, and lets
connections finish what they sent.
"""

import asyncio
import ctypes
import os
import socket
import struct
import sys
from contextlib import suppress
from typing import Final

import uvicorn
from typing_extensions import override

from app.health import Drain

# How long a client's next request on an open connection is still taken: its answer says "Connection: close".
LINGER_SECONDS: Final = 0.5
# How long the connections that had already been made wait to be accepted, at most.
QUIET_SECONDS: Final = 0.1
_CANCEL_SECONDS: Final = 1.5
# A filter of packets (classic BPF, offsets in the TCP header) that drops SYN without ACK and keeps all others.
_INSTRUCTION: Final = struct.Struct("HBBI")
_NO_BEGINNINGS: Final = b"".join(
    _INSTRUCTION.pack(*instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # load the flags
        (0x54, 0, 0, 0x12),  # of them SYN and ACK
        (0x15, 0, 1, 0x02),  # SYN alone?
        (0x06, 0, 0, 0),  # drop
        (0x06, 0, 0, 0xFFFFFFFF),  # keep
    )
)
_SO_ATTACH_FILTER: Final = 26
_CLOSE: Final = (b"connection", b"close")


def quiet(descriptor: int) -> None:
    """Lets no more connections queue on a listener: those that do would be cut by closing it, so accept them first.

    Linux drops what would begin a connection, and its client tries again a second later, when nothing listens any more.
    Elsewhere the queue is made as short as it can be.
    """
    with socket.socket(fileno=os.dup(descriptor)) as listener:
        if sys.platform == "linux":
            program = ctypes.create_string_buffer(_NO_BEGINNINGS)
            length = len(_NO_BEGINNINGS) // _INSTRUCTION.size
            with suppress(OSError):
                listener.setsockopt(
                    socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", length, ctypes.addressof(program))
                )
                return
        listener.listen(0)


class DrainingServer(uvicorn.Server):
    """Drains before it shuts down, in `seconds` at most: the last of them is for what has to be cancelled."""

    def __init__(self, config: uvicorn.Config, *, drain: Drain, seconds: float) -> None:
        super().__init__(config)
        self._drain = drain
        self._seconds = seconds

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drains, then does as uvicorn does."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + max(self._seconds - _CANCEL_SECONDS, self._seconds / 2)
        self.server_state.default_headers = [*self.server_state.default_headers, _CLOSE]
        try:
            async with asyncio.timeout_at(ends_at):
                if sockets is None:  # a listener that is shared is its parent's to quiet
                    for server in self.servers:
                        for listener in server.sockets:
                            quiet(listener.fileno())
                await self._drain.begin()
                await asyncio.sleep(QUIET_SECONDS)
                for server in self.servers:
                    server.close()
                await asyncio.sleep(min(LINGER_SECONDS, self._seconds / 4))
                await self._drain.finished()
        except TimeoutError:
            pass
        self.config.timeout_graceful_shutdown = max(1, int(ends_at - loop.time()))
        await super().shutdown(sockets)
