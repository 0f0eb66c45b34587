"""What is counted of plans: found or made, put out, compiled, and those that the reference had to run."""

from collections.abc import Mapping
from typing import Final

from prometheus_client import Counter

from app.telemetry import Telemetry
from execution import Counters


class PlanMetrics:
    """Shows what one executor counted, whenever the counts of requests are written down.

    The executor counts for itself, at a few nanoseconds each; what has been added since is brought here.
    """

    def __init__(self, telemetry: Telemetry, counters: Counters) -> None:
        registry = telemetry.registry
        self._counters = counters
        self._told: dict[tuple[str, str], int] = {}
        self._runs: Final = Counter(
            "laurel_plans",
            "Operations that ran on a plan that was there (hit), and documents that had to be read (miss).",
            ("result",),
            registry=registry,
        )
        self._evictions: Final = Counter("laurel_plan_evictions", "Plans that made room for others.", registry=registry)
        self._compiled: Final = Counter("laurel_plans_compiled", "Plans that were compiled.", registry=registry)
        self._fallbacks: Final = Counter(
            "laurel_plan_fallbacks",
            "Operations that graphql-core ran, by why they were not compiled.",
            ("reason",),
            registry=registry,
        )
        telemetry.also_write_down(self.write_down)

    def write_down(self) -> None:
        """Adds what was counted since the last time."""
        counters = self._counters
        self._add("plans", {"hit": counters.hits, "miss": counters.misses}, self._runs)
        self._add("fallbacks", counters.fallbacks, self._fallbacks)
        for name, count, metric in (
            ("evictions", counters.evictions, self._evictions),
            ("compiled", counters.compiled, self._compiled),
        ):
            metric.inc(self._since(name, "", count))

    def _add(self, name: str, counts: Mapping[str, int], metric: Counter) -> None:
        for label, count in counts.items():
            added = self._since(name, label, count)
            if added:
                metric.labels(label).inc(added)

    def _since(self, name: str, label: str, count: int) -> int:
        added = count - self._told.get((name, label), 0)
        self._told[name, label] = count
        return added
