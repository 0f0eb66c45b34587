"""On what it was measured, and what the measured processes used of it."""

import os
import platform
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from app.settings import usable_cores

PROC: Final = Path("/proc")
_PARENT = 1  # fields of /proc/PID/stat after the name
# Its own time as user and system, and that of children that have ended: the sum over a tree never falls.
_TIMES: Final = slice(11, 15)
_LIBRARIES: Final = (
    "asyncpg", "graphql-core", "httptools", "orjson", "sqlalchemy", "starlette", "strawberry-graphql", "uvicorn",
    "uvloop", "websockets",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Machine:
    """The shape of a machine, without its name."""

    system: str
    processor: str
    cores: int
    memory_gib: int


def this_machine() -> Machine:
    """The machine that this runs on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        system=f"{platform.system()} {platform.machine()}",
        processor=_processor(),
        cores=usable_cores(),
        memory_gib=round(memory / 2**30),
    )


def python_versions() -> Mapping[str, str]:
    """Python and the libraries that a request passes through."""
    return {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}


def cpu_seconds(pid: int) -> float | None:
    """Seconds of CPU that a process and its descendants have used; None where the system does not tell (no /proc)."""
    if not _tells():
        return None
    ticks = os.sysconf("SC_CLK_TCK")
    counted = (sum(map(int, fields[_TIMES])) for one in _tree(pid) if (fields := _stat(one)) is not None)
    return sum(counted) / ticks


def resident_kib(pid: int) -> int | None:
    """Memory of a process and its descendants, in KiB, where the system tells."""
    if not _tells():
        return None
    return sum(_resident(one) for one in _tree(pid))


def _tells() -> bool:
    return (PROC / "self" / "stat").exists()


def _tree(pid: int) -> Iterator[int]:
    children: dict[int, list[int]] = defaultdict(list)
    for folder in PROC.glob("[0-9]*"):
        fields = _stat(int(folder.name))
        if fields is not None:
            children[int(fields[_PARENT])].append(int(folder.name))
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += children[one]


def _stat(pid: int) -> list[str] | None:
    try:
        return (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _resident(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "status").read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0)


def _processor() -> str:
    try:
        lines = (PROC / "cpuinfo").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
