"""Logs: one JSON object per line, with the request's names and nobody's data."""

import asyncio
import io
import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson
import pytest
import structlog

from app.http.endpoint import EndpointOptions
from app.logs import REDACTED, RequestLines, configure_logs, describe, redact
from app.scope import RequestScope, TraceParent, scoped, trace_parent
from app.settings import Settings
from tests.app.small import small_app
from tests.app.test_http import ask, client_of

TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJtZW1iZXItNyJ9.c2lnbmF0dXJlLW9mLWl0"
UUID_TEXT = "01979a3b-1234-7123-8123-123456789012"

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """The lines that were written since, as objects."""
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logs(Settings(log_format="json"), stream=stream)
    yield lambda: [orjson.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_carries_the_request_its_trace_and_its_operation(lines: Lines) -> None:
    trace = TraceParent(trace_id="a" * 32, span_id="b" * 16, sampled=True)
    with scoped(RequestScope(request_id="r-1", trace=trace, operation="Wallet")):
        structlog.get_logger().info("something", count=3)
    (line,) = lines()
    assert line["at"].endswith("Z")
    del line["at"]
    assert line == {
        "event": "something", "level": "info", "count": 3,
        "request_id": "r-1", "trace_id": "a" * 32, "operation": "Wallet",
    }  # fmt: skip


def test_below_the_level_nothing_is_written(lines: Lines) -> None:
    structlog.get_logger().debug("detail")
    logging.getLogger("some.library").debug("detail")
    assert lines() == []


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"token {TOKEN} refused", f"token {REDACTED} refused"),
        (f"Authorization: Bearer {TOKEN}", f"Authorization: {REDACTED}"),
        ("call 13812345678 or +86 138 1234 5678", f"call {REDACTED} or {REDACTED}"),
        ("to wang.fang+coupons@example.com", f"to {REDACTED}"),
        ("postgresql://laurel:hunter2@db:5432/laurel", f"postgresql://{REDACTED}db:5432/laurel"),
        (f"coupon {UUID_TEXT} is gone", f"coupon {UUID_TEXT} is gone"),
        ("took 1234 ms for 20 rows", "took 1234 ms for 20 rows"),
    ],
)
def test_what_looks_like_a_person_or_a_secret_is_masked_and_ids_stay(text: str, kept: str) -> None:
    assert redact(text) == kept


def test_fields_that_hold_values_of_clients_are_masked_by_their_name(lines: Lines) -> None:
    structlog.get_logger().info("x", variables={"phone": "13812345678"}, token=TOKEN, phone="13812345678")
    (line,) = lines()
    assert line["variables"] == line["token"] == line["phone"] == REDACTED


def test_an_exception_is_described_without_the_rows_that_postgresql_quotes() -> None:
    error = asyncpg.UniqueViolationError("duplicate key value violates unique constraint")
    error.detail = "Key (phone)=(13812345678) already exists."
    text = describe(error)
    assert "duplicate key" in text
    assert "138" not in text


def test_a_chain_of_causes_is_described_once_and_masked() -> None:
    def failing() -> None:
        phones: dict[str, str] = {}
        try:
            phones["13812345678"]
        except KeyError as cause:
            raise RuntimeError("wrapped") from cause

    with pytest.raises(RuntimeError) as wrapped:
        failing()
    text = describe(wrapped.value)
    assert "builtins.RuntimeError: wrapped" in text
    assert "builtins.KeyError" in text
    assert "138" not in text
    assert f"{__file__}:" in text


def test_the_lines_of_libraries_have_the_same_form(lines: Lines) -> None:
    logging.getLogger("uvicorn.error").warning("lost 13812345678")
    (line,) = lines()
    assert (line["logger"], line["level"], line["event"]) == ("uvicorn.error", "warning", f"lost {REDACTED}")


