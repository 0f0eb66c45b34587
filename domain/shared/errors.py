"""Two kinds of failure: a Refusal is expected and typed, everything else is a bug.

A CallerError is for the client's programmer, or our operator, to mend.

A Refusal is a dataclass with `eq=False`, never frozen or slotted: a frozen exception dies inside a context manager.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

ErrorT = TypeVar("ErrorT", bound=Exception)


def as_another(error: ErrorT) -> ErrorT:
    """The same error as an exception of its own: one that is raised in a thousand tasks gathers a thousand tracebacks.

    Not by `copy`, which calls the class with positional arguments alone.
    """
    own = error.__class__.__new__(error.__class__, *error.args)
    own.__dict__.update(error.__dict__)
    own.__cause__ = error.__cause__
    return own


class Refusal(Exception):
    """An expected "no" of a use-case: nothing was written, and the caller is told what to do."""


@dataclass(eq=False)
class NotFound(Refusal):
    """There is no such thing, or the caller may not know that there is: the two are indistinguishable."""

    noun: str


@dataclass(eq=False)
class IdempotencyKeyReused(Refusal):
    """The key was used before by this caller and mutation, with another input."""

    idempotency_key: str


@dataclass(eq=False)
class OperationInProgress(Refusal):
    """The same operation is under way right now; ask again with the same key."""

    idempotency_key: str


@dataclass(eq=False)
class InvalidStateChange(Refusal):
    """The thing is not in a state from which this move is legal."""

    current: str
    wanted: str


class CallerError(Exception):
    """What the client's programmer or our operator must mend: a top-level error with a code, never a union member."""

    code = "BAD_USER_INPUT"

    def __init__(self, message: str, *, path: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.path = tuple(path)


class BadUserInput(CallerError):
    """An argument whose form is wrong; `path` names it."""


class Unauthenticated(CallerError):
    """No token, or one that cannot be trusted."""

    code = "UNAUTHENTICATED"


class Forbidden(CallerError):
    """The caller's role may never do this."""

    code = "FORBIDDEN"


class QueryTooComplex(CallerError):
    """The document asks for more than one request may."""

    code = "QUERY_TOO_COMPLEX"


class RateLimited(CallerError):
    """Too many requests; try again later."""

    code = "RATE_LIMITED"


class Unavailable(CallerError):
    """The service cannot answer right now; try again after `retry_after_seconds`."""

    code = "UNAVAILABLE"

    def __init__(self, message: str, *, retry_after_seconds: int = 1) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
