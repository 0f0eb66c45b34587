"""The words of graphql-transport-ws: what a client may send, what it is sent, and why a socket is closed.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md. The older protocol, whose subprotocol is called
`graphql-ws`, is never spoken: it starts operations before anybody has authenticated (CVE-2026-35523).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeAlias

import orjson

from app.http.parsing import OperationRequest

SUBPROTOCOL: Final = "graphql-transport-ws"
LONGEST_ID: Final = 256
_LONGEST_REASON_BYTES: Final = 123

CONNECTION_ACK: Final = '{"type":"connection_ack"}'
PING: Final = '{"type":"ping"}'
PONG: Final = '{"type":"pong"}'


class CloseCode(IntEnum):
    """Why the server closes a socket. Clients connect again by themselves after 1001, 1013, 4403 and 4408."""

    GOING_AWAY = 1001
    """The process stops; another one takes the connection."""
    TOO_BIG = 1009
    """A message is larger than the limit."""
    TRY_AGAIN_LATER = 1013
    """Too many sockets, a client that reads too slowly, or a service that cannot answer right now."""
    BAD_REQUEST = 4400
    """A message that the protocol does not know."""
    UNAUTHORIZED = 4401
    """An operation before the connection was acknowledged."""
    FORBIDDEN = 4403
    """No token, one that cannot be trusted, or one that has expired meanwhile: connect with a fresh one."""
    SUBPROTOCOL_NOT_ACCEPTABLE = 4406
    """The client does not offer graphql-transport-ws."""
    TIMEOUT = 4408
    """No connection_init in time, or no sign of life."""
    SUBSCRIBER_EXISTS = 4409
    """Two operations of one id at once."""
    TOO_MANY_INITIALISATIONS = 4429
    """A second connection_init."""
    INTERNAL_ERROR = 4500
    """A bug of ours; logged with its request id."""


class ProtocolError(Exception):
    """A message that ends the connection."""

    def __init__(self, reason: str, *, code: CloseCode = CloseCode.BAD_REQUEST) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


@dataclass(frozen=True, slots=True)
class ConnectionInit:
    """The first message: who is asking."""

    payload: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Start an operation, of any type, under an id that the client chose."""

    operation_id: str
    request: OperationRequest


@dataclass(frozen=True, slots=True)
class Complete:
    """The client wants no more of an operation."""

    operation_id: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Answered by a pong."""


@dataclass(frozen=True, slots=True)
class Pong:
    """A sign of life."""


ClientMessage: TypeAlias = ConnectionInit | Subscribe | Complete | Ping | Pong


def read_message(text: str | None, *, most_bytes: int) -> ClientMessage:
    """The message in a text frame (None: it was a binary one), or a ProtocolError that says what is wrong with it."""
    if text is None:
        raise ProtocolError("Invalid message: not text")
    if len(text) > most_bytes:
        raise ProtocolError("Message too big", code=CloseCode.TOO_BIG)
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ProtocolError("Invalid message: not JSON") from None
    if not isinstance(message, dict):
        raise ProtocolError("Invalid message: not an object")
    match message.get("type"):
        case "connection_init":
            return ConnectionInit(payload=_object(message, "payload"))
        case "subscribe":
            return Subscribe(operation_id=_id(message), request=_request(message, size=len(text)))
        case "complete":
            return Complete(operation_id=_id(message))
        case "ping":
            return Ping()
        case "pong":
            return Pong()
        case _:
            raise ProtocolError("Invalid message: unknown type")


def _id(message: Mapping[str, object]) -> str:
    found = message.get("id")
    if not isinstance(found, str) or not 0 < len(found) <= LONGEST_ID:
        raise ProtocolError(f"Invalid message: id must be a string of 1 to {LONGEST_ID} characters")
    return found


def _object(message: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = message.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ProtocolError(f"Invalid message: {name} must be an object")
    return found


def _text(message: Mapping[str, object], name: str) -> str | None:
    found = message.get(name)
    if found is not None and not isinstance(found, str):
        raise ProtocolError(f"Invalid message: {name} must be a string")
    return found


def _request(message: Mapping[str, object], *, size: int) -> OperationRequest:
    payload = message.get("payload")
    if not isinstance(payload, dict):
        raise ProtocolError("Invalid message: payload must be an object")
    request = OperationRequest(
        query=_text(payload, "query"),
        document_id=_text(payload, "documentId"),
        operation_name=_text(payload, "operationName") or None,
        variables=_object(payload, "variables"),
        extensions=_object(payload, "extensions"),
        bytes_read=size,
    )
    if request.query is None and request.document_id is None and "persistedQuery" not in request.extensions:
        raise ProtocolError("Invalid message: payload has no query and no documentId")
    return request


def next_message(operation_id: str, *, payload: bytes) -> str:
    """One result of an operation. The payload is JSON already: many sockets may share it."""
    return b"".join((b'{"id":', orjson.dumps(operation_id), b',"type":"next","payload":', payload, b"}")).decode()


def error_message(operation_id: str, *, errors: Sequence[Mapping[str, object]]) -> str:
    """The operation did not run, or cannot go on; nothing more comes of it."""
    return orjson.dumps({"id": operation_id, "type": "error", "payload": list(errors)}).decode()


def complete_message(operation_id: str) -> str:
    """Nothing more comes of the operation."""
    return orjson.dumps({"id": operation_id, "type": "complete"}).decode()


def close_reason(reason: str) -> str:
    """The reason cut to what a close frame can hold."""
    return reason.encode()[:_LONGEST_REASON_BYTES].decode(errors="ignore")
