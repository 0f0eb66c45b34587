"""What is known of the request under way, wherever in its code one stands: for logs, metrics, spans and masked errors.

One slotted object in one context variable: set once per request (or per operation of a socket), never copied.
"""

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter

from persistence.base import on_statement

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_REQUEST_ID = re.compile(rb"[0-9A-Za-z._-]{8,64}")
_NO_TRACE = "0" * 32


@dataclass(frozen=True, slots=True)
class TraceParent:
    """The caller's place in a distributed trace, as W3C writes it."""

    trace_id: str
    span_id: str
    sampled: bool


@dataclass(slots=True, eq=False)
class RequestScope:
    """One request: who logs or counts in its course adds its name to it."""

    request_id: str
    trace: TraceParent | None = None
    operation: str | None = None
    statements: int = 0
    unexpected: int = 0
    cost: int = 0
    # Told of an operation's errors when it is answered, so that what came over a socket is counted as over HTTP.
    on_answer: Callable[[Sequence[Mapping[str, object]] | None], None] | None = None
    started_at: float = field(default_factory=perf_counter)

    def count(self, statement: object) -> None:
        """Counts one SQL statement; `persistence` tells of each."""
        del statement
        self.statements += 1

    @property
    def seconds(self) -> float:
        """How long the request has been under way."""
        return perf_counter() - self.started_at


current_scope: ContextVar[RequestScope | None] = ContextVar("current_scope", default=None)


def enter(scope: RequestScope) -> None:
    """Makes this the scope of the current task, and of the tasks that it starts."""
    current_scope.set(scope)
    on_statement.set(scope.count)


@contextmanager
def scoped(scope: RequestScope) -> Iterator[RequestScope]:
    """As `enter`, for a task that lives longer than the request: a socket's operation, a job."""
    token, counting = current_scope.set(scope), on_statement.set(scope.count)
    try:
        yield scope
    finally:
        current_scope.reset(token)
        on_statement.reset(counting)


def request_id(given: bytes | None = None) -> str:
    """The caller's request id if it is harmless, else a new one."""
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given.decode("ascii")
    # It need not be a secret, and must not cost a call of the system. A forked process draws from a seed of its own.
    return f"{random.getrandbits(64):016x}"


def trace_parent(header: bytes | None) -> TraceParent | None:
    """The trace of a `traceparent` header, or none: a malformed one is ignored, as W3C asks."""
    if header is None:
        return None
    found = _TRACEPARENT.match(header.decode("latin-1"))
    if found is None or found[1] == _NO_TRACE:
        return None
    return TraceParent(trace_id=found[1], span_id=found[2], sampled=bool(int(found[3], 16) & 1))
