import gzip
import os
import subprocess
from pathlib import Path

import pytest

from app.graphiql.page import DIST
from tests.requirements import require_node, require_node_packages

SOURCE = DIST.parent / "source"

pytestmark = pytest.mark.node


def run(*command: str, folder: Path) -> None:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-4000:]


def contents(folder: Path) -> dict[str, bytes]:
    """Every built file by its name, decompressed: another node may compress the same text to other bytes."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "BUILD"]
    return {
        path.relative_to(folder).as_posix(): gzip.decompress(path.read_bytes())
        if path.suffix == ".gz"
        else path.read_bytes()
        for path in files
    }


def test_what_the_browser_kept_meets_what_the_server_prepares() -> None:
    run(str(require_node()), "--test", "prepared.test.mjs", folder=Path(__file__).parent)


@pytest.mark.timeout(400)
def test_the_committed_files_are_what_the_sources_build(tmp_path: Path) -> None:
    require_node()
    if os.environ.get("CI") != "true" and not (SOURCE / "node_modules").is_dir():
        pytest.skip("GraphiQL's build tools (240 MB) are not installed in app/graphiql/source; CI installs them")
    require_node_packages(SOURCE)
    run("npx", "--no-install", "vite", "build", "--outDir", str(tmp_path / "dist"), folder=SOURCE)
    rebuilt, committed = contents(tmp_path / "dist"), contents(DIST)
    assert sorted(rebuilt) == sorted(committed)
    assert [name for name, content in rebuilt.items() if content != committed[name]] == []
