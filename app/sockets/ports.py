"""What the sockets need of the rest: the same authentication, limits, execution and masking as HTTP has."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

import orjson

from app.http.parsing import OperationRequest
from app.http.ports import Authenticate, MakeContext
from domain.shared.errors import Unavailable
from execution import Plan, Result

Variables: TypeAlias = Mapping[str, object]
Encode: TypeAlias = Callable[[Plan, Result], bytes]


class Executes(Protocol):
    """Runs a prepared operation; execution.Executor does."""

    async def execute(
        self, plan: Plan, variables: Variables | None = None, context: object = None, root: object = None
    ) -> Result:
        """Run a query or a mutation."""
        ...

    async def subscribe(
        self, plan: Plan, variables: Variables | None = None, context: object = None, root: object = None
    ) -> AsyncIterator[Result] | Result:
        """Start a subscription, or say why there is none."""
        ...


class Streams(Protocol):
    """Opens the stream of a subscription as JSON payloads.

    This is the place where subscribers of one document, variables and scope come to share one execution and its bytes.
    """

    async def open(self, plan: Plan, *, variables: Variables, context: object) -> AsyncIterator[bytes] | Result:
        """The payloads of the stream, or the one result that says why there is none."""
        ...


def encode_result(plan: Plan, result: Result) -> bytes:  # noqa: ARG001 - an encoder may add what it knows of the plan
    """The response map as JSON."""
    return orjson.dumps(result.response)


class OwnStreams:
    """Each subscriber runs its own document."""

    def __init__(self, *, executor: Executes, encode: Encode = encode_result) -> None:
        self._executor = executor
        self._encode = encode

    async def open(self, plan: Plan, *, variables: Variables, context: object) -> AsyncIterator[bytes] | Result:
        """A stream of this subscriber alone."""
        results = await self._executor.subscribe(plan, variables, context)
        return results if isinstance(results, Result) else self._payloads(plan, results)

    async def _payloads(self, plan: Plan, results: AsyncIterator[Result]) -> AsyncIterator[bytes]:
        try:
            async for result in results:
                if _unavailable(result):
                    raise Unavailable("Try again later")
                yield self._encode(plan, result)
        finally:
            await close_stream(results)


def _unavailable(result: Result) -> bool:
    """Whether there is no result because a server is away: then the client is to come back, not to stop listening."""
    if result.data is not None:
        return False
    extensions = [error.get("extensions") for error in result.errors or ()]
    return any(isinstance(found, dict) and found.get("code") == Unavailable.code for found in extensions)


async def close_stream(stream: AsyncIterator[object]) -> None:
    """Close a stream that can be closed, so that its listener is gone at once and not when it is collected."""
    close = getattr(stream, "aclose", None)
    if close is not None:
        await close()


class SocketWatch(Protocol):
    """Who is told how the sockets fare. All are plain calls."""

    def socket_opened(self) -> None:
        """A socket was accepted."""

    def socket_closed(self) -> None:
        """A socket ended, however it did."""

    def socket_cut(self, *, code: int) -> None:
        """The server closed a socket, and this is why."""


@dataclass(frozen=True, slots=True)
class SocketPorts:
    """The seams to the rest of the application, given by the wiring."""

    authenticate: Authenticate
    """The principal of an Authorization value; None for a caller who may stay anonymous. Raises CallerError."""
    prepare: Callable[[OperationRequest], Awaitable[Plan]]
    """The checked plan of a request: named documents, parsing, validation, every limit. Raises CallerError.

    The first call in the task of an operation, which may enter a scope of its own for logs and traces here.
    """
    make_context: MakeContext
    """The GraphQL context of one operation."""
    executor: Executes
    streams: Streams
    write_error: Callable[[Exception], Mapping[str, object]]
    """What a client is told of an exception: its code, or a masked one that is logged with a request id."""
    now: Callable[[], datetime]
    """The current instant, UTC: tokens expire."""
    encode: Encode = encode_result


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """Everything has a limit."""

    sockets: int = 10_000
    sockets_per_caller: int = 20
    operations_per_socket: int = 100
    message_bytes: int = 1024 * 1024
    init_seconds: float = 5.0
    keepalive_seconds: float = 25.0
    send_seconds: float = 20.0
    allowed_origins: frozenset[str] = frozenset()
