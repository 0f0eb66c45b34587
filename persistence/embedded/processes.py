"""Child processes that never outlive us, run by an account that may not be ours."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from persistence.embedded.errors import EmbeddedError

START_SECONDS = 60.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.01
_PR_SET_PDEATHSIG = 1

# Runs in a Python of its own, as a function between fork and exec would not be safe beside threads: gives up root, asks
# the kernel to end it with us (after the change of account, which forgets that), and becomes the server.
_LAUNCHER = """
import ctypes, json, os, sys
order = json.loads(sys.argv[1])
os.umask(0o077)
if order["account"]:
    name, uid, gid = order["account"]
    os.initgroups(name, gid); os.setgid(gid); os.setuid(uid)
if order["signal"] and sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, order["signal"])
    if os.getppid() != order["parent"]:
        sys.exit("the process that asked for this one is gone")
if order["enter"]:
    sys.exit(0 if os.access(order["enter"], os.X_OK) else 1)
os.execv(order["command"][0], order["command"])
"""


@dataclass(frozen=True, slots=True)
class Account:
    """An existing account of the system that servers run as, since PostgreSQL refuses root."""

    name: str
    uid: int
    gid: int

    def own(self, path: Path) -> None:
        """Give `path` to this account."""
        os.chown(path, self.uid, self.gid)


@dataclass(frozen=True, slots=True)
class ProcessMark:
    """A process id with the moment its process started, so that a reused id is not taken for it."""

    pid: int
    started: str


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: what to signal for an orderly end, and where it writes."""

    name: str
    process: "subprocess.Popen[bytes]"
    stop_signal: signal.Signals
    log: Path

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Return when the server answers; `EmbeddedError` with its last words when it ends or never does."""
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if self.process.poll() is not None:
                raise EmbeddedError(f"{self.name} ended at its start: {last_words(self.log)} (see {self.log})")
            if time.monotonic() > deadline:
                raise EmbeddedError(f"{self.name} did not answer within {START_SECONDS:.0f} s (see {self.log})")
            time.sleep(POLL_SECONDS)


def launch(
    command: Sequence[str | Path], *, name: str, account: Account | None, log: Path, words: bytes, stop: signal.Signals
) -> Server:
    """Start a server with `words` on its standard input. It ends with this process, even when that is killed -9.

    The kernel ties it to the *thread* that starts it, so that must be the main one.
    """
    if threading.current_thread() is not threading.main_thread():
        raise EmbeddedError("embedded servers are started from the main thread")
    with log.open("ab") as output:
        process = subprocess.Popen(
            _launcher(command=command, account=account, end_with_parent=True),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd="/",
            env=_environment(),
            process_group=0,  # Ctrl-C on the terminal reaches us alone, and we end it in order
        )
    if process.stdin is not None:
        with suppress(BrokenPipeError), process.stdin as pipe:  # one that died already says why in its log
            pipe.write(words)
    return Server(name=name, process=process, stop_signal=stop, log=log)


def run_as(account: Account | None, *, command: Sequence[str | Path]) -> "subprocess.CompletedProcess[bytes]":
    """Run a short program to its end as `account`; its output is captured."""
    return subprocess.run(
        _launcher(command=command, account=account, end_with_parent=True),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd="/",
        env=_environment(),
        check=False,
        process_group=0,
    )


def can_enter(folder: Path, *, account: Account) -> bool:
    """Whether `account` passes every folder down to `folder`."""
    command = _launcher(command=(), account=account, end_with_parent=False, enter=folder)
    return subprocess.run(command, capture_output=True, cwd="/", env=_environment(), check=False).returncode == 0


def stop_all(servers: Sequence[Server]) -> None:
    """End servers in order, all at once; one that does not go in time is killed."""
    for server in servers:
        if server.process.poll() is None:
            server.process.send_signal(server.stop_signal)
    for server in servers:
        try:
            server.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.process.kill()
            server.process.wait()


def die_with_parent(*, parent_pid: int | None = None) -> None:
    """Ask the kernel (Linux) to send this process SIGTERM when its parent ends, however that ends.

    A process that was started with `parent_pid` known also notices that the parent was gone before it could ask.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if parent_pid is not None and os.getppid() != parent_pid:
        os.kill(os.getpid(), signal.SIGTERM)


def mark(pid: int) -> ProcessMark | None:
    """The mark of a running process; None when there is no such process or only its remains."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except FileNotFoundError:
        return None if Path("/proc/self/stat").exists() else _mark_by_ps(pid)
    except ProcessLookupError:
        return None
    state, started = fields[0], fields[19]
    return None if state in {"Z", "X"} else ProcessMark(pid=pid, started=started)


def is_there(pid: int) -> bool:
    """Whether the system still knows a process of this number, be it only the remains of one that ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def end_leftover(left: ProcessMark) -> None:
    """See a server of an earlier, killed run off: it was told to end with its parent, and may still be at it."""
    for last_resort in (signal.SIGINT, signal.SIGKILL):
        deadline = time.monotonic() + STOP_SECONDS / 2
        while mark(left.pid) == left:
            if time.monotonic() > deadline:
                os.kill(left.pid, last_resort)
                break
            time.sleep(POLL_SECONDS)
        else:
            return
    while mark(left.pid) == left:
        time.sleep(POLL_SECONDS)


def command_of(pid: int) -> str:
    """The command line of a process, empty when there is none."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "" if Path("/proc/self/stat").exists() else _ps(pid, column="command")


def last_words(log: Path) -> str:
    """The last line of a log that says why, or its last line."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-40:]
    telling = [line for line in lines if "FATAL" in line or "PANIC" in line or "rror" in line]
    return next(iter((telling or lines)[-1:]), "it wrote nothing").strip()


def _launcher(
    *, command: Sequence[str | Path], account: Account | None, end_with_parent: bool, enter: Path | None = None
) -> list[str]:
    order = {
        "account": None if account is None else [account.name, account.uid, account.gid],
        "signal": int(signal.SIGINT) if end_with_parent else 0,
        "parent": os.getpid(),
        "enter": None if enter is None else str(enter),
        "command": [str(word) for word in command],
    }
    return [sys.executable, "-I", "-S", "-c", _LAUNCHER, json.dumps(order)]


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def _mark_by_ps(pid: int) -> ProcessMark | None:
    started = _ps(pid, column="lstart")
    return ProcessMark(pid=pid, started=started) if started else None


def _ps(pid: int, *, column: str) -> str:
    answer = subprocess.run(["ps", "-o", f"{column}=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S607
    return answer.stdout.strip()
