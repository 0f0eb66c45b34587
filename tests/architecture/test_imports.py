"""What the import contracts cannot say. The contracts themselves are in pyproject.toml, checked by `make imports`."""

import ast
import sys
import tomllib
from importlib.metadata import version
from inspect import signature
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import execution

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize("path", sorted((REPOSITORY / "domain").rglob("*.py")), ids=lambda path: path.name)
def test_the_domain_imports_the_standard_library_and_itself(path: Path) -> None:
    foreign = {name for name in _imported(path) if name not in sys.stdlib_module_names and name != "domain"}
    assert foreign == set()


def test_the_contracts_cover_every_layer() -> None:
    linter = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]
    packages = {path.parent.name for path in REPOSITORY.glob("*/__init__.py")} - {"tests"}
    assert packages <= set(linter["root_packages"])


def test_execution_is_a_package_of_its_own_that_names_all_it_needs_as_the_project_does() -> None:
    folder = REPOSITORY / "execution"
    own, whole = (
        tomllib.loads((place / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        for place in (folder, REPOSITORY)
    )
    foreign = {name for path in folder.rglob("*.py") for name in _imported(path)} - set(sys.stdlib_module_names)
    distributions = {"graphql": "graphql-core", "strawberry": "strawberry-graphql"}
    needed = {Requirement(text).name: Requirement(text).specifier for text in own["dependencies"]}
    assert {distributions[name] for name in foreign - {"execution"}} == set(needed)
    assert all(version(name) in specifier for name, specifier in needed.items()), "as they are tried here"
    assert set(own["dependencies"]) & set(whole["dependencies"]) == {"strawberry-graphql==0.341.*"}
    assert own["requires-python"] == whole["requires-python"]
    assert (folder / "py.typed").is_file(), "whoever installs it has its types"


def test_what_execution_offers_can_be_imported_from_it_by_name() -> None:
    assert execution.__all__ == sorted(execution.__all__)
    assert all(hasattr(execution, name) for name in execution.__all__)
    readme = (REPOSITORY / "execution" / "README.md").read_text(encoding="utf-8")
    options = {name for name in signature(execution.Executor).parameters if name != "schema"}
    assert {name for name in options if f"| `{name}` |" not in readme} == set()


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names
