"""Traces: spans of requests, operations and statements below the caller's own; nothing imported without an endpoint."""

import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from app.scope import RequestScope, scoped
from app.settings import Settings
from app.tracing import Tracing, open_tracing, tracing_to
from tests.app.small import small_app
from tests.app.test_http import ask, client_of

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


@dataclass(frozen=True, slots=True)
class Traced:
    tracing: Tracing
    spans: "InMemorySpanExporter"


@dataclass(frozen=True, slots=True)
class Logged:
    query: str
    elapsed: float = 0.01
    exception: BaseException | None = None


@pytest.fixture
def traced() -> Traced:
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    spans = InMemorySpanExporter()
    return Traced(tracing_to(SimpleSpanProcessor(spans)), spans)


async def test_a_request_and_its_operation_are_spans_below_the_callers(traced: Traced) -> None:
    async with client_of(small_app(tracing=traced.tracing)) as client:
        await ask(
            client,
            "query Greeting($n: String!) { hello(name: $n) }",
            variables={"n": "wang-fang"},
            headers={"traceparent": f"00-{'c' * 32}-{'d' * 16}-01"},
        )
    operation, request = traced.spans.get_finished_spans()
    assert operation.name == "query Greeting"
    assert request.name == "POST /graphql Greeting"
    assert operation.parent is not None
    assert operation.parent.span_id == request.context.span_id
    assert request.parent is not None
    assert f"{request.parent.span_id:016x}" == "d" * 16
    assert f"{request.context.trace_id:032x}" == "c" * 32
    assert "wang-fang" not in request.to_json() + operation.to_json()


async def test_a_request_without_a_trace_begins_one(traced: Traced) -> None:
    async with client_of(small_app(tracing=traced.tracing)) as client:
        await ask(client, "{ hello }")
    request = traced.spans.get_finished_spans()[-1]
    assert request.parent is None
    assert request.context.trace_id


def test_a_statement_is_a_span_by_its_name_without_its_text(traced: Traced) -> None:
    with scoped(RequestScope(request_id="r-1")):
        traced.tracing.statement(Logged("SELECT /* coupons_by_member */ phone FROM members WHERE id = $1"))
        traced.tracing.statement(Logged("BEGIN", exception=ConnectionResetError()))
    named, begin = traced.spans.get_finished_spans()
    assert (named.name, begin.name) == ("sql coupons_by_member", "sql BEGIN")
    assert "phone" not in named.to_json()
    assert named.end_time is not None
    assert named.start_time is not None
    assert named.end_time - named.start_time == pytest.approx(10_000_000, rel=0.01)
    assert begin.status.description == "ConnectionResetError"


def test_statements_outside_of_requests_make_no_spans(traced: Traced) -> None:
    traced.tracing.statement(Logged("SELECT /* relay */ 1"))
    assert traced.spans.get_finished_spans() == ()


def test_without_an_endpoint_there_is_no_tracing() -> None:
    assert open_tracing(Settings(otel_exporter_otlp_endpoint=None)) is None


def test_without_an_endpoint_nothing_of_opentelemetry_is_imported() -> None:
    code = (
        "import sys; import tests.app.small; from app.tracing import open_tracing; from app.settings import Settings;"
        "open_tracing(Settings(otel_exporter_otlp_endpoint=None)); tests.app.small.small_app();"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
