"""OpenTelemetry spans of requests, operations and SQL statements, when an endpoint for them is set.

Nothing of OpenTelemetry is imported otherwise: `open_tracing` returns None, and callers hold no tracer. A span
carries names and sizes, never a variable, a literal or an argument of a statement.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from app.scope import RequestScope, TraceParent, current_scope
from app.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

_STATEMENT_NAME = re.compile(r"\(?[A-Z]+ /\* (\w+) \*/")


class LoggedStatement(Protocol):
    """What asyncpg tells a query logger."""

    @property
    def query(self) -> str:
        """The statement; ours have their name in a comment behind their first word."""
        ...

    @property
    def elapsed(self) -> float:
        """Seconds."""
        ...

    @property
    def exception(self) -> BaseException | None:
        """Why it failed, if it did."""
        ...


class Tracing:
    """Makes spans and hands them to the exporter."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry import trace

        self._api = trace
        self._provider = provider
        self._tracer = provider.get_tracer("laurel")

    @contextmanager
    def request(self, scope: RequestScope, *, method: str) -> Iterator[None]:
        """The span of one HTTP request, a child of the caller's own if it sent one. Gives the scope its trace."""
        with self._tracer.start_as_current_span(
            f"{method} /graphql",
            context=self._caller(scope.trace),
            kind=self._api.SpanKind.SERVER,
            attributes={"http.request.method": method, "laurel.request_id": scope.request_id},
        ) as span:
            place = span.get_span_context()
            scope.trace = TraceParent(
                trace_id=f"{place.trace_id:032x}",
                span_id=f"{place.span_id:016x}",
                sampled=place.trace_flags.sampled,
            )
            yield
            span.update_name(f"{method} /graphql {scope.operation or ''}".rstrip())

    @contextmanager
    def operation(self, name: str, *, kind: str) -> Iterator[None]:
        """The span of running one operation."""
        with self._tracer.start_as_current_span(
            f"{kind} {name}", attributes={"graphql.operation.name": name, "graphql.operation.type": kind}
        ):
            yield

    def statement(self, logged: LoggedStatement) -> None:
        """The span of one SQL statement that has ended; a query logger of asyncpg (see `instrument`)."""
        if current_scope.get() is None:
            return
        ended_at = time.time_ns()
        name = _statement_name(logged.query)
        span = self._tracer.start_span(
            f"sql {name}",
            kind=self._api.SpanKind.CLIENT,
            start_time=ended_at - int(logged.elapsed * 1e9),
            attributes={"db.system.name": "postgresql", "db.operation.name": name},
        )
        if logged.exception is not None:
            span.set_status(self._api.Status(self._api.StatusCode.ERROR, type(logged.exception).__name__))
        span.end(ended_at)

    def instrument(self, connection: Any) -> None:
        """Reports each statement of a new connection; called by the pool's `init`."""
        connection.add_query_logger(self.statement)

    def close(self) -> None:
        """Sends what is left and ends the exporter's thread."""
        self._provider.shutdown()

    def _caller(self, trace: TraceParent | None) -> Any:
        if trace is None:
            return None
        place = self._api.SpanContext(
            trace_id=int(trace.trace_id, 16),
            span_id=int(trace.span_id, 16),
            is_remote=True,
            trace_flags=self._api.TraceFlags(int(trace.sampled)),
        )
        return self._api.set_span_in_context(self._api.NonRecordingSpan(place))


def open_tracing(settings: Settings) -> Tracing | None:
    """Tracing to the endpoint of the settings, or None. The SDK reads its other variables (sampler, headers) itself."""
    endpoint = settings.otel_exporter_otlp_endpoint
    if endpoint is None:
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    return tracing_to(BatchSpanProcessor(exporter))


def tracing_to(processor: "SpanProcessor") -> Tracing:
    """Tracing that hands its spans to this processor."""
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider

    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: "laurel"}))
    provider.add_span_processor(processor)
    return Tracing(provider)


def _statement_name(query: str) -> str:
    named = _STATEMENT_NAME.match(query)
    if named is not None:
        return named[1]
    return query.split(None, 1)[0].upper() if query.strip() else "statement"
