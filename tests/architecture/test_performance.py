"""The manual shows the ratios as they were measured last, and how. RENEW_DOCS=1 writes them into it anew."""

import json
import os
import re
from collections.abc import Mapping
from typing import Any, Final

from benchmarks.__main__ import RESULTS
from benchmarks.results import TARGETS, runs_of
from tests.architecture.test_layout import REPOSITORY

MANUAL: Final = REPOSITORY / "docs" / "performance.md"
ROW: Final = re.compile(r"^\| `(\w+)` \| ([^|]+) \|.*$", re.MULTILINE)
HOW: Final = re.compile(r"<!-- measured -->\n.*?<!-- /measured -->", re.DOTALL)


def text() -> str:
    return MANUAL.read_text(encoding="utf-8")


def results() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


def with_ratios(manual: str) -> str:
    """The manual with what each ratio must and should be, and what it is."""
    ratios = results()["ratios"]

    def row(match: re.Match[str]) -> str:
        key, what = match[1], match[2]
        target = TARGETS[key]
        sign = "≥" if target.at_least else "≤"
        measured = f"{ratios[key]:g}, {target.verdict(ratios[key])}" if key in ratios else "not measured"
        return f"| `{key}` | {what} | {sign} {target.must:g} | {sign} {target.aim:g} | {measured} |"

    head, mark, rest = manual.partition("## The ratios\n")
    table, next_, after = rest.partition("\n## ")
    return head + mark + HOW.sub(lambda _: how(), ROW.sub(row, table)) + next_ + after


def how() -> str:
    """When and on what it was measured, run by run."""
    lines = []
    for run in runs_of(results()):
        if not run["ratios"]:
            continue
        of = f" ({', '.join(f'`{key}`' for key in run['ratios'])})" if len(run["ratios"]) < len(TARGETS) else ""
        pace = f", {run['rounds']} rounds of {run['seconds']:g} s" if "rounds" in run else ""
        machine = run["machine"]
        lines.append(
            f"Measured on {run['date']}{of}: {machine['cores']} cores of {machine['processor']}, "
            f"{machine['memory_gib']} GiB{pace}."
        )
    return "\n".join(["<!-- measured -->", *lines, "<!-- /measured -->"])


def test_the_manual_shows_every_ratio_as_it_was_measured_last() -> None:
    wanted = with_ratios(text())
    if os.environ.get("RENEW_DOCS") == "1":
        MANUAL.write_text(wanted, encoding="utf-8")
    assert text() == wanted, "RENEW_DOCS=1 python -m pytest tests/architecture/test_performance.py"


def test_every_ratio_is_in_the_manual_once() -> None:
    _, _, rest = text().partition("## The ratios\n")
    assert sorted(key for key, _ in ROW.findall(rest.partition("\n## ")[0])) == sorted(TARGETS)
    assert len(HOW.findall(rest)) == 1


def test_what_is_published_was_measured_at_real_scale() -> None:
    found = results()
    assert {run["scale"] for run in runs_of(found)} == {"real"}
    told = [key for run in runs_of(found) for key in run["ratios"]]
    assert sorted(told) == sorted(found["ratios"]), "each ratio is of one run"
