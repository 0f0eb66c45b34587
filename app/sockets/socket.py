"""One socket: from connection_init to its end."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Final
from uuid import UUID

from starlette.datastructures import Headers
from starlette.types import Receive, Send

from app.sockets.operations import Operation
from app.sockets.protocol import (
    CONNECTION_ACK,
    PING,
    PONG,
    SUBPROTOCOL,
    ClientMessage,
    CloseCode,
    Complete,
    ConnectionInit,
    Ping,
    Pong,
    ProtocolError,
    Subscribe,
    close_reason,
    error_message,
    read_message,
)
from domain.shared.errors import CallerError, Forbidden, RateLimited, Unauthenticated
from domain.shared.principal import Principal

if TYPE_CHECKING:
    from app.sockets.server import SocketServer

_CLOSE_SECONDS: Final = 1.0
_LONGEST_TIMER_SECONDS: Final = 24 * 3600.0


class Socket:
    """The state of one connection and its running operations."""

    __slots__ = (
        "_aborted",
        "_authorization",
        "_blocked_at",
        "_caller_id",
        "_closing",
        "_heard",
        "_initialised",
        "_main",
        "_operations",
        "_pinged",
        "_receive",
        "_send",
        "_tasks",
        "_timers",
        "_waiting",
        "accept_language",
        "acknowledged",
        "principal",
        "server",
    )

    def __init__(self, *, server: "SocketServer", receive: Receive, send: Send, headers: Headers) -> None:
        self.server = server
        self.accept_language = headers.get("accept-language")
        self.principal: Principal | None = None
        self.acknowledged = False
        self._receive = receive
        self._send = send
        self._authorization = headers.get("authorization")
        self._caller_id: UUID | None = None
        self._initialised = False
        self._closing = False
        self._aborted = False
        self._heard = True
        self._pinged = False
        self._waiting = 0
        self._blocked_at: float | None = None
        self._main: asyncio.Task[object] | None = None
        self._operations: dict[str, Operation] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def serve(self) -> None:
        """Accept the socket and serve it until either side ends it."""
        self._main = asyncio.current_task()
        try:
            await self._send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
            self._after("init", self.server.limits.init_seconds, self._expire_init)
            await self._read()
        except OSError:
            pass  # the peer is gone
        except asyncio.CancelledError:
            if not self._aborted:
                raise
        finally:
            self._end()

    def _end(self) -> None:
        self._closing = True
        for timer in self._timers.values():
            timer.cancel()
        for operation in list(self._operations.values()):
            self._give_up(operation)
        if self._caller_id is not None:
            self.server.dismiss(self._caller_id)
            self._caller_id = None

    async def close(self, code: CloseCode, reason: str) -> None:
        """Close the socket; one whose peer does not even read that is dropped."""
        if self._closing:
            return
        self._closing = True
        self.server.watch.socket_cut(code=code)
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._send({"type": "websocket.close", "code": int(code), "reason": close_reason(reason)})
        except TimeoutError:
            self._abort()
        except OSError:
            pass  # it is closed already

    def _abort(self) -> None:
        if self._main is not None and not self._main.done():
            self._aborted = True
            self._main.cancel()

    async def send(self, text: str) -> None:
        """Send a message, unless the socket is closing; waits while the peer has not read what it was sent before."""
        if self._closing:
            return
        self._waiting += 1
        try:
            await self._send({"type": "websocket.send", "text": text})
        except OSError:
            pass  # the reader notices too, and ends the socket
        finally:
            self._waiting -= 1
            self._blocked_at = None

    def hold_to_pace(self, *, now: float) -> None:
        """Close the socket of a peer that has read nothing for too long. Cheaper than a timer for each message."""
        if not self._waiting:
            return
        if self._blocked_at is None:
            self._blocked_at = now
        elif now - self._blocked_at >= self.server.limits.send_seconds:
            self._spawn(self.close(CloseCode.TRY_AGAIN_LATER, "Too slow"))

    # ── timers ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _after(self, name: str, seconds: float, then: Callable[[], None]) -> None:
        self._timers[name] = asyncio.get_running_loop().call_later(min(seconds, _LONGEST_TIMER_SECONDS), then)

    def _spawn(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _expire_init(self) -> None:
        self._spawn(self.close(CloseCode.TIMEOUT, "Connection initialisation timeout"))

    def _beat(self) -> None:
        if self._pinged and not self._heard:
            self._spawn(self.close(CloseCode.TIMEOUT, "No sign of life"))
            return
        self._pinged = not self._heard  # a client that just spoke need not be asked
        if self._pinged:
            self._spawn(self.send(PING))
        self._heard = False
        self._after("beat", self.server.limits.keepalive_seconds, self._beat)

    def _expire_token(self) -> None:
        assert self.principal is not None
        if self.principal.expires_at is None:
            return
        left = (self.principal.expires_at - self.server.ports.now()).total_seconds()
        if left > 0:
            self._after("token", left, self._expire_token)
        else:
            self._spawn(self.close(CloseCode.FORBIDDEN, "Token expired"))

    # ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _read(self) -> None:
        while True:
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                return
            self._heard = True
            if self._closing:
                continue
            try:
                await self._handle(read_message(event.get("text"), most_bytes=self.server.limits.message_bytes))
            except ProtocolError as error:
                await self.close(error.code, error.reason)

    async def _handle(self, message: ClientMessage) -> None:
        match message:
            case ConnectionInit():
                await self._initialise(message)
            case Subscribe():
                await self._subscribe(message)
            case Complete():
                operation = self._operations.get(message.operation_id)
                if operation is not None:
                    self._give_up(operation)
            case Ping():
                await self.send(PONG)
            case Pong():
                pass

    async def _initialise(self, message: ConnectionInit) -> None:
        if self._initialised:
            raise ProtocolError("Too many initialisation requests", code=CloseCode.TOO_MANY_INITIALISATIONS)
        self._initialised = True
        authorization = self._authorization
        for name, value in message.payload.items():
            if name.lower() == "authorization" and isinstance(value, str):
                authorization = value
        try:
            self.principal = await self.server.ports.authenticate(authorization)
        except (Unauthenticated, Forbidden) as refusal:
            raise ProtocolError(refusal.message or "Forbidden", code=CloseCode.FORBIDDEN) from None
        except CallerError as refusal:
            raise ProtocolError(refusal.message, code=CloseCode.TRY_AGAIN_LATER) from None
        except Exception as error:  # noqa: BLE001 - a bug in one connection is logged and ends that connection
            self.server.ports.write_error(error)
            raise ProtocolError("Internal server error", code=CloseCode.INTERNAL_ERROR) from None
        if self._closing:
            return
        await self._acknowledge()

    async def _acknowledge(self) -> None:
        if self.principal is not None:
            if not self.server.admit(self.principal.caller_id):
                raise ProtocolError("Too many sockets of one caller", code=CloseCode.TRY_AGAIN_LATER)
            self._caller_id = self.principal.caller_id
            self._expire_token()
        self._timers.pop("init").cancel()
        self._after("beat", self.server.limits.keepalive_seconds, self._beat)
        self.acknowledged = True
        await self.send(CONNECTION_ACK)

    async def _subscribe(self, message: Subscribe) -> None:
        if not self.acknowledged:
            raise ProtocolError("Unauthorized", code=CloseCode.UNAUTHORIZED)
        if message.operation_id in self._operations:
            raise ProtocolError(
                f"Subscriber for {message.operation_id} already exists", code=CloseCode.SUBSCRIBER_EXISTS
            )
        if self.server.draining:
            return  # the socket is about to be closed; the client asks the next process
        if len(self._operations) >= self.server.limits.operations_per_socket:
            refusal = RateLimited("Too many operations on one socket")
            errors = [self.server.ports.write_error(refusal)]
            await self.send(error_message(message.operation_id, errors=errors))
            return
        operation = Operation(socket=self, operation_id=message.operation_id, request=message.request)
        self._operations[message.operation_id] = operation
        operation.start()

    # ── operations ──────────────────────────────────────────────────────────────────────────────────────────────────

    def forget(self, operation: Operation) -> None:
        """The operation has ended: its id is free."""
        if self._operations.get(operation.operation_id) is operation:
            del self._operations[operation.operation_id]

    def _give_up(self, operation: Operation) -> None:
        self.forget(operation)
        operation.give_up()

    def answering(self) -> list[asyncio.Task[None]]:
        """The queries and mutations that are running: they are answered before the process ends."""
        return [operation.task for operation in self._operations.values() if not operation.streaming]
