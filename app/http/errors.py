"""How an error reads: its code for programs, its message for their programmers, and nothing of what lies behind it."""

import re
import socket
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

import asyncpg
import structlog
from graphql import GraphQLError

from app.scope import current_scope
from domain.shared.batching import SetFailed
from domain.shared.errors import CallerError, Unavailable
from execution.result import FormattedError
from resolvers.limits import LimitExceeded, PageSizeRefused

MASKED: Final = "Something went wrong on our side. The request id says which request it was."
AWAY: Final = "The service cannot answer right now. Try again in a moment."
INTERNAL: Final = "INTERNAL"
UNAVAILABLE: Final = "UNAVAILABLE"
BAD_USER_INPUT: Final = "BAD_USER_INPUT"

# The codes that are a matter of HTTP in either media type; of the others, only the GraphQL type shows its status.
STATUS_ALWAYS: Mapping[str, int] = {
    "UNAUTHENTICATED": HTTPStatus.UNAUTHORIZED,
    "FORBIDDEN": HTTPStatus.FORBIDDEN,
    "RATE_LIMITED": HTTPStatus.TOO_MANY_REQUESTS,
    UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
}
_DATABASE_AWAY: Final[tuple[type[BaseException], ...]] = (
    ConnectionError,
    TimeoutError,
    socket.gaierror,
    asyncpg.InternalClientError,  # a connection that was ended at an awkward moment
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # it stops, starts, or has called the statement off
    asyncpg.InsufficientResourcesError,  # of connections, memory or disk
    asyncpg.PostgresSystemError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,  # a deadlock was found: whoever was chosen to end it may try again
    asyncpg.IdleInTransactionSessionTimeoutError,  # this process was stopped for too long
    asyncpg.ReadOnlySQLTransactionError,  # another server has become the primary, and this one was not told
    asyncpg.InvalidCachedStatementError,  # tables have changed since the transaction's statements were prepared
)
# The pool takes a lost connection back at once, so that the next statement on it finds it released.
_CLOSED: Final = ("closed", "closing", "has been released")
_SUGGESTION: Final = re.compile(r" Did you mean .*\?$", re.DOTALL)
_LOGGED_PER_REQUEST: Final = 3


class ErrorWriter:
    """Writes each error for the client; logs and counts those that nobody planned for.

    `away` are further exceptions that mean a server of ours cannot be reached. `suggestions` lets validation name
    fields that the client did not ask for.
    """

    def __init__(
        self, *, on_unexpected: Callable[[], None], suggestions: bool, away: tuple[type[BaseException], ...] = ()
    ) -> None:
        self._on_unexpected = on_unexpected
        self._suggestions = suggestions
        self._away = (*_DATABASE_AWAY, *away)

    def of_field(self, error: GraphQLError) -> FormattedError:
        """An error of a document or of one of its fields: the executor's `on_error`."""
        written = dict(error.formatted)
        cause = _root(error)
        # Locations mean that the client's own document or argument is at fault; a scalar that fails to print has none.
        if isinstance(cause, GraphQLError) and (cause.locations or error.path is None):
            written["message"] = self._public(error.message)
            written["extensions"] = {"code": BAD_USER_INPUT}
            return written
        written["message"], written["extensions"] = self._reading(cause)
        return written

    def of_request(self, error: BaseException) -> FormattedError:
        """An error of the request as a whole: nothing ran."""
        message, extensions = self._reading(error)
        written: FormattedError = {"message": message, "extensions": extensions}
        return written

    def _public(self, message: str) -> str:
        return message if self._suggestions else _SUGGESTION.sub("", message)

    def _reading(self, error: BaseException) -> tuple[str, dict[str, object]]:
        if isinstance(error, CallerError):
            return error.message, _facts(error)
        scope = current_scope.get()
        request_id = None if scope is None else scope.request_id
        # A set fails for whatever ended its transaction, as a lost database.
        behind = error.__cause__ if isinstance(error, SetFailed) else error
        if isinstance(behind, self._away) or _says_closed(behind):
            self._note(error, event="server_away")
            return AWAY, {"code": UNAVAILABLE, "retryAfterSeconds": 1, "requestId": request_id}
        self._on_unexpected()
        self._note(error, event="unexpected_error")
        return MASKED, {"code": INTERNAL, "requestId": request_id}

    def _note(self, error: BaseException, *, event: str) -> None:
        """One line with the traceback; a list whose every entry fails does not fill the disk."""
        scope = current_scope.get()
        if scope is not None:
            scope.unexpected += 1
            if scope.unexpected > _LOGGED_PER_REQUEST:
                return
        structlog.get_logger().error(event, exc_info=error)


def _says_closed(error: BaseException | None) -> bool:
    """The driver has one type for a closed connection and for a wrong call; only the message tells them apart."""
    return isinstance(error, asyncpg.InterfaceError) and any(sign in str(error) for sign in _CLOSED)


def code_of(written: Mapping[str, object]) -> str:
    """The code that `ErrorWriter` gave an error."""
    extensions = written.get("extensions")
    code = extensions.get("code") if isinstance(extensions, dict) else None
    return code if isinstance(code, str) else INTERNAL


def _root(error: GraphQLError) -> BaseException:
    cause: BaseException = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def _facts(error: CallerError) -> dict[str, object]:
    facts: dict[str, object] = {"code": error.code}
    if error.path:
        facts["argument"] = ".".join(error.path)
    if isinstance(error, LimitExceeded):
        facts |= {"exceeded": error.what, "requested": error.requested, "limit": error.limit}
    elif isinstance(error, PageSizeRefused):
        facts["argument"] = error.argument
    elif isinstance(error, Unavailable):
        facts["retryAfterSeconds"] = error.retry_after_seconds
    return facts
