"""Health pages, and an end that cuts nothing."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
import websockets

from app.drain import quiet
from app.health import Drain
from tests.app.small import SECRET, small_app
from tests.app.test_http import client_of


async def test_a_process_lives_and_is_ready_while_its_servers_answer() -> None:
    async with client_of(small_app()) as client:
        assert (await client.get("/healthz")).text == "ok\n"
        ready = await client.get("/readyz")
        assert ready.status_code == 200
        assert ready.json() == {"ready": True, "draining": False, "checks": {"database": "ok", "redis": "ok"}}
        metrics = await client.get("/metrics")
        assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")


async def test_a_process_whose_database_is_away_lives_but_is_not_ready() -> None:
    async with client_of(small_app(failing_checks=["database"])) as client:
        assert (await client.get("/healthz")).status_code == 200
        answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"database": "unavailable", "redis": "ok"}
    assert SECRET not in answer.text


async def test_a_process_whose_redis_is_away_is_ready_and_says_so() -> None:
    async with client_of(small_app(failing_checks=["redis"])) as client:
        answer = await client.get("/readyz")
    assert answer.status_code == 200, "every process shares it: all of them would be taken out of service at once"
    assert answer.json() == {"ready": True, "draining": False, "checks": {"database": "ok", "redis": "unavailable"}}
    assert SECRET not in answer.text


async def test_a_draining_process_is_not_ready() -> None:
    small = small_app()
    await small.drain.begin()
    async with client_of(small) as client:
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["draining"]) == (503, True)
        assert (await client.get("/healthz")).status_code == 200


async def test_every_hook_of_the_drain_is_awaited_once_though_one_fails() -> None:
    drain, done = Drain(), Counter[str]()

    async def failing() -> None:
        done["failing"] += 1
        raise RuntimeError

    async def slow() -> None:
        await asyncio.sleep(0.01)
        done["slow"] += 1

    drain.on_drain(failing)
    drain.on_drain(slow)
    await drain.begin()
    await drain.begin()
    assert drain.draining
    assert done == {"failing": 1, "slow": 1}


async def test_the_drain_waits_for_requests_under_way() -> None:
    drain = Drain()
    with drain.request(), pytest.raises(TimeoutError):
        await asyncio.wait_for(drain.finished(), timeout=0.01)
    await asyncio.wait_for(drain.finished(), timeout=1)


# ── a real process ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Running:
    process: "subprocess.Popen[bytes]"
    address: str

    def terminate(self) -> None:
        os.kill(self.process.pid, signal.SIGTERM)


@pytest.fixture
def running() -> Iterator[Running]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "tests.app.small", str(port)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            httpx.get(f"http://127.0.0.1:{port}/healthz")
            break
        except httpx.TransportError:
            time.sleep(0.05)
    yield Running(process, f"127.0.0.1:{port}")
    process.kill()
    process.wait()


BODY = b'{"query": "{ hello }"}'
REQUEST = (
    b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(BODY)
) + BODY


async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Asks once; whether the connection may be used again. An answer that does not come whole raises."""
    writer.write(REQUEST)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    assert head.startswith(b"http/1.1 200")
    length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
    assert b"hello world" in await reader.readexactly(length)
    return b"connection: close" not in head


async def ask_until_refused(address: str, *, keep: bool, outcomes: Counter[str]) -> None:
    """Asks without pause until nothing listens any more; whatever is neither an answer nor a refusal was cut."""
    host, port = address.split(":")
    while True:
        try:
            reader, writer = await asyncio.open_connection(host, int(port))
        except ConnectionRefusedError:
            outcomes["refused"] += 1
            return
        begun = False
        try:
            while await answered(reader, writer):
                begun = True
                outcomes["answered"] += 1
                if not keep:
                    break
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            if isinstance(error, ConnectionResetError) and not begun:
                # What nobody has accepted is reset by the kernel when the listener closes: it was never taken.
                outcomes["refused"] += 1
                return
            outcomes[f"cut: {type(error).__name__}"] += 1
        writer.close()


async def test_sigterm_under_load_cuts_no_request(running: Running) -> None:
    outcomes: Counter[str] = Counter()
    async with asyncio.TaskGroup() as clients:
        for n in range(40):
            clients.create_task(ask_until_refused(running.address, keep=n % 4 != 0, outcomes=outcomes))
        await asyncio.sleep(1)
        running.terminate()
    assert set(outcomes) == {"answered", "refused"}, outcomes
    assert outcomes["answered"] > 100
    assert await asyncio.to_thread(running.process.wait, 15) in {0, -signal.SIGTERM}


async def test_sigterm_lets_a_long_request_finish_and_says_so_meanwhile(running: Running) -> None:
    async with httpx.AsyncClient(timeout=20, base_url=f"http://{running.address}") as client:
        other = httpx.AsyncClient(base_url=f"http://{running.address}")
        assert (await other.get("/readyz")).status_code == 200
        asking = asyncio.create_task(client.post("/graphql", json={"query": "{ slow(seconds: 2) }"}))
        await asyncio.sleep(0.3)
        began = time.monotonic()
        running.terminate()
        await asyncio.sleep(0.3)
        draining = await other.get("/readyz")
        assert draining.status_code == 503
        assert draining.headers["connection"] == "close"
        await other.aclose()
        assert (await asking).json()["data"] == {"slow": "done"}
    await asyncio.to_thread(running.process.wait, 15)
    assert time.monotonic() - began < 5


async def test_sigterm_says_goodbye_to_sockets_with_1001(running: Running) -> None:
    url = f"ws://{running.address}/graphql"
    async with websockets.connect(url, subprotocols=[websockets.Subprotocol("graphql-transport-ws")]) as connection:
        await connection.send('{"type": "connection_init"}')
        assert "connection_ack" in str(await connection.recv())
        running.terminate()
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await asyncio.wait_for(connection.recv(), timeout=5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001


async def test_what_does_not_finish_is_cancelled_within_the_drains_seconds(running: Running) -> None:
    async with httpx.AsyncClient(timeout=30) as client:
        asking = asyncio.create_task(
            client.post(f"http://{running.address}/graphql", json={"query": "{ slow(seconds: 60) }"})
        )
        await asyncio.sleep(0.3)
        began = time.monotonic()
        running.terminate()
        await asyncio.to_thread(running.process.wait, 20)
        assert time.monotonic() - began < 10.5
        with pytest.raises(httpx.TransportError):
            await asking


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the queue is only shortened")
def test_a_quiet_listener_hands_out_what_queues_and_takes_nothing_new() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        early = socket.create_connection(address)
        quiet(listener.fileno())
        with pytest.raises(TimeoutError):
            socket.create_connection(address, timeout=0.3)
        served, _ = listener.accept()
        early.sendall(b"hello")
        assert served.recv(5) == b"hello"
        early.close()
        served.close()
