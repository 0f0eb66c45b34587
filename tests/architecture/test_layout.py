"""The noun is the path: what lies where, and how much of it."""

import subprocess
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
LONGEST_FILE_LINES = 420
LAYERS = ("schema", "resolvers", "domain", "persistence")
NOUNS = ("members", "merchants", "points", "coupons", "campaigns", "recommendations")
FOLDERS = {*LAYERS, "execution", "app", "benchmarks", "tests", "docs", ".ci"}
FILES = {
    ".dockerignore",
    ".gitattributes",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Dockerfile",
    "LICENSE",
    "Makefile",
    "README.md",
    "compose.yaml",
    "pyproject.toml",
    "requirements.lock",
}


@cache
def tracked() -> tuple[Path, ...]:
    """The project's files: what git tracks, and what it would track."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this copy of the project is not a git repository")
    paths = (Path(name) for name in listed.stdout.split("\0") if name)
    return tuple(path for path in paths if (REPOSITORY / path).is_file())


def test_the_top_level_holds_the_layers_and_nothing_else() -> None:
    top = {path.parts[0] for path in tracked()}
    assert top <= FOLDERS | FILES


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_has_every_noun(layer: str) -> None:
    present = {name for path in tracked() if path.parts[0] == layer and (name := _module(path)) in NOUNS}
    assert present == set(NOUNS)


def test_no_file_is_longer_than_a_reader_takes_in() -> None:
    python = [path for path in tracked() if path.suffix == ".py" and "migrations" not in path.parts]
    long = {str(path): lines for path in python if (lines := _lines(path)) > LONGEST_FILE_LINES}
    assert long == {}, "a file that grows too long becomes a package of the same name"


def test_the_domain_has_a_slice_for_every_noun_and_for_what_they_share() -> None:
    slices = {path.parts[1] for path in tracked() if path.parts[0] == "domain" and len(path.parts) > 2}
    assert slices >= {*NOUNS, "shared"}, "further slices are named in the import contract, which is exhaustive"


def test_a_test_lies_in_the_folder_of_its_layer() -> None:
    folders = {path.parts[1] for path in tracked() if path.parts[0] == "tests" and len(path.parts) > 2}
    assert folders <= {*LAYERS, "execution", "app", "architecture", "benchmarks", "clients", "e2e", "soak"}


def _module(path: Path) -> str:
    return path.parts[1].removesuffix(".py")


def _lines(path: Path) -> int:
    return len((REPOSITORY / path).read_text(encoding="utf-8").splitlines())
