"""Laurel as it is run: `python -m app serve`, processes and all, on a database and a Valkey of a test's own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import IO

import httpx
import pytest

from app.auth import TokenClaims
from app.keys import token_issuer
from app.settings import Settings
from tests.servers import drop_database, fresh_database, fresh_redis, migrated

REPOSITORY = Path(__file__).parents[1]
START_SECONDS = 40
STOP_SECONDS = 20
UNFORESEEN = "unexpected_error"  # the event, in a server's log
ERRORS_TOLD = 3


@dataclass(slots=True)
class Laurel:
    """A running server: its address, its parent process, and the key that makes its tokens."""

    base: str
    database_url: str
    redis_url: str
    data_dir: Path
    process: "subprocess.Popen[bytes]"
    environment: dict[str, str]

    @property
    def url(self) -> str:
        """Where GraphQL is."""
        return f"{self.base}/graphql"

    def token(self, claims: TokenClaims) -> str:
        """A development token."""
        return token_issuer(Settings(data_dir=self.data_dir)).issue(claims)

    def bearer(self, claims: TokenClaims) -> dict[str, str]:
        """The header of a token."""
        return {"Authorization": f"Bearer {self.token(claims)}"}

    def stop(self) -> int:
        """Ctrl-C; the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=STOP_SECONDS)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def start(
    *arguments: str, environment: dict[str, str], stdout: IO[bytes] | int = PIPE, stderr: IO[bytes] | int = PIPE
) -> "subprocess.Popen[bytes]":
    """`python -m app …`."""
    return subprocess.Popen(
        [sys.executable, "-m", "app", *arguments], env=environment, cwd=REPOSITORY, stdout=stdout, stderr=stderr
    )


def wait_until_ready(url: str, *, process: "subprocess.Popen[bytes]") -> None:
    """Returns when the page answers 200."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended"
        try:
            if httpx.get(url).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    pytest.fail("the server was not ready in time")


def errors_told_in(log: Path) -> list[str]:
    """The lines in which a server wrote of errors that nobody foresaw, the last ones."""
    with log.open(errors="replace") as lines:
        return [line.rstrip() for line in lines if UNFORESEEN in line][-ERRORS_TOLD:]


@contextmanager
def running_laurel(
    data_dir: Path, *, workers: int, reached: Callable[[str], str] = str, **settings: str
) -> Iterator[Laurel]:
    """A server with so many processes, stopped and gone when left. `reached`: the database's address as it sees it."""
    database_url, redis_url = fresh_database(template=migrated()), fresh_redis()
    port = free_port()
    environment = {
        **os.environ,
        "DATA_DIR": str(data_dir),
        "DATABASE_URL": reached(database_url),
        "REDIS_URL": redis_url,
        "DEMO": "0",
        "PORT": str(port),
        "WORKERS": str(workers),
        "LOG_LEVEL": "warning",
        **settings,
    }
    with (data_dir / "out").open("wb") as out:
        process = start("serve", environment=environment, stdout=out, stderr=out)
        try:
            base = f"http://127.0.0.1:{port}"
            wait_until_ready(f"{base}/readyz", process=process)
            yield Laurel(base, database_url, redis_url, data_dir, process, environment)
        except BaseException as failure:
            # The folder goes with the test: what the server said of its own errors is all that is left to look at.
            for said in errors_told_in(data_dir / "out"):
                failure.add_note(said)
            raise
        finally:
            process.terminate()
            process.wait(timeout=STOP_SECONDS)
            drop_database(database_url)
