"""The short way of a POST through uvicorn's protocol: one write, and otherwise nothing that a client could tell."""

import asyncio
from collections.abc import AsyncIterator, Callable

import orjson
import pytest
import uvicorn
from typing_extensions import override
from uvicorn.server import ServerState

from app.http.endpoint import EndpointOptions
from app.http.protocol import DirectProtocol
from tests.app.small import Small, small_app

CRLF = b"\r\n"


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 50_000), "sockname": ("127.0.0.1", 80)})
        self.writes: list[bytes] = []
        self.closed = False
        self._written = asyncio.Event()

    async def written(self) -> None:
        """Waits for the next write."""
        self._written.clear()
        await self._written.wait()

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed, "written to a closed connection"
        self.writes.append(bytes(data))
        self._written.set()

    @override
    def close(self) -> None:
        self.closed = True

    @override
    def is_closing(self) -> bool:
        return self.closed

    @override
    def pause_reading(self) -> None: ...

    @override
    def resume_reading(self) -> None: ...


class Connection:
    """A client's end of one connection to the small application."""

    def __init__(self, small: Small) -> None:
        self.small = small
        self.state = ServerState()
        config = uvicorn.Config(
            small.app, log_config=None, lifespan="off", server_header=False, date_header=False, proxy_headers=False
        )
        self.protocol = DirectProtocol(config, self.state, {}, asyncio.get_running_loop())
        self.wire = Wire()
        self.protocol.connection_made(self.wire)

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.protocol.data_received(piece)

    async def answers(self, count: int = 1) -> list[tuple[int, dict[bytes, bytes], bytes]]:
        """Waits for so many answers: status, headers and body of each."""
        async with asyncio.timeout(5):
            while len(found := parsed(b"".join(self.wire.writes))) < count:
                await self.wire.written()
        return found


def parsed(data: bytes) -> list[tuple[int, dict[bytes, bytes], bytes]]:
    found = []
    while CRLF * 2 in data:
        head, _, data = data.partition(CRLF * 2)
        first, *lines = head.split(CRLF)
        headers = dict(line.split(b": ", 1) for line in lines)
        length = int(headers[b"content-length"])
        if len(data) < length:
            break
        found.append((int(first.split()[1]), headers, data[:length]))
        data = data[length:]
    return found


def post(query: str, *headers: bytes, body: bytes | None = None, path: bytes = b"/graphql") -> bytes:
    content = orjson.dumps({"query": query}) if body is None else body
    lines = [b"POST %b HTTP/1.1" % path, b"Host: x", b"Content-Type: application/json", *headers]
    return CRLF.join([*lines, b"Content-Length: %d" % len(content), b"", content])


@pytest.fixture
async def connection() -> AsyncIterator[Connection]:
    opened = Connection(small_app(options=EndpointOptions(body_bytes=2_000)))
    yield opened
    assert opened.small.drain.under_way == 0


async def test_an_answer_is_one_write(connection: Connection) -> None:
    connection.send(post("{ hello }"))
    ((status, headers, body),) = await connection.answers()
    assert len(connection.wire.writes) == 1
    assert (status, orjson.loads(body)["data"]) == (200, {"hello": "hello world"})
    assert headers[b"cache-control"] == b"no-store"
    assert not connection.wire.closed


async def test_a_request_in_pieces_is_answered_once_it_is_whole(connection: Connection) -> None:
    request = post("{ hello }")
    connection.send(*(request[at : at + 1] for at in range(len(request) - 1)))
    await asyncio.sleep(0.01)
    assert connection.wire.writes == []
    connection.send(request[-1:])
    ((status, _, _),) = await connection.answers()
    assert status == 200


