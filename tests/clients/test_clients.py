"""The clients that people use, each its own node program, against a server in a process of its own."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.requirements import require_node, require_node_packages

HERE = Path(__file__).parent
START_SECONDS = 30
NODE_SECONDS = 90
AUDITS = 61

pytestmark = pytest.mark.node


@dataclass(frozen=True, slots=True)
class Server:
    url: str
    token: str


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    require_node_packages(HERE)
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.app.small", str(port)], stderr=subprocess.DEVNULL, cwd=HERE.parent.parent
    )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}/readyz", process=process)
        yield Server(url=f"http://127.0.0.1:{port}/graphql", token="member-1")
    finally:
        process.terminate()
        process.wait(timeout=15)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_until_ready(url: str, *, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended"
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail("the server was not ready in time")


def run_node(file: str, *, server: Server) -> str:
    done = subprocess.run(
        [str(require_node()), "--test", "--test-reporter=tap", file],
        cwd=HERE,
        env={**os.environ, "LAUREL_URL": server.url, "LAUREL_TOKEN": server.token},
        capture_output=True,
        text=True,
        timeout=NODE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def passed(report: str) -> int:
    found = re.search(r"^# pass (\d+)$", report, re.MULTILINE)
    assert found is not None, report[-2000:]
    return int(found[1])


def test_every_audit_of_graphql_over_http_is_ok(server: Server) -> None:
    assert passed(run_node("audits.test.mjs", server=server)) == AUDITS + 1


def test_apollo_client_queries_writes_persists_and_batches(server: Server) -> None:
    assert passed(run_node("apollo.test.mjs", server=server)) == 6


def test_urql_is_answered_as_json_though_its_accept_names_event_streams(server: Server) -> None:
    assert passed(run_node("urql.test.mjs", server=server)) == 5


def test_graphql_ws_subscribes_asks_and_is_refused(server: Server) -> None:
    assert passed(run_node("sockets.test.mjs", server=server)) == 4
