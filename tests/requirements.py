"""What some tests need of the machine: skipped with the reason where it is missing, failed instead when CI=true."""

import fcntl
import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import NoReturn

import pytest

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
NPM_SECONDS = 300


def _missing(what: str) -> NoReturn:
    """Skip here, fail in CI: there the machine is prepared, and a skipped test would be one nobody ever runs."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}, and CI=true: .ci/run installs it", pytrace=False)
    pytest.skip(what)


def require_node() -> Path:
    """Node's executable, with npm beside it."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        _missing("node and npm are not installed")
    return Path(node)


def require_chromium() -> Path:
    """Chromium's executable."""
    for name in CHROMIUM_NAMES:
        if (found := shutil.which(name)) is not None:
            return Path(found)
    _missing("chromium is not installed")


def require_node_packages(folder: Path) -> None:
    """`npm ci` in a folder with a lock file, unless its node_modules already fits; safe for parallel test runs."""
    require_node()
    wanted = sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    installed = folder / "node_modules" / ".installed-lock"
    with (folder / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if installed.is_file() and installed.read_text() == wanted:
            return
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=NPM_SECONDS, check=False)
        if result.returncode:
            _missing(f"npm ci failed in {folder.name}: {result.stderr.strip()[-500:]}")
        installed.write_text(wanted)