@pytest.mark.parametrize(
    "request_",
    [
        post("{ hello }"),
        post("{ nothing }"),
        post("{", b"Accept: application/graphql-response+json"),
        post("{ hello }", b"Accept: text/event-stream"),
        post("{ who }", b"Authorization: Bearer forged"),
        post("{ who }", b"Authorization: Bearer member-1"),
        post("{ broken }", b"X-Request-Id: request-1"),
        post("{ hello }", b"Content-Type: text/plain"),
        post("", body=b"[]"),
        post("", body=b""),
        post("", body=b'[{"query": "{ hello }"}, {"query": "{ who }"}]'),
    ],
)
async def test_both_ways_give_the_same_answer(connection: Connection, request_: bytes) -> None:
    connection.send(request_)
    (direct,) = await connection.answers()
    # A query string is not the short way's to read.
    other = Connection(connection.small)
    other.send(request_.replace(b"/graphql ", b"/graphql?a=b ", 1))
    (long,) = await other.answers()
    assert [type(way.protocol.cycle).__name__ for way in (connection, other)] == ["Exchange", "RequestResponseCycle"]
    for _, headers, _ in (direct, long):
        headers.pop(b"x-request-id")
        headers.pop(b"content-length")
    assert direct[:2] == long[:2]
    one, two = (orjson.loads(body) for _, _, body in (direct, long))
    for body in (one, two):
        for error in body.get("errors", ()) if isinstance(body, dict) else ():
            error["extensions"].pop("requestId", None)
    assert one == two


async def test_requests_sent_without_waiting_are_answered_in_order(connection: Connection) -> None:
    asked = [
        post("{ slow(seconds: 0.05) }"),
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        post("{ hello }"),
        post("{ hello }", path=b"/graphql?a=b"),
        post("{ slow(seconds: 0.01) }"),
        post("{ shop { name } }"),
    ]
    connection.send(b"".join(asked))
    bodies = [body for _, _, body in await connection.answers(len(asked))]
    assert [b"done" in bodies[0], bodies[1], b"hello" in bodies[2]] == [True, b"ok\n", True]
    assert [b"hello" in bodies[3], b"done" in bodies[4], b"corner" in bodies[5]] == [True, True, True]


async def test_a_request_that_comes_in_while_one_runs_waits_until_it_is_whole(connection: Connection) -> None:
    second = post("{ hello }")
    connection.send(post("{ slow(seconds: 0.02) }") + second[:-3])
    await connection.answers(1)
    await asyncio.sleep(0.02)
    assert len(await connection.answers(1)) == 1
    connection.send(second[-3:])
    _, (status, _, body) = await connection.answers(2)
    assert (status, b"hello world" in body) == (200, True)


async def test_a_body_of_unknown_length_is_read_the_long_way(connection: Connection) -> None:
    body = orjson.dumps({"query": "{ hello }"})
    connection.send(
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    )
    ((status, _, answer),) = await connection.answers()
    assert (status, b"hello world" in answer) == (200, True)


async def test_a_client_that_asks_whether_it_may_send_is_told_to(connection: Connection) -> None:
    request = post("{ hello }", b"Expect: 100-continue")
    head, _, body = request.partition(CRLF * 2)
    connection.send(head + CRLF * 2)
    async with asyncio.timeout(5):
        await connection.wire.written()
    assert connection.wire.writes.pop() == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.send(body)
    ((status, _, _),) = await connection.answers()
    assert status == 200


async def test_a_body_that_is_declared_too_large_is_refused_unread(connection: Connection) -> None:
    request = post("", body=b" " * 2_001)
    connection.send(request[:-2_001])
    ((status, _, _),) = await connection.answers()
    assert status == 413


@pytest.mark.parametrize(
    ("request_", "is_told"),
    [
        (post("{ hello }", b"Connection: close"), True),
        (post("{ hello }").replace(b"HTTP/1.1", b"HTTP/1.0"), True),
        (post("{ hello }"), False),
    ],
)
async def test_a_connection_ends_where_the_client_wants_it_to(
    connection: Connection, request_: bytes, *, is_told: bool
) -> None:
    connection.send(request_)
    ((_, headers, _),) = await connection.answers()
    assert (headers.get(b"connection") == b"close", connection.wire.closed) == (is_told, is_told)


