"""All sockets of one process: who may open one, how many there may be, and how they end when the process does."""

import asyncio
from collections import Counter
from typing import Final
from uuid import UUID

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from app.sockets.origins import origin_allowed
from app.sockets.ports import SocketLimits, SocketPorts, SocketWatch
from app.sockets.protocol import SUBPROTOCOL, CloseCode
from app.sockets.socket import Socket

_LOOKS: Final = 4


class SocketServer:
    """The ASGI application of the socket route."""

    def __init__(self, *, ports: SocketPorts, watch: SocketWatch, limits: SocketLimits | None = None) -> None:
        self.ports = ports
        self.watch = watch
        self.limits = limits or SocketLimits()
        self.draining = False
        self._sockets: set[Socket] = set()
        self._by_caller: Counter[UUID] = Counter()
        self._adopted: set[asyncio.Task[None]] = set()
        self._look_timer: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket from its handshake to its end."""
        await receive()  # websocket.connect
        headers = Headers(scope=scope)
        if not origin_allowed(headers.get("origin"), host=headers.get("host"), allowed=self.limits.allowed_origins):
            await _refuse(scope, send, status=403)
            return
        if self.draining or len(self._sockets) >= self.limits.sockets:
            await _refuse(scope, send, status=503)
            return
        if SUBPROTOCOL not in scope.get("subprotocols", ()):
            await send({"type": "websocket.accept"})
            self.watch.socket_cut(code=CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE)
            await send(
                {
                    "type": "websocket.close",
                    "code": int(CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE),
                    "reason": "Subprotocol not acceptable",
                }
            )
            return
        socket = Socket(server=self, receive=receive, send=send, headers=headers)
        self._sockets.add(socket)
        self.watch.socket_opened()
        if self._look_timer is None:
            self._look()
        try:
            await socket.serve()
        finally:
            self._sockets.discard(socket)
            self.watch.socket_closed()

    def _look(self) -> None:
        """Look at all sockets now and then, as long as there are any."""
        self._look_timer = None
        if self._sockets:
            loop = asyncio.get_running_loop()
            for socket in self._sockets:
                socket.hold_to_pace(now=loop.time())
            self._look_timer = loop.call_later(self.limits.send_seconds / _LOOKS, self._look)

    def admit(self, caller_id: UUID) -> bool:
        """Count a socket of a caller, unless it has too many."""
        if self._by_caller[caller_id] >= self.limits.sockets_per_caller:
            return False
        self._by_caller[caller_id] += 1
        return True

    def dismiss(self, caller_id: UUID) -> None:
        """A socket that was admitted is gone."""
        self._by_caller[caller_id] -= 1
        if not self._by_caller[caller_id]:
            del self._by_caller[caller_id]

    def adopt(self, task: asyncio.Task[None]) -> None:
        """Let a write end that was begun on a socket that is gone."""
        self._adopted.add(task)
        task.add_done_callback(self._adopted.discard)

    async def drain(self, *, seconds: float) -> None:
        """Take no new sockets or operations, answer what is running, then close: clients connect to another process.

        Subscriptions are closed without `complete`, which would tell the client that there is nothing more to come.
        Call it before the server itself is told to stop, and before the hub is.
        """
        self.draining = True
        sockets = list(self._sockets)
        answers = [task for socket in sockets for task in socket.answering()] + list(self._adopted)
        if answers:
            await asyncio.wait(answers, timeout=seconds)
        await asyncio.gather(*(socket.close(CloseCode.GOING_AWAY, "Going away") for socket in sockets))


async def _refuse(scope: Scope, send: Send, *, status: int) -> None:
    if "websocket.http.response" in scope.get("extensions", {}):
        await send({"type": "websocket.http.response.start", "status": status, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b""})
    else:
        await send({"type": "websocket.close", "code": int(CloseCode.TRY_AGAIN_LATER)})
