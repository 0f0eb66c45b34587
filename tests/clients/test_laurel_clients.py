"""The clients that people use against Laurel itself: two server processes, a database and a Valkey of their own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.test_clients import AUDITS, HERE, Server, free_port, passed, run_node, wait_until_ready
from tests.requirements import require_node_packages
from tests.servers import drop_database, fresh_database, fresh_redis, migrated

pytestmark = pytest.mark.node

STOP_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Laurel:
    server: Server
    operator_token: str


@pytest.fixture(scope="module")
def laurel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laurel]:
    require_node_packages(HERE)
    database_url = fresh_database(template=migrated())
    port = free_port()
    environment = {
        **os.environ,
        "DATA_DIR": str(tmp_path_factory.mktemp("laurel")),
        "DATABASE_URL": database_url,
        "REDIS_URL": fresh_redis(),
        "DEMO": "0",
        "PORT": str(port),
        "WORKERS": "2",
    }
    process = start(["serve"], environment=environment)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}/readyz", process=process)
        server = Server(
            url=f"http://127.0.0.1:{port}/graphql", token=token("member", "--ref", "r1", environment=environment)
        )
        yield Laurel(server, token("operator", environment=environment))
    finally:
        process.terminate()
        process.communicate(timeout=STOP_SECONDS)
        drop_database(database_url)


def start(arguments: list[str], *, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "app", *arguments],
        env=environment,
        cwd=Path(HERE).parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def token(*arguments: str, environment: dict[str, str]) -> str:
    printed, _ = start(["token", *arguments], environment=environment).communicate(timeout=30)
    return printed.decode().strip()


def test_laurel_itself_passes_every_audit_of_graphql_over_http(laurel: Laurel) -> None:
    assert passed(run_node("audits.test.mjs", server=laurel.server)) == AUDITS + 1


def test_a_member_claims_reads_and_is_told_through_three_clients(
    laurel: Laurel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAUREL_OPERATOR_TOKEN", laurel.operator_token)
    assert passed(run_node("laurel.test.mjs", server=laurel.server)) >= 3
