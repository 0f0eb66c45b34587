"""requirements.lock fits pyproject.toml, as far as that can be told offline; `make lock-check` asks the index."""

import re
import tomllib
from collections import deque
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

REPOSITORY = Path(__file__).parents[2]
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)(?: ; (?P<marker>[^\\]+?))? *\\?$")


@cache
def project() -> tuple[tuple[Requirement, ...], frozenset[str]]:
    """What is asked for directly, and what is left out on purpose."""
    document = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    groups = document["dependency-groups"].values()
    wanted = (*document["project"]["dependencies"], *(line for group in groups for line in group))
    excluded = frozenset(canonicalize_name(name) for name in document["tool"]["uv"]["exclude-dependencies"])
    return tuple(Requirement(line) for line in wanted), excluded


@cache
def pins() -> dict[str, Version]:
    """The versions that the lock has for this platform and Python; it may have others for others."""
    found = (_PIN.match(line) for line in (REPOSITORY / "requirements.lock").read_text().splitlines())
    return {
        canonicalize_name(pin["name"]): Version(pin["version"])
        for pin in found
        if pin is not None and (pin["marker"] is None or Marker(pin["marker"]).evaluate())
    }


def test_everything_asked_for_is_locked_at_a_version_that_fits() -> None:
    wanted, _ = project()
    unfit = [
        str(requirement)
        for requirement in wanted
        if (requirement.marker is None or requirement.marker.evaluate())
        and pins().get(canonicalize_name(requirement.name), Version("0.dev0")) not in requirement.specifier
    ]
    assert unfit == [], "make lock"


def test_every_pin_has_a_hash() -> None:
    for block in re.split(r"\n(?=\S)", (REPOSITORY / "requirements.lock").read_text()):
        assert block.startswith("#") or "--hash=sha256:" in block, block


def test_the_lock_names_neither_host_nor_folder() -> None:
    text = (REPOSITORY / "requirements.lock").read_text()
    assert "://" not in text
    assert not re.search(r"^(-|\s+#)", text, flags=re.MULTILINE)
    assert not re.search(r"[\s=]/", text)


def test_the_lock_is_what_the_installed_packages_need_and_no_more() -> None:
    wanted, excluded = project()
    assert set(pins()) == _closure(wanted, excluded=excluded), "make lock"
    installed = {name: Version(metadata.version(name)) for name in pins()}
    assert installed == pins(), "the environment is not the lock's: make test"


def _closure(wanted: tuple[Requirement, ...], *, excluded: frozenset[str]) -> set[str]:
    """The names of everything that `wanted` brings on this platform, by what the installed packages say."""
    seen: set[tuple[str, frozenset[str]]] = set()
    queue = deque((requirement, "") for requirement in wanted)
    while queue:
        requirement, extra = queue.popleft()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": extra})
        if not applies or name in excluded or (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            further = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            pytest.fail(f"{name} is needed and not installed: make lock", pytrace=False)
        queue.extend((Requirement(line), extra) for line in further for extra in (*extras, ""))
    return {name for name, _ in seen}
