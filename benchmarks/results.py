"""What a run found: ratios under the keys of docs/performance.md, with what is needed to judge them."""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.machine import Machine


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

    def write(self, path: Path, *, machine: Machine, versions: Mapping[str, str], scale: str) -> None:
        """Writes them as JSON; keys of an earlier run that were not measured in this one stay."""
        earlier: Mapping[str, Mapping[str, object]] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        content = {
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
            "scale": scale,
            "machine": asdict(machine),
            "versions": dict(versions),
            "ratios": {**earlier.get("ratios", {}), **self.ratios},
            "details": {**earlier.get("details", {}), **self.details},
        }
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
