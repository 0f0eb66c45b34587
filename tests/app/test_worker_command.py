"""`python -m app worker` as it is run: what it finds is on its own page of metrics."""

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from tests.laurel import START_SECONDS, free_port, start

NOTHING_BROKEN = 'laurel_invariant_violations{invariant="coupon_codes_are_unique"} 0.0'
ONE_BROKEN = 'laurel_invariant_violations{invariant="stock_matches_coupons"} 1.0'


@pytest.fixture
def environment(tmp_path: Path, database_url: str, redis_url: str) -> dict[str, str]:
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    return {**os.environ, **servers, "DATA_DIR": str(tmp_path), "WORKER_METRICS_PORT": str(free_port())}


@pytest.fixture
def worker(environment: dict[str, str], database_url: str) -> Iterator["subprocess.Popen[bytes]"]:
    asyncio.run(lose_a_coupon(database_url))
    process = start("worker", environment=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield process
    process.kill()
    process.wait()


async def lose_a_coupon(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute("INSERT INTO coupon_template_stock VALUES (gen_random_uuid(), 5, 4)")
    await connection.close()


def test_a_worker_on_its_own_tells_what_breaks_an_invariant_and_ends_in_order(
    worker: "subprocess.Popen[bytes]", environment: dict[str, str]
) -> None:
    page = f"http://127.0.0.1:{environment['WORKER_METRICS_PORT']}/metrics"
    deadline = time.monotonic() + START_SECONDS
    shown = ""
    while ONE_BROKEN not in shown or NOTHING_BROKEN not in shown:
        assert worker.poll() is None, "it ended"
        assert time.monotonic() < deadline, "it never looked"
        try:
            shown = httpx.get(page).text
        except httpx.TransportError:
            shown = ""
        time.sleep(0.1)
    assert "laurel_outbox_relays 1.0" in shown
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=START_SECONDS) == 0


def test_a_port_in_use_is_one_line(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", int(environment["WORKER_METRICS_PORT"]))):
        process = start("worker", environment=environment)
        _, errors = process.communicate(timeout=START_SECONDS)
    assert process.returncode == 1
    assert errors.decode().splitlines()[-1].startswith("laurel: cannot show metrics on 127.0.0.1:")
