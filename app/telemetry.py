"""Metrics: requests by operation and outcome, latency, SQL per operation, batch sizes, outbox lag, sockets.

Label values are bounded: outcomes are a fixed set, operations are trusted names or name and document hash, and past
`MAX_OPERATIONS` they are "other". Requests are added up per operation and written down a few times a second, so that a
request pays for a few additions.

Several server processes share one folder of memory-mapped files (prometheus_client's multiprocess mode): any of them
answers `/metrics` for all. The parent calls `app.shared_metrics.share_metrics` before it starts them, since the
client library looks once, at its import.
"""

import os
from bisect import bisect_left
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from app.shared_metrics import SHARED_FOLDER_VARIABLE

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
MAX_OPERATIONS: Final = 300
OTHER: Final = "other"
OUTCOMES: Final = (
    "ok", "unauthenticated", "forbidden", "bad_user_input", "query_too_complex", "persisted_query_not_found",
    "rate_limited", "unavailable", "internal", "bad_request", "disconnected",
)  # fmt: skip
_LATENCY_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_STATEMENTS: Final = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
_BATCH: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class _Observed:
    """What a histogram is to be told of, added up: telling it of each costs more than many a request's own work."""

    __slots__ = ("_bounds", "_child", "_counts", "_sum")

    def __init__(self, child: Histogram, bounds: Sequence[float]) -> None:
        self._child = child
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def write_down(self) -> None:
        # The client library has no way to add many at once; `Histogram.observe` does this with each.
        buckets, total = self._child._buckets, self._child._sum  # noqa: SLF001 - a test compares it with `observe`
        for bucket, count in zip(buckets, self._counts, strict=True):
            if count:
                bucket.inc(count)
        total.inc(self._sum)
        self._counts = [0] * len(self._counts)
        self._sum = 0.0


class OperationMetrics:
    """The counters of one operation's label: added up here, and written down in a while."""

    __slots__ = ("_changed", "_children", "_is_changed", "_outcomes", "_requests", "_seconds", "_statements", "label")

    def __init__(
        self,
        label: str,
        *,
        requests: Counter,
        seconds: Histogram,
        statements: Histogram,
        changed: "Callable[[OperationMetrics], None]",
    ) -> None:
        self.label = label
        self._requests = requests
        self._children: dict[str, Counter] = {}
        self._outcomes: dict[str, int] = {}
        self._seconds = _Observed(seconds.labels(label), _LATENCY_SECONDS)
        self._statements = _Observed(statements.labels(label), _STATEMENTS)
        self._changed = changed
        self._is_changed = False

    def finished(self, outcome: str, *, seconds: float, statements: int) -> None:
        """Counts one request. The outcome is one of `OUTCOMES`."""
        self._outcomes[outcome] = self._outcomes.get(outcome, 0) + 1
        self._seconds.add(seconds)
        self._statements.add(statements)
        if not self._is_changed:
            self._is_changed = True
            self._changed(self)

    def write_down(self) -> None:
        """Writes what was counted since into the metrics."""
        for outcome, count in self._outcomes.items():
            child = self._children.get(outcome)
            if child is None:
                child = self._children[outcome] = self._requests.labels(self.label, outcome)
            child.inc(count)
        self._outcomes = {}
        self._seconds.write_down()
        self._statements.write_down()
        self._is_changed = False


