"""An embedded PostgreSQL: its cluster, its start, its address."""

import re
import secrets
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from persistence.embedded.binaries import PostgresBinaries
from persistence.embedded.errors import EmbeddedError
from persistence.embedded.places import make_private
from persistence.embedded.processes import POLL_SECONDS, Account, Server, command_of, is_there, launch, mark, run_as

_SUPERUSER = "laurel"
_REMAINS_SECONDS = 2.0
_READY_LINE = 7  # of postmaster.pid, as pg_ctl reads it
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "effective_cache_size": "2GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_lock_waits": "on",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %a ",
    "autovacuum_naptime": "15s",
    "track_io_timing": "on",
}
_IN_MEMORY_SETTINGS = {  # nothing of it is wanted after a crash
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "shared_buffers": "128MB",
    "autovacuum": "off",
}


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    """Where one embedded PostgreSQL keeps what."""

    cluster: Path  # the servers' account's
    password_file: Path  # ours
    log: Path  # ours
    sockets: Path


def start_postgres(
    place: PostgresPlace, *, binaries: PostgresBinaries, account: Account | None, durable: bool
) -> Server:
    """Start PostgreSQL on its cluster, made if there is none; ready when `is_ready` says so."""
    version_file = place.cluster / "PG_VERSION"
    if not version_file.exists():
        _make_cluster(place, binaries=binaries, account=account, durable=durable)
    major = int(version_file.read_text(encoding="ascii"))
    if major != binaries.major:
        raise EmbeddedError(
            f"The data in {place.cluster} was written by PostgreSQL {major}, and this is PostgreSQL {binaries.major}: "
            "move that folder away, or choose another DATA_DIR"
        )
    _clear_stale_lock(place.cluster)
    settings = _SETTINGS | ({} if durable else _IN_MEMORY_SETTINGS) | {"unix_socket_directories": str(place.sockets)}
    if any((binaries.folder.parent / "lib").rglob("pg_stat_statements.*")):
        settings["shared_preload_libraries"] = "pg_stat_statements"
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return launch(
        (binaries.folder / "postgres", "-D", place.cluster, *options),
        name="PostgreSQL",
        account=account,
        log=place.log,
        words=b"",
        stop=signal.SIGINT,
    )


def is_ready(server: Server, *, cluster: Path) -> bool:
    """Whether PostgreSQL takes connections, as it says in its own lock file."""
    try:
        lines = (cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > _READY_LINE and int(lines[0]) == server.process.pid and lines[_READY_LINE].strip() == "ready"


def address(place: PostgresPlace) -> str:
    """The URL of PostgreSQL's own database, over its socket."""
    try:
        password = place.password_file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise EmbeddedError(f"{place.password_file}, the password of the data beside it: {error.strerror}") from None
    return f"postgresql://{_SUPERUSER}:{quote(password)}@/postgres?host={quote(str(place.sockets), safe='')}"


def _make_cluster(place: PostgresPlace, *, binaries: PostgresBinaries, account: Account | None, durable: bool) -> None:
    password = secrets.token_urlsafe(24)
    new = place.cluster.with_name(f"{place.cluster.name}.new")
    make_private(new, account=account)
    password_file = place.sockets / "password"  # its own copy, as the servers' account cannot read ours
    password_file.touch(mode=0o600)
    password_file.write_text(password, encoding="ascii")
    if account is not None:
        account.own(password_file)
    made = run_as(
        account,
        command=(
            binaries.folder / "initdb",
            *(
                "-D",
                new,
                "-U",
                _SUPERUSER,
                "--auth=scram-sha-256",
                f"--pwfile={password_file}",
                "--encoding=UTF8",
                "--no-locale",
            ),
            *("--data-checksums", "--no-instructions", *(() if durable else ("--no-sync",))),
        ),
    )
    password_file.unlink()
    if made.returncode != 0:
        reason = made.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise EmbeddedError(f"PostgreSQL could not make its data folder {new}: {reason[0]}")
    place.password_file.touch(mode=0o600)
    place.password_file.write_text(password, encoding="ascii")
    shutil.rmtree(place.cluster, ignore_errors=True)
    new.rename(place.cluster)  # a half-made cluster is never taken for a whole one


def _clear_stale_lock(cluster: Path) -> None:
    """Remove a lock file that PostgreSQL would wrongly believe.

    Its process has ended and nobody took note of that yet, or its process id is another program's by now. A lock file
    whose process is gone is PostgreSQL's own to clear.
    """
    lock = cluster / "postmaster.pid"
    try:
        pid = int(re.split(r"\s", lock.read_text(encoding="utf-8"), maxsplit=1)[0])
    except (FileNotFoundError, ValueError):
        return
    deadline = time.monotonic() + _REMAINS_SECONDS
    while is_there(pid) and mark(pid) is None and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    if not is_there(pid):
        return
    if "postgres" in command_of(pid):
        raise EmbeddedError(f"The data in {cluster} is in use by another PostgreSQL (process {pid})")
    lock.unlink()
