"""Structured logs: one JSON object per line, with the request, its trace and its operation, and no personal data.

Nothing that a client sent as a value is ever logged: no variables, tokens or headers. What slips into an exception is
masked by its looks (`redact`), and PostgreSQL's DETAIL lines, which quote rows, are left out.
"""

import asyncio
import logging
import re
import sys
import time
import traceback
from collections.abc import MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from types import TracebackType
from typing import Any, Final, TextIO

import orjson
import structlog
from structlog.types import EventDict, Processor, WrappedLogger
from typing_extensions import override

from app.scope import RequestScope, current_scope
from app.settings import Environment, Settings

REDACTED: Final = "[redacted]"
_SECRET_KEYS: Final = frozenset(
    {
        "authorization", "birthday", "body", "cookie", "display_name", "document", "email", "headers", "input",
        "password", "phone", "query", "secret", "token", "variables",
    }
)  # fmt: skip
_LOOKS_SECRET: Final = re.compile(
    r"eyJ[\w-]{8,}(?:\.[\w-]*){1,2}"  # a JWT
    r"|(?i:bearer\s+)\S+"
    r"|(?<=://)[^/\s@]+@"  # user and password of an address
    r"|[\w.+-]+@[\w-]+\.[\w.-]+"  # an e-mail address
    r"|\+?\d[\d -]{8,}\d"  # a phone number, a card
)
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_FRAMES: Final = 30


def redact(text: str) -> str:
    """The text with everything masked that looks like a token, an address or a number of a person. Ids stay."""
    pieces = _UUID.split(text)
    ids = _UUID.findall(text)
    masked = [_LOOKS_SECRET.sub(REDACTED, piece) for piece in pieces]
    return "".join(piece + (ids[i] if i < len(ids) else "") for i, piece in enumerate(masked))


def describe(error: BaseException) -> str:
    """Where and why: the type, the masked first line of the message and the frames, for the whole chain of causes."""
    lines: list[str] = []
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        first = str(cause).partition("\n")[0]
        lines.append(f"{type(cause).__module__}.{type(cause).__qualname__}: {redact(first)}")
        frames = traceback.extract_tb(cause.__traceback__)[-_FRAMES:]
        lines.extend(f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "\n".join(lines)


def configure_logs(settings: Settings, *, stream: TextIO | None = None) -> None:
    """Sends structlog and the standard library's loggers through one renderer, to standard error by default."""
    out = stream or sys.stderr
    level = getattr(logging, settings.log_level.upper())
    render: Processor = _to_json
    if _for_people(settings, out):
        render = structlog.dev.ConsoleRenderer(colors=True)
    structlog.configure(
        processors=[
            _add_scope,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            _describe_exception,
            _redact,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Lines(out),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_ToStructlog(level=level)]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
        library = logging.getLogger(name)
        library.handlers[:] = []
        library.propagate = name != "uvicorn.access"  # ours has the operation's name


class _Lines:
    """Makes the loggers that write lines to one stream."""

    def __init__(self, out: TextIO) -> None:
        self.out = out

    def __call__(self, *_args: object) -> structlog.WriteLogger:
        return structlog.WriteLogger(self.out)


class RequestLines:
    """The one line of each request, written without the processors of other lines: its fields hold nothing to mask.

    Lines of one turn of the event loop are written together. They are the lines that `log.info("request", …)` would
    write, which is how they are written for people.
    """

    def __init__(self) -> None:
        config = structlog.get_config()
        lines, processors = config["logger_factory"], config["processors"]
        self._out = lines.out if isinstance(lines, _Lines) and processors[-1] is _to_json else None
        self._is_on = logging.getLogger().isEnabledFor(logging.INFO)
        self._log = structlog.get_logger().bind()
        self._waiting: list[str] = []
        self._second, self._second_text = 0, ""

    def add(self, scope: RequestScope, *, method: str, status: int, outcome: str, size: int) -> None:
        """Adds the line of a request, with what its scope knows."""
        milliseconds = scope.seconds * 1000
        if self._out is None:
            self._log.info(
                "request",
                method=method,
                status=status,
                outcome=outcome,
                milliseconds=round(milliseconds, 2),
                statements=scope.statements,
                bytes=size,
            )
            return
        if not self._is_on:
            return
        trace = "" if scope.trace is None else f',"trace_id":{_quoted(scope.trace.trace_id)}'
        operation = "" if scope.operation is None else f',"operation":{_quoted(scope.operation)}'
        self._waiting.append(
            f'{{"event":"request","level":"info","method":{_quoted(method)},"status":{status}'
            f',"outcome":{_quoted(outcome)},"milliseconds":{milliseconds:.2f},"statements":{scope.statements}'
            f',"bytes":{size},"request_id":"{scope.request_id}"{trace}{operation},"at":"{self._now()}"}}\n'
        )
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._write)

    def _now(self) -> str:
        second, microseconds = divmod(time.time_ns() // 1000, 1_000_000)
        if second != self._second:
            self._second, self._second_text = second, datetime.fromtimestamp(second, UTC).isoformat()[:19]
        return f"{self._second_text}.{microseconds:06d}Z"

    def _write(self) -> None:
        waiting, self._waiting = self._waiting, []
        assert self._out is not None
        self._out.write("".join(waiting))
        self._out.flush()


@lru_cache(maxsize=1_024)
def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()


def _for_people(settings: Settings, out: TextIO) -> bool:
    if settings.log_format != "auto":
        return settings.log_format == "console"
    return settings.laurel_env is Environment.DEVELOPMENT and out.isatty()


class _ToStructlog(logging.Handler):
    """Carries a library's records into the same lines as ours."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {"logger": record.name}
        if record.exc_info and record.exc_info[1] is not None:
            fields["exc_info"] = record.exc_info
        log = structlog.get_logger()
        log.log(record.levelno, redact(record.getMessage()), **fields)


def _add_scope(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    scope = current_scope.get()
    if scope is not None:
        event.setdefault("request_id", scope.request_id)
        if scope.trace is not None:
            event.setdefault("trace_id", scope.trace.trace_id)
        if scope.operation is not None:
            event.setdefault("operation", scope.operation)
    return event


def _describe_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["exception"] = describe(error)
    return event


def _redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key in _SECRET_KEYS.intersection(event):
        event[key] = REDACTED
    return event


def _to_json(_logger: WrappedLogger, _method: str, event: MutableMapping[str, Any]) -> str:
    return orjson.dumps(event, default=_unknown).decode()


def _unknown(value: object) -> str:
    return redact(str(value))


def log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """For `sys.excepthook`: what ends the process is a line like any other."""
    del kind, trace
    structlog.get_logger().critical("uncaught", exc_info=error)
