"""The client guide shows the examples as they are run. RENEW_DOCS=1 writes them into it anew."""

import os
import re
from pathlib import Path

from app.sockets import CloseCode
from domain.shared.errors import CallerError
from tests.architecture.test_layout import REPOSITORY

DOCS = REPOSITORY / "docs"
GUIDE = DOCS / "client-guide.md"
EXAMPLE = re.compile(r"<!-- (examples/[\w./-]+) -->\n(?:\n```js\n.*?\n```\n)?", re.DOTALL)


def text() -> str:
    return GUIDE.read_text(encoding="utf-8")


def with_examples(guide: str) -> str:
    """The guide with each example behind its mark."""
    return EXAMPLE.sub(lambda mark: f"<!-- {mark[1]} -->\n\n```js\n{_code(DOCS / mark[1])}\n```\n", guide)


def _code(path: Path) -> str:
    return path.read_text(encoding="utf-8").rstrip("\n")


def test_the_guide_shows_the_examples_that_are_run() -> None:
    wanted = with_examples(text())
    if os.environ.get("RENEW_DOCS") == "1":
        GUIDE.write_text(wanted, encoding="utf-8")
    assert text() == wanted, "RENEW_DOCS=1 python -m pytest tests/architecture/test_client_guide.py"


def test_every_example_is_in_the_guide() -> None:
    shown = {mark[1] for mark in EXAMPLE.finditer(text())}
    there = {str(path.relative_to(DOCS)) for path in (DOCS / "examples").rglob("*") if path.is_file()}
    assert there == shown


def test_every_example_is_run() -> None:
    runs = "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "tests" / "clients").glob("*.test.mjs"))
    assert [mark[1] for mark in EXAMPLE.finditer(text()) if f"docs/{mark[1]}" not in runs] == []


def test_every_close_code_is_in_the_guide_and_no_other() -> None:
    table = text().partition("## Close codes")[2].partition("\n## ")[0]
    named = {int(code) for code in re.findall(r"^\| (\d{4}) \|", table, re.MULTILINE)}
    assert named == {int(code) for code in CloseCode}


def test_every_code_of_an_error_is_in_the_guide() -> None:
    table = text().partition("An **error**")[2].partition("\n## ")[0]
    codes = {kind.code for kind in _kinds(CallerError)} | {"INTERNAL"}
    assert {code for code in codes if f"`{code}`" not in table} == set()


def _kinds(kind: type[CallerError]) -> set[type[CallerError]]:
    return {kind}.union(*map(_kinds, kind.__subclasses__()))
