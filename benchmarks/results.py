"""What a run found: ratios under the keys of docs/performance.md, with what is needed to judge them."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.machine import Machine


class OtherScale(Exception):
    """A file holds what was measured at another scale: the two would be taken for one another."""


@dataclass(frozen=True, slots=True)
class Run:
    """How something was measured."""

    date: str
    scale: str
    rounds: int
    seconds: float
    machine: Machine
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Target:
    """What a ratio must reach, and what it should."""

    must: float
    aim: float
    at_least: bool

    def verdict(self, value: float) -> str:
        """In one word."""
        if math.isnan(value):
            return "-"
        for word, bound in (("aim", self.aim), ("must", self.must)):
            if value >= bound if self.at_least else value <= bound:
                return f"{word} reached"
        return "missed"


TARGETS: Final[Mapping[str, Target]] = {
    "wallet_vs_limit_1w": Target(0.70, 0.95, at_least=True),
    "wallet_vs_limit_2w": Target(0.80, 1.0, at_least=True),
    "wallet_vs_strawberry": Target(25, 40, at_least=True),
    "wallet_vs_mercurius": Target(1.5, 2.2, at_least=True),
    "wallet_vs_postgraphile": Target(2.5, 3.5, at_least=True),
    "claims_vs_json_route": Target(0.8, 0.9, at_least=True),
    "claims_vs_for_update": Target(4, 8, at_least=True),
    "push_cpu_vs_strawberry": Target(0.125, 0.07, at_least=False),
    "push_kib_per_socket": Target(35, 28, at_least=False),
    "push_5000_ms": Target(200, 100, at_least=False),
    "wallet_10000_vs_20": Target(1.2, 1.05, at_least=False),
    "scale_10x_cpu": Target(1.15, 1.05, at_least=False),
    "quote_ms_median": Target(20, 5, at_least=False),
}
_PLACES: Final = 3


@dataclass(slots=True)
class Results:
    """What has been found so far."""

    ratios: dict[str, float] = field(default_factory=dict)
    details: dict[str, object] = field(default_factory=dict)
    _later: dict[str, Callable[[], float]] = field(default_factory=dict)

    def ratio(self, key: str, value: float) -> None:
        """Notes a ratio; one that could not be measured is left out."""
        assert key in TARGETS
        if not math.isnan(value):
            self.ratios[key] = round(value, _PLACES)

    def later(self, key: str, value: Callable[[], float]) -> None:
        """Notes a ratio that can be computed when the rounds are over (`settle`)."""
        self._later[key] = value

    def settle(self) -> None:
        """Computes what was left for later."""
        for key, value in self._later.items():
            self.ratio(key, value())
        self._later.clear()

    def detail(self, name: str, found: object) -> None:
        """Notes the figures behind the ratios."""
        self.details[name] = found

    def table(self) -> str:
        """The ratios beside what they must and should be."""
        lines = [f"\n{'ratio':<26}{'measured':>10}{'must':>8}{'aim':>8}"]
        for key, target in TARGETS.items():
            if key in self.ratios:
                sign, value = "≥" if target.at_least else "≤", self.ratios[key]
                lines.append(
                    f"{key:<26}{value:>10.3f}{sign + f'{target.must:g}':>8}{sign + f'{target.aim:g}':>8}"
                    f"  {target.verdict(value)}"
                )
        return "\n".join(lines)

    def write(self, path: Path, *, run: Run) -> None:
        """Writes them as JSON; keys of earlier runs that were not measured in this one stay, with how they were.

        Raises OtherScale as `check_scale` does.
        """
        check_scale(path, scale=run.scale)
        earlier = _read(path)
        new = {**asdict(run), "ratios": sorted(self.ratios), "details": sorted(self.details)}
        runs = [*(_without(one, self) for one in runs_of(earlier)), new]
        content = {
            "ratios": {**earlier.get("ratios", {}), **self.ratios},
            "runs": [one for one in runs if one["ratios"] or one["details"]],
            "details": {**earlier.get("details", {}), **self.details},
        }
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def check_scale(path: Path, *, scale: str) -> None:
    """Raises OtherScale where the file holds what was measured at another scale."""
    others = {run["scale"] for run in runs_of(_read(path))} - {scale}
    if others:
        raise OtherScale(f"{path} holds what was measured at scale {', '.join(others)}: name another file")


def _read(path: Path) -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return content


def runs_of(content: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The runs of a file. One that was written before runs were told apart has all from one, as far as it says."""
    if "runs" in content or "date" not in content:
        runs: Sequence[Mapping[str, Any]] = content.get("runs", ())
        return runs
    how = {name: content[name] for name in ("date", "scale", "machine", "versions")}
    return [{**how, "ratios": sorted(content["ratios"]), "details": sorted(content["details"])}]


def _without(run: Mapping[str, Any], measured: Results) -> dict[str, Any]:
    """What is left of an earlier run beside what was measured now."""
    return {
        **run,
        "ratios": [key for key in run["ratios"] if key not in measured.ratios],
        "details": [name for name in run["details"] if name not in measured.details],
    }
