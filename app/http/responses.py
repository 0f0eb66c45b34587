"""An answer, written once: its status by media type, its headers, its bytes."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson

from app.http.errors import STATUS_ALWAYS, code_of
from app.http.negotiation import Media
from execution.result import FormattedError

Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_NO_STORE: Final = (b"cache-control", b"no-store")
_NO_SNIFFING: Final = (b"x-content-type-options", b"nosniff")
_BEARER: Final = (b"www-authenticate", b'Bearer realm="laurel"')


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


async def respond(
    send: Send,
    body: bytes,
    *,
    status: int,
    media: bytes,
    request_id: str,
    more: Sequence[tuple[bytes, bytes]] = (),
) -> None:
    """Sends an answer: one start, one body."""
    headers = [
        (b"content-type", media),
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", request_id.encode("ascii")),
        _NO_STORE,
        _NO_SNIFFING,
        *more,
    ]
    if status == STATUS_ALWAYS["UNAUTHENTICATED"]:
        headers.append(_BEARER)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
