"""Thousands of WebSockets that listen, in a process of their own.

`python -m benchmarks.listeners` reads an order from standard input, opens its sockets and writes a line of JSON: when
all have subscribed, and then whenever all have received one more message. Instants are of the machine's monotonic
clock, which the process that publishes shares.
"""

import asyncio
import base64
import json
import os
import struct
import sys
import time
from dataclasses import dataclass
from typing import Any, Final, NoReturn, cast

import uvloop
from typing_extensions import override

from benchmarks.load import many_files

_AT_ONCE: Final = 100
_MASKED: Final = 0x80
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_SHORT, _SHORTEST_MEDIUM = 126, 126


@dataclass(frozen=True, slots=True)
class Order:
    """How many sockets, where, with which subscription."""

    port: int
    sockets: int
    token: str | None
    query: str
    variables: dict[str, Any]


class Listeners:
    """All sockets, and how far they are."""

    def __init__(self, order: Order) -> None:
        self.order = order
        init = {} if order.token is None else {"Authorization": f"Bearer {order.token}"}
        subscribe = {"query": order.query, "variables": order.variables}
        self.init = frame(json.dumps({"type": "connection_init", "payload": init}).encode())
        self.subscribe = frame(json.dumps({"id": "1", "type": "subscribe", "payload": subscribe}).encode())
        self.acknowledged = 0
        self.all_acknowledged = asyncio.Event()
        self.received = 0
        self.first_at = 0.0

    def take(self, payload: bytes) -> bytes | None:
        """Takes one message; what is to be sent now, if anything."""
        if b'"connection_ack"' in payload:
            self.acknowledged += 1
            if self.acknowledged == self.order.sockets:
                self.all_acknowledged.set()
            return self.subscribe
        if b'"ping"' in payload:
            return _PONG_MESSAGE
        if b'"next"' not in payload or b'"errors"' in payload:
            give_up(payload)
        if self.received % self.order.sockets == 0:
            self.first_at = time.monotonic()
        self.received += 1
        if self.received % self.order.sockets == 0:
            tell({"first_at": self.first_at, "last_at": time.monotonic()})
        return None


class _Socket(asyncio.Protocol):
    """One WebSocket, with no more of the protocol than it needs."""

    def __init__(self, all_: Listeners) -> None:
        self._all = all_
        self._buffer = b""
        self._open = False
        self._transport: asyncio.Transport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop's is one by its methods alone
        self._transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1:{self._all.order.port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n".encode()
        )

    @override
    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._buffer = self._buffer + data if self._buffer else data
        if not self._open:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                give_up(head)
            self._open, self._buffer = True, rest
            self._transport.write(self._all.init)
        while (found := unframe(self._buffer)) is not None:
            kind, payload, self._buffer = found
            self._handle(kind, payload)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        give_up(f"a connection was lost: {exc}".encode())

    def _handle(self, kind: int, payload: bytes) -> None:
        assert self._transport is not None
        if kind == _PING:
            self._transport.write(frame(payload, kind=_PONG))
        elif kind == _CLOSE:
            give_up(b"closed: " + payload)
        elif kind == _TEXT and (answer := self._all.take(payload)) is not None:
            self._transport.write(answer)


def frame(payload: bytes, *, kind: int = _TEXT) -> bytes:
    """A frame of a client, masked with zeros."""
    size = len(payload)
    short = size < _SHORTEST_MEDIUM
    length = bytes([_MASKED | size]) if short else bytes([_MASKED | _SHORT]) + struct.pack(">H", size)
    return bytes([0x80 | kind]) + length + bytes(4) + payload


def unframe(buffer: bytes) -> tuple[int, bytes, bytes] | None:
    """The kind and content of the first frame and what follows it; None while it is not complete."""
    if len(buffer) < 2:  # noqa: PLR2004 - the shortest head
        return None
    size, start = buffer[1] & 127, 2
    if size == _SHORT:
        if len(buffer) < 4:  # noqa: PLR2004 - the head with a length of two bytes
            return None
        size, start = struct.unpack(">H", buffer[2:4])[0], 4
    end = start + size
    return None if len(buffer) < end else (buffer[0] & 15, buffer[start:end], buffer[end:])


_PONG_MESSAGE: Final = frame(b'{"type":"pong"}')


def give_up(said: bytes) -> NoReturn:
    """Ends this process with what it did not expect; an exception would end a callback alone."""
    sys.stderr.write(said[:500].decode(errors="replace") + "\n")
    sys.stderr.flush()
    os._exit(1)


def tell(found: dict[str, float]) -> None:
    """One line to whoever started this."""
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


async def _listen(order: Order) -> None:
    listeners = Listeners(order)
    loop = asyncio.get_running_loop()
    for begin in range(0, order.sockets, _AT_ONCE):
        count = min(_AT_ONCE, order.sockets - begin)
        opening = [loop.create_connection(lambda: _Socket(listeners), "127.0.0.1", order.port) for _ in range(count)]
        await asyncio.gather(*opening)
    await listeners.all_acknowledged.wait()
    tell({"open": order.sockets})
    await asyncio.Event().wait()


if __name__ == "__main__":
    many_files()
    uvloop.run(_listen(Order(**json.loads(sys.stdin.readline()))))
