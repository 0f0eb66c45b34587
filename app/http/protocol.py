"""uvicorn's HTTP protocol with a short way for what nearly every request is: a POST to the endpoint, of known length.

Such a request is handed to the endpoint when its body is whole, without the messages of ASGI in between, and its answer
is one write. Every other request (another path or method, chunked, `Expect`, a body that is too large, an upgrade) goes
the way it goes in uvicorn. Connections, pipelining, keep-alive and shutdown are uvicorn's: an `Exchange` is, for them,
one of its request-response cycles.
"""

import asyncio
import logging
from typing import Any, Final

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.http.endpoint import GraphQLEndpoint
from app.http.front import PATH, Front
from app.http.parsing import HttpRequest
from app.http.responses import Reply

_URL: Final = PATH.encode("ascii")
_CLOSE: Final = (b"connection", b"close")
_BROKEN: Final = b"Internal Server Error"


class Exchange:
    """One request on the short way, and its answer; uvicorn knows it as a cycle."""

    __slots__ = ("_protocol", "body", "disconnected", "headers", "keep_alive", "more_body", "response_complete")

    # uvicorn wakes whoever waits for more of a body: here nobody does.
    message_event: Final = asyncio.Event()

    def __init__(self, protocol: "DirectProtocol", *, headers: dict[bytes, bytes], keep_alive: bool) -> None:
        self._protocol = protocol
        self.headers = headers
        self.keep_alive = keep_alive
        self.body = b""
        self.more_body = True
        self.disconnected = False
        self.response_complete = False

    async def run_asgi(self, app: object) -> None:
        """Answers the request; uvicorn starts it by this name, also for a request that had to wait for its turn."""
        del app
        protocol = self._protocol
        try:
            reply = await protocol.endpoint.reply(HttpRequest("POST", self.headers, b"", self.body))
        except BaseException as error:
            logging.getLogger("uvicorn.error").exception("Exception in the endpoint")
            self._write(Reply(500, b"text/plain; charset=utf-8", _BROKEN, "-", (_CLOSE,)), keep_alive=False)
            if not isinstance(error, Exception):
                raise
            return
        if protocol.flow.write_paused and not self.disconnected:
            await protocol.flow.drain()
        if reply is not None:
            self._write(reply, keep_alive=self.keep_alive)

    def _write(self, reply: Reply, *, keep_alive: bool) -> None:
        protocol = self._protocol
        self.response_complete = True
        if self.disconnected:
            return
        further = protocol.server_state.default_headers
        if _CLOSE in further:
            keep_alive = False
        elif not keep_alive and _CLOSE not in reply.more:
            further = [*further, _CLOSE]
        protocol.transport.write(reply.wire(further))
        if not keep_alive:
            protocol.transport.close()
        protocol.on_response_complete()


class DirectProtocol(HttpToolsProtocol):
    """One connection. Without a `Front` behind it, it is uvicorn's own protocol."""

    endpoint: GraphQLEndpoint

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        front = self.app
        self._is_direct = isinstance(front, Front) and self.limit_concurrency is None and not self.root_path
        if isinstance(front, Front):
            self.endpoint = front.endpoint
        # What runs before the request whose parts are coming in.
        self._before: Any = None
        # Since when nothing is asked on this connection; None while something is.
        self._idle_since: float | None = None

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, and with it whoever would wait for it to be idle."""
        self._cancel_alarm()
        super().connection_lost(exc)

    @override
    def handle_websocket_upgrade(self) -> None:
        """The connection goes on as a socket, with limits of its own."""
        self._cancel_alarm()
        super().handle_websocket_upgrade()

    def _cancel_alarm(self) -> None:
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None

    @override
    def _unset_keepalive_if_required(self) -> None:
        """Something is asked. The alarm stays set: to take it back and set it anew would cost every request a timer."""
        self._idle_since = None

    @override
    def on_response_complete(self) -> None:
        """The next request of the pipeline begins, or the connection is idle from now on."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._set_alarm(self.timeout_keep_alive)

    def _set_alarm(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    @override
    def timeout_keep_alive_handler(self) -> None:
        """Closes the connection if it has been idle for so long, or looks again when it may have been."""
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return  # the answer to what is asked sets it again
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._set_alarm(left)
        else:
            super().timeout_keep_alive_handler()

    @override
    def on_message_begin(self) -> None:
        """A request begins. What uvicorn prepares for it is made when it is known to be needed."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    @override
    def on_headers_complete(self) -> None:
        """The head of a request is whole, and says which way it goes."""
        named = dict(self.headers) if self._is_direct and self.url == _URL else None
        if named is not None and self._is_plain_post(named):
            keep_alive = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
            self._before = self.cycle
            self.cycle = Exchange(self, headers=named, keep_alive=keep_alive)  # type: ignore[assignment]
            return
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        super().on_headers_complete()

    def _is_plain_post(self, headers: dict[bytes, bytes]) -> bool:
        """Whether it is a POST with a body of known and permitted length, and nothing out of the ordinary."""
        if self.parser.get_method() != b"POST" or self.expect_100_continue or self.parser.should_upgrade():
            return False
        # The parser refuses a second length, and a length beside a transfer coding.
        length = headers.get(b"content-length", b"")
        return length.isdigit() and int(length) <= self.endpoint.body_limit

    @staticmethod
    def _is_exchange(cycle: object) -> bool:
        return cycle.__class__ is Exchange

    @override
    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        cycle: Any = self.cycle
        if self._is_exchange(cycle):
            cycle.body += body
        else:
            super().on_body(body)

    @override
    def on_message_complete(self) -> None:
        """The request is whole: it is answered now, or when those before it on this connection are."""
        cycle: Any = self.cycle
        if not self._is_exchange(cycle):
            super().on_message_complete()
            return
        cycle.more_body = False
        before, self._before = self._before, None
        if before is None or before.response_complete:
            self._start_asgi_task(cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))
