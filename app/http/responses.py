"""An answer, written once: its status by media type, its headers, its bytes."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, TypeAlias

import orjson

from app.http.errors import STATUS_ALWAYS, code_of
from app.http.negotiation import Media
from execution.result import FormattedError

Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_ALWAYS: Final = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
_BEARER: Final = (b"www-authenticate", b'Bearer realm="laurel"')
_STATUS_LINES: Final = {each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\n".encode() for each in HTTPStatus}
_ALWAYS_LINES: Final = b"".join(b"%b: %b\r\n" % header for header in _ALWAYS)


@dataclass(slots=True)
class Answer:
    """The answer to one operation. `executed` is false where nothing ran: such an answer has no data at all."""

    data: object
    errors: Sequence[FormattedError] | None
    executed: bool
    cost: int
    cost_limit: int

    @property
    def outcome(self) -> str:
        """The label of metrics and logs: ok, or the code of the first error in lower case."""
        return code_of(self.errors[0]).lower() if self.errors else "ok"

    @property
    def body(self) -> dict[str, object]:
        """The response map: errors first, for the people who read it."""
        body: dict[str, object] = {}
        if self.errors:
            body["errors"] = self.errors
        if self.executed:
            body["data"] = self.data
        body["extensions"] = {"cost": {"requested": self.cost, "limit": self.cost_limit}}
        return body

    def status(self, media: Media) -> int:
        """200 once anything ran. Before that the GraphQL media type tells all, and JSON only what is HTTP's own."""
        if self.executed or not self.errors:
            return 200
        always = STATUS_ALWAYS.get(code_of(self.errors[0]))
        if always is not None:
            return always
        return 400 if media is Media.GRAPHQL else 200


def encode(body: object) -> bytes:
    """The bytes of a response map, or of a batch's list of them."""
    return orjson.dumps(body)


@dataclass(slots=True, eq=False)
class Reply:
    """One HTTP answer, whole: ready for ASGI, or to be written as it is."""

    status: int
    media: bytes
    body: bytes
    request_id: str
    more: Sequence[tuple[bytes, bytes]] = ()

    def __post_init__(self) -> None:
        """Tells how to be known, where that is what was missing."""
        if self.status == HTTPStatus.UNAUTHORIZED:
            self.more = (*self.more, _BEARER)

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Its headers, as ASGI takes them."""
        return [
            (b"content-type", self.media),
            (b"content-length", b"%d" % len(self.body)),
            (b"x-request-id", self.request_id.encode("ascii")),
            *_ALWAYS,
            *self.more,
        ]

    def wire(self, further: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
        """All of it as it goes over HTTP/1.1: head and body in one piece, so that they are one write."""
        more = b"".join([b"%b: %b\r\n" % header for header in (*self.more, *further)])
        return b"%bcontent-type: %b\r\ncontent-length: %d\r\nx-request-id: %b\r\n%b%b\r\n%b" % (
            _STATUS_LINES[self.status],
            self.media,
            len(self.body),
            self.request_id.encode("ascii"),
            _ALWAYS_LINES,
            more,
            self.body,
        )


async def respond(send: Send, reply: Reply) -> None:
    """Sends an answer: one start, one body."""
    await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
    await send({"type": "http.response.body", "body": reply.body})
