"""Nothing of the machine it was written on is in the project."""

import re
from pathlib import Path

import pytest

from tests.architecture.test_layout import REPOSITORY, tracked

# Written in pieces, so that this file does not hold what it looks for.
REGISTRY_HOSTS = tuple(
    re.escape(".".join(parts))
    for parts in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("registry", "yarnpkg", "com"),
        ("deb", "debian", "org"),
        ("docker", "io"),
        ("ghcr", "io"),
    )
)
MACHINE_PATHS = tuple(rf"(?<![\w.~}}-])/{folder}/" for folder in ("work", "farm", "root", "home", "Users"))
SECRETS = (
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}",
    r"\bAKIA[0-9A-Z]{16}\b",
    r"\bghp_[A-Za-z0-9]{36}\b",
)
STRANGE = re.compile("|".join((*REGISTRY_HOSTS, *MACHINE_PATHS, *SECRETS)))
NEWLINE = "\n"
BUILT = ("app/graphiql/dist/",)


def test_no_file_names_a_registry_host_a_path_of_a_machine_or_a_key() -> None:
    found = [hit for path in tracked() if not str(path).startswith(BUILT) for hit in _hits(path)]
    assert found == []


@pytest.mark.parametrize(
    "text", ["see /" + "work/main", "https://pypi" + ".org/simple", "-----BEGIN " + f"PRIVATE KEY-----\n{'A' * 64}"]
)
def test_the_scan_sees_what_it_looks_for(text: str) -> None:
    assert STRANGE.search(text)


def _hits(path: Path) -> list[str]:
    try:
        text = (REPOSITORY / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return []
    return [f"{path}:{text.count(NEWLINE, 0, hit.start()) + 1}: {hit[0]}" for hit in STRANGE.finditer(text)]
