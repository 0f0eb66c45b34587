"""`python -m app serve`: one clear line when it cannot, nothing left behind when it ends, however it ends."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.laurel import START_SECONDS, Laurel, free_port, running_laurel, start, wait_until_ready

DIES_WITHIN_SECONDS = 10


@pytest.fixture
def laurel(tmp_path: Path) -> Iterator[Laurel]:
    with running_laurel(tmp_path, workers=2) as running:
        yield running


def environment(tmp_path: Path, **settings: str) -> dict[str, str]:
    return {**os.environ, "DATA_DIR": str(tmp_path), "DEMO": "0", **settings}


def ended(process: "subprocess.Popen[bytes]") -> tuple[int, list[str]]:
    _, errors = process.communicate(timeout=START_SECONDS)
    return process.returncode, errors.decode().splitlines()


def children(laurel: Laurel) -> list[psutil.Process]:
    return psutil.Process(laurel.process.pid).children(recursive=True)


def wait_until_gone(processes: list[psutil.Process]) -> None:
    deadline = time.monotonic() + DIES_WITHIN_SECONDS
    while any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes):
        assert time.monotonic() < deadline, "a process outlives its parent"
        time.sleep(0.05)


def test_a_port_in_use_is_one_line_and_status_1(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, lines = ended(start("serve", environment=environment(tmp_path, PORT=str(port))))
    assert status == 1
    assert len(lines) == 1
    assert f"cannot listen on 127.0.0.1:{port}" in lines[0]
    assert not (tmp_path / "servers.json").exists(), "nothing was half-started"


def test_an_unreachable_database_is_one_line_that_shows_no_password(tmp_path: Path) -> None:
    port = str(free_port())
    url = f"postgresql://laurel:secret@127.0.0.1:{free_port()}/laurel"
    given = environment(tmp_path, PORT=port, DATABASE_URL=url, REDIS_URL="redis://127.0.0.1:1")
    status, lines = ended(start("serve", environment=given))
    assert status == 1
    assert len(lines) == 1
    assert "PostgreSQL at 127.0.0.1" in lines[0]
    assert "secret" not in lines[0]


def test_an_unreachable_redis_is_one_line(tmp_path: Path, database_url: str) -> None:
    given = environment(
        tmp_path, PORT=str(free_port()), DATABASE_URL=database_url, REDIS_URL=f"redis://127.0.0.1:{free_port()}"
    )
    status, lines = ended(start("serve", environment=given))
    assert status == 1
    assert len(lines) == 1
    assert "Redis at 127.0.0.1" in lines[0]


def test_a_bad_setting_is_one_line(tmp_path: Path) -> None:
    status, lines = ended(start("serve", environment=environment(tmp_path, WORKERS="many")))
    assert status == 1
    assert len(lines) == 1
    assert "WORKERS" in lines[0]


def test_ctrl_c_stops_everything_with_status_0(laurel: Laurel) -> None:
    processes = children(laurel)
    assert len(processes) >= 2
    assert laurel.stop() == 0
    wait_until_gone(processes)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not keep processes to cores")
@pytest.mark.parametrize("all_cores", [True, False])
def test_serve_starts_a_process_for_each_core(
    tmp_path: Path, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, all_cores: bool
) -> None:
    monkeypatch.delenv("WORKERS", raising=False)
    port, mine = free_port(), os.sched_getaffinity(0)
    cores = mine if all_cores else {min(mine)}
    given = environment(tmp_path, PORT=str(port), DATABASE_URL=database_url, REDIS_URL=redis_url, RUN_WORKER="0")
    os.sched_setaffinity(0, cores)  # what it starts is kept to the same
    try:
        process = start("serve", environment=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    finally:
        os.sched_setaffinity(0, mine)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}/readyz", process=process)
        assert len(psutil.Process(process.pid).children()) == len(cores)
    finally:
        process.terminate()
        process.wait(timeout=START_SECONDS)


def test_plans_are_counted_over_all_processes(laurel: Laurel) -> None:
    with httpx.Client() as client:
        for _ in range(12):
            client.post(laurel.url, json={"query": "query Ping { __typename }"}).raise_for_status()
    deadline = time.monotonic() + DIES_WITHIN_SECONDS
    while True:
        page = httpx.get(f"{laurel.base}/metrics").text
        counts = {
            line.split()[0]: float(line.split()[1]) for line in page.splitlines() if line.startswith("laurel_plan")
        }
        misses = counts.get('laurel_plans_total{result="miss"}', 0)
        if misses + counts.get('laurel_plans_total{result="hit"}', 0) == 12:
            break
        assert time.monotonic() < deadline, counts
        time.sleep(0.05)
    assert 1 <= misses <= 2, "once in each process"
    is_reference = os.environ.get("LAUREL_EXECUTION") == "reference"
    assert counts["laurel_plans_compiled_total"] == (0 if is_reference else misses)


def test_kill_9_of_the_parent_leaves_no_orphan(laurel: Laurel) -> None:
    processes = children(laurel)
    laurel.process.kill()
    laurel.process.wait()
    wait_until_gone(processes)


def test_kill_9_of_the_parent_while_its_processes_start_leaves_no_orphan(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    # A parent that dies between its forks and its children's first breath: they have its signal handlers then.
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "WORKERS": "1"}
    for wait_seconds in (0.0, 0.05, 0.2):
        given = environment(tmp_path, PORT=str(free_port()), **servers)
        process = start("serve", environment=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        parent = psutil.Process(process.pid)
        deadline = time.monotonic() + START_SECONDS
        while not (forked := [c for c in parent.children() if c.name() == parent.name()]):
            assert time.monotonic() < deadline, "no server process was started"
            time.sleep(0.005)
        time.sleep(wait_seconds)
        process.kill()
        process.wait()
        wait_until_gone(forked)


def test_a_server_process_that_is_killed_is_replaced(laurel: Laurel) -> None:
    victim, *_ = children(laurel)
    victim.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + START_SECONDS
    while len([c for c in children(laurel) if c.pid != victim.pid and c.status() != psutil.STATUS_ZOMBIE]) < 2:
        assert time.monotonic() < deadline, "nobody took its place"
        time.sleep(0.1)
    assert httpx.get(f"{laurel.base}/readyz").status_code == httpx.codes.OK


def test_servers_that_are_killed_while_it_starts_are_started_again_by_it(tmp_path: Path) -> None:
    port = free_port()
    process = start("serve", environment=environment(tmp_path, PORT=str(port), RUN_WORKER="0"))
    try:
        for told in ("processes", "urls"):  # while the application is imported; and while the database is prepared
            state = wait_for_state(tmp_path, told=told)
            for server in state["processes"]:
                os.kill(server["pid"], signal.SIGKILL)
        wait_until_ready(f"http://127.0.0.1:{port}/readyz", process=process)
    finally:
        process.send_signal(signal.SIGTERM)
        status, lines = ended(process)
    assert status == 0
    assert not any("Traceback" in line for line in lines)


def wait_for_state(data_dir: Path, *, told: str) -> dict[str, Any]:
    """What `serve` says of the servers it starts, as soon as it says this."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            state: dict[str, Any] = json.loads((data_dir / "servers.json").read_bytes())
        except (FileNotFoundError, ValueError):
            state = {}
        if state.get(told) and len(state["processes"]) == 2:
            return state
        assert time.monotonic() < deadline, f"no {told} are told"
        time.sleep(0.005)


def test_a_token_for_each_audience_is_printed_and_works(laurel: Laurel) -> None:
    for arguments in (("member", "--ref", "m"), ("operator",), ("service",)):
        printed, _ = start("token", *arguments, environment=laurel.environment).communicate(timeout=START_SECONDS)
        token = printed.decode().strip()
        assert token.count(".") == 2
        answer = httpx.post(
            laurel.url, json={"query": "{ viewer { roles } }"}, headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.json()["data"]["viewer"]["roles"] == [arguments[0].upper()]


def test_commands_run_beside_a_running_server(laurel: Laurel) -> None:
    for command in ("migrate", "check-invariants"):
        process = start(command, environment=laurel.environment)
        _, errors = process.communicate(timeout=START_SECONDS)
        assert process.returncode == 0, errors.decode()
