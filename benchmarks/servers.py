"""Starting and ending the servers that are measured."""

import hashlib
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.keys import development_signing_key
from benchmarks import machine
from benchmarks.place import REPOSITORY, Place, say

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 20.0
POOL: Final = 8
NODE_FOLDER: Final = REPOSITORY / "benchmarks" / "peers" / "node"
_OK: Final = 200


class NoPeer(Exception):
    """A peer cannot run here; the message is one line that says why."""


@dataclass(frozen=True, slots=True)
class Server:
    """One running server, with all its processes."""

    name: str
    port: int
    process: "subprocess.Popen[bytes]"
    log: Path

    def cpu_seconds(self) -> float | None:
        """CPU that its processes have used."""
        return machine.cpu_seconds(self.process.pid)

    def resident_kib(self) -> int | None:
        """Memory that its processes hold."""
        return machine.resident_kib(self.process.pid)


@contextmanager
def laurel(place: Place, name: str, *, database: str, workers: int = 1, **settings: str) -> Iterator[Server]:
    """Laurel as `python -m app serve` runs it, its log in a file. The background worker runs only where asked for."""
    port = _free_port()
    given = {
        "PORT": str(port),
        "WORKERS": str(workers),
        "DATABASE_POOL": str(POOL),
        "DRAIN_SECONDS": "1",
        "LAUREL_DIE_WITH_PARENT": "1",
    }
    environment = place.server_environment(name, database=database, settings={**given, **settings})
    command = [sys.executable, "-m", "app", "serve"]
    with _running(place, name, command=command, environment=environment, port=port, ready_path="/readyz") as server:
        yield server


@contextmanager
def python_peer(
    place: Place,
    name: str,
    *,
    application: str,
    database: str,
    workers: int = 1,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """An ASGI peer on uvicorn, `application` as `module:factory`, with what makes uvicorn fastest."""
    port = _free_port()
    environment = place.server_environment(
        name, database=database, settings={"DATABASE_POOL": str(POOL), **(settings or {})}
    )
    command = [
        sys.executable, "-m", "uvicorn", application, "--factory", "--host", "127.0.0.1", "--port", str(port),
        "--workers", str(workers), "--http", "httptools", "--loop", "uvloop", "--no-access-log", "--log-level",
        "warning", "--no-server-header", "--no-date-header", "--ws-per-message-deflate", "false",
        "--ws-ping-interval", "600", "--ws-ping-timeout", "600",
    ]  # fmt: skip
    with _running(place, name, command=command, environment=environment, port=port) as server:
        yield server


@contextmanager
def module_peer(place: Place, name: str, *, module: str, database: str) -> Iterator[Server]:
    """A peer that is Laurel but for one part: it runs its server itself, with all that `serve` has."""
    port = _free_port()
    settings = {"DATABASE_POOL": str(POOL), "DRAIN_SECONDS": "1"}
    environment = place.server_environment(name, database=database, settings=settings)
    command = [sys.executable, "-m", module, str(port)]
    with _running(place, name, command=command, environment=environment, port=port, ready_path="/readyz") as server:
        yield server


@contextmanager
def node_peer(place: Place, name: str, *, script: str, database: str, **settings: str) -> Iterator[Server]:
    """A peer of the Node world, installed in the benchmarks' folder. Raises NoPeer where that cannot be."""
    folder = _installed(place)
    port = _free_port()
    public_key = development_signing_key(place.settings).public_key()
    environment = place.server_environment(
        name,
        database=database,
        settings={
            "PORT": str(port),
            "NODE_ENV": "production",
            "GRAPHILE_ENV": "production",
            "PUBLIC_KEY": public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
            **settings,
        },
    )
    command = [_node(folder), str(folder / script)]
    with _running(place, name, command=command, environment=environment, port=port) as server:
        yield server


def node_versions(place: Place) -> Mapping[str, str]:
    """Node's version and that of its peers, where they are installed."""
    folder = _folder(place)
    if not (folder / "installed").exists():
        return {}
    node = subprocess.run([_node(folder), "--version"], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    listed = (NODE_FOLDER / "package.json").read_text(encoding="utf-8").split('"dependencies"')[1].split("}")[0]
    pairs = (line.strip().rstrip(",").split(": ") for line in listed.splitlines() if '": "' in line)
    return {"node": node.stdout.strip(), **{name.strip('"'): version.strip('"') for name, version in pairs}}


@contextmanager
def _running(
    place: Place,
    name: str,
    *,
    command: Sequence[str],
    environment: Mapping[str, str],
    port: int,
    ready_path: str | None = None,
) -> Iterator[Server]:
    log = place.folder / "servers" / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, cwd=REPOSITORY, stdout=out, stderr=out)  # noqa: S603 - ours
    server = Server(name=name, port=port, process=process, log=log)
    try:
        _wait_until_ready(server, ready_path=ready_path)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(server: Server, *, ready_path: str | None) -> None:
    ends_at = time.monotonic() + START_SECONDS
    while time.monotonic() < ends_at:
        if server.process.poll() is not None:
            raise NoPeer(f"{server.name} ended at its start: {_last_words(server.log)} (see {server.log})")
        try:
            with closing(HTTPConnection("127.0.0.1", server.port, timeout=2)) as connection:
                connection.request("GET", ready_path or "/")
                if connection.getresponse().status == _OK or ready_path is None:
                    return
        except (OSError, HTTPException):
            pass
        time.sleep(0.05)
    raise NoPeer(f"{server.name} did not answer within {START_SECONDS:.0f} s (see {server.log})")


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it wrote nothing"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _folder(place: Place) -> Path:
    lock = (NODE_FOLDER / "package-lock.json").read_bytes()
    return place.folder / f"node-{hashlib.sha256(lock).hexdigest()[:10]}"


def _installed(place: Place) -> Path:
    """A folder with the scripts and what package-lock.json names; installed once per lock."""
    folder = _folder(place)
    if not (folder / "installed").exists():
        npm = shutil.which("npm")
        if npm is None:
            raise NoPeer("npm is not here: peers of the Node world are left out")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(NODE_FOLDER, folder)
        say("installing the peers of the Node world, once …")
        command = [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - npm
        if done.returncode != 0:
            reason = done.stderr.strip().splitlines() or ["no reason given"]
            raise NoPeer(f"npm ci failed, so peers of the Node world are left out: {reason[-1]}")
        (folder / "installed").touch()
    for script in NODE_FOLDER.glob("*.mjs"):
        shutil.copy(script, folder)
    return folder


def _node(folder: Path) -> str:
    """Node 22, which PostGraphile 5 needs, from its npm package; else the system's."""
    own = next(folder.glob("node_modules/node-*/bin/node"), None)
    found = str(own) if own is not None else shutil.which("node")
    if found is None:
        raise NoPeer("node is not here: peers of the Node world are left out")
    return found
