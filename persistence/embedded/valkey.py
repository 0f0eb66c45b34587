"""An embedded Valkey: its start, its address."""

import signal
import socket
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from persistence.embedded.processes import Account, Server, launch


@dataclass(frozen=True, slots=True)
class ValkeyPlace:
    """Where one embedded Valkey keeps what, and the password of this run."""

    folder: Path  # the servers' account's
    log: Path  # ours
    socket: Path
    password: str = field(repr=False)


def start_valkey(place: ValkeyPlace, *, program: Path, account: Account | None, durable: bool) -> Server:
    """Start Valkey; ready when `answers` says so."""
    settings = {
        "port": "0",
        "unixsocket": f'"{place.socket}"',
        "unixsocketperm": "700",
        "databases": "16" if durable else "4096",
        "dir": f'"{place.folder}"',
        "requirepass": place.password,
        "appendonly": "yes" if durable else "no",
        "appendfsync": "everysec",
        "save": '""',
        "maxmemory-policy": "noeviction",
        "client-output-buffer-limit": "pubsub 32mb 8mb 60",
    }
    words = "".join(
        f"{name} {value}\n" for name, value in settings.items()
    )  # not on the command line, which all can read
    return launch(
        (program, "-"), name="Valkey", account=account, log=place.log, words=words.encode(), stop=signal.SIGTERM
    )


def answers(place: ValkeyPlace) -> bool:
    """Whether Valkey answers with what it had kept."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect(str(place.socket))
            connection.sendall(f"AUTH {place.password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2:  # noqa: PLR2004 - one line for each command
                chunk = connection.recv(256)
                if not chunk:
                    return False
                answer += chunk
            return b"+PONG" in answer
    except OSError:
        return False


def address(place: ValkeyPlace) -> str:
    """The URL of Valkey's database 0, over its socket."""
    return f"unix://:{quote(place.password)}@{place.socket}?db=0"
