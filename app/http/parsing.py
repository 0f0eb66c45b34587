"""From the bytes of a request to operations: each parameter has one type, and a wrong one says so."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

import orjson

Receive: TypeAlias = Callable[[], Awaitable[Any]]

_PARAMETERS = 16
KEPT_BODIES = 500
_LONGEST_KNOWN_BODY = 8_192
_MOST_BESIDE_QUERY = 1_024  # parsed, it may take twenty times its bytes


class BadRequest(Exception):
    """A request that is no GraphQL request: the status it deserves, and why."""

    def __init__(self, message: str, *, status: int = 400, allow: bytes | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.allow = allow


class Disconnected(Exception):
    """The client left before its request was read: nobody waits for an answer."""


@dataclass(slots=True, eq=False)
class HttpRequest:
    """One HTTP request. Its body is there, or still to be received."""

    method: str
    headers: Mapping[bytes, bytes]
    query_string: bytes = b""
    body: bytes | None = None
    receive: Receive | None = None


@dataclass(slots=True)
class OperationRequest:
    """One operation as it was asked for. `bytes_read` is the size of the request that it came in."""

    query: str | None
    document_id: str | None
    operation_name: str | None
    variables: Mapping[str, object] = field(default_factory=dict)
    extensions: Mapping[str, object] = field(default_factory=dict)
    bytes_read: int = 0


async def body_of(request: HttpRequest, *, limit: int) -> bytes:
    """The whole body, or 413 as soon as it is known to be over the limit."""
    if request.body is not None and len(request.body) <= limit:
        return request.body
    declared, receive = request.headers.get(b"content-length"), request.receive
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise BadRequest(f"The body has {int(declared)} bytes, at most {limit}", status=413)
    if receive is None:
        raise BadRequest(f"The body has more than {limit} bytes", status=413)
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Disconnected
    body: bytes = message.get("body", b"")
    if message.get("more_body", False):
        parts = [body]
        size = len(body)
        while message.get("more_body", False) and size <= limit:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            parts.append(message.get("body", b""))
            size += len(parts[-1])
        body = b"".join(parts)
    if len(body) > limit:
        raise BadRequest(f"The body has more than {limit} bytes", status=413)
    return body


def check_content_type(header: bytes) -> None:
    """Refuses what is not JSON in UTF-8 with 415: a form could be posted by any page on the web."""
    if header == b"application/json":
        return
    name, *parameters = (part.strip() for part in header.lower().split(b";"))
    if name != b"application/json":
        raise BadRequest("The content type must be application/json", status=415)
    for parameter in parameters:
        if parameter.startswith(b"charset=") and parameter[8:].strip(b'"') not in {b"utf-8", b"utf8"}:
            raise BadRequest("The charset must be utf-8", status=415)


def parse_body(body: bytes, *, batch_limit: int) -> OperationRequest | Sequence[OperationRequest]:
    """The operation of a body, or the operations of a batch."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadRequest("The body is not valid JSON") from None
    if isinstance(value, dict):
        return _operation(value, size=len(body))
    if not isinstance(value, list) or not value:
        raise BadRequest("The body must be an object, or a list of objects")
    if len(value) > batch_limit:
        raise BadRequest(f"The batch has {len(value)} operations, at most {batch_limit}")
    entries = [entry for entry in value if isinstance(entry, dict)]
    if len(entries) != len(value):
        raise BadRequest("Every entry of a batch must be an object")
    return [_operation(entry, size=len(body)) for entry in entries]


class Bodies:
    """Reads bodies. Those without variables, which many clients send alike, are parsed once."""

    def __init__(self, *, batch_limit: int, kept: int = KEPT_BODIES) -> None:
        self._batch_limit = batch_limit
        self._kept = kept
        self._known: OrderedDict[bytes, OperationRequest] = OrderedDict()

    def read(self, body: bytes) -> OperationRequest | Sequence[OperationRequest]:
        """The operation of a body, or the operations of a batch."""
        found = self._known.get(body)
        if found is not None:
            self._known.move_to_end(body)
            return found
        parsed = parse_body(body, batch_limit=self._batch_limit)
        if isinstance(parsed, OperationRequest) and _may_be_kept(parsed):
            self._known[body] = parsed
            if len(self._known) > self._kept:
                self._known.popitem(last=False)
        return parsed


def _may_be_kept(parsed: OperationRequest) -> bool:
    """What a client may choose freely is not kept, and what is kept is read only: no one's values are in it."""
    size = parsed.bytes_read
    if parsed.variables or size > _LONGEST_KNOWN_BODY:
        return False
    return not parsed.extensions or size - len(parsed.query or "") <= _MOST_BESIDE_QUERY


def parse_query_string(query_string: bytes) -> OperationRequest:
    """The operation of a GET; variables and extensions are JSON in their parameters."""
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_PARAMETERS
        )
    except ValueError:
        raise BadRequest("The query string cannot be read") from None
    given: dict[str, object] = dict(pairs)
    for name in ("variables", "extensions"):
        text = given.get(name)
        if isinstance(text, str):
            try:
                given[name] = orjson.loads(text) if text else None
            except orjson.JSONDecodeError:
                raise BadRequest(f"{name} is not valid JSON") from None
    return _operation(given, size=len(query_string))


def _operation(given: Mapping[str, object], *, size: int) -> OperationRequest:
    extensions = _map(given, "extensions")
    query = _text(given, "query")
    document_id = _text(given, "documentId")
    if query is None and document_id is None and "persistedQuery" not in extensions:
        raise BadRequest("The request has no query and no documentId")
    return OperationRequest(
        query=query,
        document_id=document_id,
        operation_name=_text(given, "operationName") or None,
        variables=_map(given, "variables"),
        extensions=extensions,
        bytes_read=size,
    )


def _text(given: Mapping[str, object], name: str) -> str | None:
    value = given.get(name)
    if value is None or isinstance(value, str):
        return value
    raise BadRequest(f"{name} must be a string")


def _map(given: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = given.get(name)
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise BadRequest(f"{name} must be an object")