async def test_a_request_leaves_one_line_without_its_variables(lines: Lines) -> None:
    small = small_app()
    async with client_of(small) as client:
        await ask(
            client,
            "query Greeting($n: String!) { hello(name: $n) }",
            variables={"n": "wang-fang"},
            headers={
                "authorization": "Bearer member-13812345678",
                "traceparent": f"00-{'c' * 32}-{'d' * 16}-01",
                "x-request-id": "request-1",
            },
        )
    await asyncio.sleep(0)  # lines of one turn of the loop are written together
    (line,) = [line for line in lines() if line["event"] == "request"]
    assert line["operation"] == "Greeting"
    assert line["trace_id"] == "c" * 32
    assert line["request_id"] == "request-1"
    assert (line["status"], line["outcome"], line["method"]) == (200, "ok", "POST")
    assert "wang-fang" not in str(lines())
    assert "138" not in str(line)


async def test_the_line_of_a_request_has_the_form_of_every_other(lines: Lines) -> None:
    trace = TraceParent(trace_id="a" * 32, span_id="b" * 16, sampled=True)
    told: dict[str, Any] = {"method": "POST", "status": 200, "outcome": 'o"k'}
    with scoped(RequestScope(request_id="r-1", trace=trace, operation="Wallet")) as scope:
        before = datetime.fromtimestamp(time.time(), UTC)
        structlog.get_logger().info("request", **told, milliseconds=1.25, statements=0, bytes=7)
        RequestLines().add(scope, **told, size=7)
        after = datetime.fromtimestamp(time.time(), UTC)
    await asyncio.sleep(0)
    one, other = lines()
    assert all(before <= datetime.fromisoformat(line["at"]) <= after for line in (one, other))
    assert [len(line.pop("at")) for line in (one, other)] == [27, 27]
    assert isinstance(other.pop("milliseconds"), float)
    del one["milliseconds"]
    assert one == other


async def test_lines_of_requests_are_left_out_above_their_level() -> None:
    stream = io.StringIO()
    configure_logs(Settings(log_format="json", log_level="warning"), stream=stream)
    async with client_of(small_app()) as client:
        await ask(client, "{ hello }")
    structlog.reset_defaults()
    logging.getLogger().setLevel(logging.WARNING)
    assert stream.getvalue() == ""


async def test_a_masked_error_is_logged_with_the_request_id_that_the_client_was_given(lines: Lines) -> None:
    async with client_of(small_app()) as client:
        answer = await ask(client, "query Broken { broken }")
    (line,) = [line for line in lines() if line["event"] == "unexpected_error"]
    assert line["request_id"] == answer.json()["errors"][0]["extensions"]["requestId"]
    assert line["operation"] == "Broken"
    assert "RuntimeError" in line["exception"]


async def test_a_list_of_failures_is_logged_a_few_times(lines: Lines) -> None:
    aliases = " ".join(f"a{n}: broken" for n in range(15))
    async with client_of(small_app()) as client:
        assert len((await ask(client, f"{{ {aliases} }}")).json()["errors"]) == 15
    assert len([line for line in lines() if line["event"] == "unexpected_error"]) == 3


async def test_successes_are_sampled_and_failures_never(lines: Lines) -> None:
    async with client_of(small_app(options=EndpointOptions(log_sample=0))) as client:
        await ask(client, "{ hello }")
        await ask(client, "{ refused }")
    await asyncio.sleep(0)
    assert [line["outcome"] for line in lines() if line["event"] == "request"] == ["bad_user_input"]


@pytest.mark.parametrize(
    "header",
    [b"", b"00-abc", b"00-" + b"0" * 32 + b"-" + b"1" * 16 + b"-01", b"00-" + b"G" * 32 + b"-" + b"1" * 16 + b"-01"],
)
def test_a_malformed_traceparent_is_ignored(header: bytes) -> None:
    assert trace_parent(header) is None


def test_a_traceparent_is_read() -> None:
    found = trace_parent(b"00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-00")
    assert found == TraceParent(trace_id="1" * 32, span_id="2" * 16, sampled=False)