class Telemetry:
    """Every metric of one process.

    `later` calls what it is given after a while: counts of requests are then written down together. Without it, each is
    written down at once.
    """

    def __init__(
        self, *, max_operations: int = MAX_OPERATIONS, later: Callable[[Callable[[], None]], object] | None = None
    ) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody reads
        self._registry = CollectorRegistry()
        self._max_operations = max_operations
        self._operations: dict[str, OperationMetrics] = {}
        self._later = later
        self._changed: list[OperationMetrics] = []
        self._also: list[Callable[[], None]] = []
        self._requests = Counter(
            "laurel_requests",
            "GraphQL operations answered, by operation and outcome.",
            ("operation", "outcome"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "laurel_request_seconds",
            "Seconds from a request's first byte to its answer.",
            ("operation",),
            registry=self._registry,
            buckets=_LATENCY_SECONDS,
        )
        self._statements = Histogram(
            "laurel_request_statements",
            "SQL statements that one operation ran.",
            ("operation",),
            registry=self._registry,
            buckets=_STATEMENTS,
        )
        self._batches = Histogram(
            "laurel_batch_size",
            "How many commands were decided, or keys loaded, at once.",
            ("batch",),
            registry=self._registry,
            buckets=_BATCH,
        )
        self._batch_children: dict[str, Histogram] = {}
        self._unexpected = Counter(
            "laurel_unexpected_errors", "Errors that nobody planned for: each has a log line.", registry=self._registry
        )
        self._outbox_lag = Gauge(
            "laurel_outbox_lag_seconds",
            "Age of the oldest event that is not published yet.",
            registry=self._registry,
            multiprocess_mode="livemostrecent",
        )
        self._violations = Gauge(
            "laurel_invariant_violations",
            "Rows that break an invariant, at its last check.",
            ("invariant",),
            registry=self._registry,
            multiprocess_mode="livemostrecent",
        )
        self._sockets = Gauge(
            "laurel_sockets", "Open WebSockets.", registry=self._registry, multiprocess_mode="livesum"
        )
        self._documents = Counter(
            "laurel_documents", "Look-ups of persisted documents, by result.", ("result",), registry=self._registry
        )

    @property
    def registry(self) -> CollectorRegistry:
        """Where the parts that count for themselves (live push) put their metrics."""
        return self._registry

    def operation(self, label: str) -> OperationMetrics:
        """The counters of an operation; past the cap, those of all others together."""
        found = self._operations.get(label)
        if found is not None:
            return found
        if len(self._operations) >= self._max_operations and label != OTHER:
            return self.operation(OTHER)
        made = OperationMetrics(
            label,
            requests=self._requests,
            seconds=self._seconds,
            statements=self._statements,
            changed=self._note_change,
        )
        self._operations[label] = made
        return made

    def write_down(self) -> None:
        """Writes down what was counted since; on the event loop, where it is counted."""
        changed, self._changed = self._changed, []
        for metrics in changed:
            metrics.write_down()
        for write_down in self._also:
            write_down()

    def also_write_down(self, write_down: Callable[[], None]) -> None:
        """Has something else written down along with what was counted of requests: what others add up themselves."""
        self._also.append(write_down)

    def _note_change(self, metrics: OperationMetrics) -> None:
        self._changed.append(metrics)
        if self._later is None:
            self.write_down()
        elif len(self._changed) == 1:
            self._later(self.write_down)

    def batch(self, name: str, *, size: int) -> None:
        """Counts one batch. The name is a constant of the code: `claim_coupons`, `coupons_by_member`."""
        child = self._batch_children.get(name)
        if child is None:
            child = self._batch_children[name] = self._batches.labels(name)
        child.observe(size)

    def unexpected_error(self) -> None:
        """Counts an error that was masked."""
        self._unexpected.inc()

    def document_lookup(self, result: str) -> None:
        """Counts a persisted document that was found (`hit`), registered or not known (`miss`)."""
        self._documents.labels(result).inc()

    def invariant_violations(self, name: str, *, count: int) -> None:
        """Tells how many rows break an invariant; anything but 0 is an incident."""
        self._violations.labels(name).set(count)

    def outbox_lag(self, seconds: float) -> None:
        """Tells how far publishing is behind; the relay calls it in each round."""
        self._outbox_lag.set(seconds)

    def socket_opened(self) -> None:
        """A WebSocket was accepted."""
        self._sockets.inc()

    def socket_closed(self) -> None:
        """A WebSocket ended, however it did."""
        self._sockets.dec()

    def exposition(self) -> bytes:
        """The metrics in Prometheus's text format, of all server processes: as far as they were written down."""
        folder = os.environ.get(SHARED_FOLDER_VARIABLE)
        if folder is None:
            return generate_latest(self._registry)
        _forget_dead_processes(Path(folder))
        everyone = CollectorRegistry()
        MultiProcessCollector(everyone, path=folder)  # type: ignore[no-untyped-call]
        return generate_latest(everyone)


def _forget_dead_processes(folder: Path) -> None:
    """Removes the gauges of processes that are no more; what they counted stays, for a counter never falls."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        if not pid.isdigit():
            continue
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            file.unlink(missing_ok=True)
        except PermissionError:
            continue
