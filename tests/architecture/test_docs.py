"""The manuals name what there is, and nothing that there is not: settings, commands, metrics, files."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer
from prometheus_client import Counter

from app.__main__ import app
from app.live_metrics import LiveMetrics
from app.plan_metrics import PlanMetrics
from app.settings import documented_settings, settings_table
from app.telemetry import Telemetry
from execution import Counters
from tests.architecture.test_layout import tracked

REPOSITORY = Path(__file__).parents[2]
OPERATIONS = REPOSITORY / "docs" / "operations.md"
_EXPOSED = ("_bucket", "_count", "_sum")


@cache
def operations() -> str:
    return OPERATIONS.read_text(encoding="utf-8")


@cache
def commands() -> frozenset[str]:
    """Every command, as in `token member`."""
    return frozenset(_commands(typer.main.get_command(app), ()))


def _commands(command: object, path: tuple[str, ...]) -> Iterator[str]:
    inner: dict[str, object] = getattr(command, "commands", {})
    if not inner:
        yield " ".join(path)
    for name, one in inner.items():
        yield from _commands(one, (*path, name))


@cache
def metrics() -> frozenset[str]:
    """Every metric, by the name under which /metrics shows it."""
    telemetry = Telemetry()
    LiveMetrics(telemetry)
    PlanMetrics(telemetry, Counters())
    collectors = set(telemetry.registry._collector_to_names)
    return frozenset(
        f"{metric.name}_total" if isinstance(collector, Counter) else metric.name
        for collector in collectors
        for metric in collector.describe()  # type: ignore[attr-defined]
    )


def test_every_setting_is_in_the_manual_as_the_code_has_it() -> None:
    assert settings_table() in operations(), "print it anew: app.settings.settings_table()"


def test_the_manual_names_no_setting_that_there_is_not() -> None:
    rows = set(re.findall(r"^\| `([A-Z][A-Z0-9_]+)` \|", operations(), flags=re.MULTILINE))
    assert rows <= {setting.variable for setting in documented_settings()}


def test_every_setting_says_what_it_is() -> None:
    assert [s.variable for s in documented_settings() if not s.description.strip().endswith((".", "`"))] == []


def test_every_command_is_in_the_manual() -> None:
    assert len(commands()) > 5
    assert {command for command in commands() if f"python -m app {command}" not in operations()} == set()


@pytest.mark.parametrize("path", [p for p in tracked() if p.suffix == ".md"], ids=str)
def test_no_manual_names_a_command_that_there_is_not(path: Path) -> None:
    known = {" ".join(parts[:n]) for c in commands() if (parts := c.split()) for n in range(1, len(parts) + 1)}
    text = (REPOSITORY / path).read_text(encoding="utf-8")
    named = set(re.findall(r"python -m app ([a-z][a-z-]*)", text))
    assert named <= known


def test_every_metric_is_in_the_manual() -> None:
    assert len(metrics()) > 10
    assert {metric for metric in metrics() if f"`{metric}`" not in operations()} == set()


def test_the_manual_names_no_metric_that_there_is_not() -> None:
    named = set(re.findall(r"\blaurel_[a-z_]+", operations()))
    assert {name for name in named if re.sub(rf"({'|'.join(_EXPOSED)})$", "", name) not in metrics()} == set()


@pytest.mark.parametrize("path", [p for p in tracked() if p.suffix == ".md"], ids=str)
def test_every_file_that_a_manual_points_to_is_there(path: Path) -> None:
    text = re.sub(r"```.*?```", "", (REPOSITORY / path).read_text(encoding="utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    missing = [link for link in links if "://" not in link and not (REPOSITORY / path).parent.joinpath(link).exists()]
    assert missing == []


@pytest.mark.parametrize("path", [p for p in tracked() if p.suffix == ".md"], ids=str)
def test_no_row_of_a_table_is_cut_off_from_its_head(path: Path) -> None:
    text = re.sub(r"```.*?```", "", (REPOSITORY / path).read_text(encoding="utf-8"), flags=re.DOTALL)
    tables = re.findall(r"(?:^\|.*\n)+", text + "\n", flags=re.MULTILINE)
    headless = [table for table in tables if not re.match(r".*\n\|[-:| ]+\|\n", table)]
    assert headless == []