async def test_a_process_that_drains_ends_the_connection_with_its_answer(connection: Connection) -> None:
    connection.send(post("{ slow(seconds: 0.02) }"))
    await asyncio.sleep(0)
    connection.protocol.shutdown()
    connection.state.default_headers = [(b"connection", b"close")]
    ((status, headers, _),) = await connection.answers()
    assert (status, headers[b"connection"], connection.wire.closed) == (200, b"close", True)


async def test_a_process_that_drains_says_so_once_on_every_answer(connection: Connection) -> None:
    connection.state.default_headers = [(b"connection", b"close")]
    connection.send(post("{ hello }", b"Connection: close"))
    await connection.answers()
    assert b"".join(connection.wire.writes).count(b"connection: close") == 1
    other = Connection(connection.small)
    other.state.default_headers = connection.state.default_headers
    other.send(post("{ hello }"))
    await other.answers()
    assert other.wire.closed


@pytest.mark.parametrize("second", [b"Content-Length: 3", b"Transfer-Encoding: chunked"])
async def test_a_request_of_two_lengths_is_refused(connection: Connection, second: bytes) -> None:
    connection.send(post("{ hello }", second))
    assert connection.wire.writes[0].startswith(b"HTTP/1.1 400")
    assert connection.wire.closed


async def test_a_client_that_leaves_is_not_written_to(connection: Connection) -> None:
    connection.send(post("{ slow(seconds: 0.02) }"))
    await asyncio.sleep(0)
    connection.protocol.connection_lost(None)
    await asyncio.gather(*connection.state.tasks)
    assert connection.wire.writes == []


async def test_a_client_that_leaves_before_its_body_is_whole_starts_nothing(connection: Connection) -> None:
    connection.send(post("{ hello }")[:-1])
    connection.protocol.connection_lost(None)
    assert (connection.state.tasks, connection.wire.writes) == (set(), [])


async def test_what_the_endpoint_did_not_expect_is_500_and_ends_the_connection(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_request: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(
        connection.protocol, "endpoint", type("Broken", (), {"reply": staticmethod(broken), "body_limit": 99})
    )
    connection.send(post("{ hello }"))
    ((status, headers, _),) = await connection.answers()
    assert (status, headers[b"connection"], connection.wire.closed) == (500, b"close", True)


async def test_bytes_that_are_no_http_are_refused(connection: Connection) -> None:
    connection.send(b"\x16\x03\x01 hello\r\n\r\n")
    assert connection.wire.writes[0].startswith(b"HTTP/1.1 400")


async def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come about")


async def test_a_connection_is_closed_when_it_was_idle_for_long_enough(connection: Connection) -> None:
    protocol = connection.protocol
    protocol.timeout_keep_alive = 0.2  # type: ignore[assignment]  # seconds, of which uvicorn wants whole ones
    connection.send(post("{ hello }"))
    await connection.answers()
    await asyncio.sleep(0.12)
    connection.send(post("{ hello }"))  # the time begins anew: the alarm of the first answer closes nothing
    await connection.answers(2)
    await asyncio.sleep(0.12)
    assert not connection.wire.closed
    await wait_until(lambda: connection.wire.closed)


async def test_a_connection_on_which_a_request_is_coming_in_is_not_idle(connection: Connection) -> None:
    connection.protocol.timeout_keep_alive = 0.05  # type: ignore[assignment]  # as above
    request = post("{ hello }")
    connection.send(request)
    await connection.answers()
    connection.send(request[:10])
    await asyncio.sleep(0.2)
    assert not connection.wire.closed
    connection.send(request[10:])
    await connection.answers(2)


async def test_a_connection_that_is_gone_leaves_no_alarm(connection: Connection) -> None:
    connection.send(post("{ hello }"))
    await connection.answers()
    alarm = connection.protocol.timeout_keep_alive_task
    assert alarm is not None
    connection.protocol.connection_lost(None)
    assert alarm.cancelled()
