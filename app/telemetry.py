"""Metrics: requests by operation and outcome, latency, SQL per operation, batch sizes, outbox lag, sockets.

Label values are bounded: outcomes are a fixed set, operations are trusted names or name and document hash, and past
`MAX_OPERATIONS` they are "other". Children are bound once per operation, so that a request pays for two additions.

Several server processes share one folder of memory-mapped files (prometheus_client's multiprocess mode): any of them
answers `/metrics` for all. The parent calls `app.shared_metrics.share_metrics` before it starts them, since the
client library looks once, at its import.
"""

import os
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


class OperationMetrics:
    """The bound counters of one operation's label."""

    __slots__ = ("_outcomes", "_requests", "_seconds", "_statements", "label")

    def __init__(self, label: str, *, requests: Counter, seconds: Histogram, statements: Histogram) -> None:
        self.label = label
        self._requests = requests
        self._outcomes: dict[str, Counter] = {}
        self._seconds = seconds.labels(label)
        self._statements = statements.labels(label)

    def finished(self, outcome: str, *, seconds: float, statements: int) -> None:
        """Counts one request. The outcome is one of `OUTCOMES`."""
        counter = self._outcomes.get(outcome)
        if counter is None:
            counter = self._outcomes[outcome] = self._requests.labels(self.label, outcome)
        counter.inc()
        self._seconds.observe(seconds)
        self._statements.observe(statements)


class Telemetry:
    """Every metric of one process."""

    def __init__(self, *, max_operations: int = MAX_OPERATIONS) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody reads
        self._registry = CollectorRegistry()
        self._max_operations = max_operations
        self._operations: dict[str, OperationMetrics] = {}
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
        made = OperationMetrics(label, requests=self._requests, seconds=self._seconds, statements=self._statements)
        self._operations[label] = made
        return made

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
        """The metrics in Prometheus's text format, of all server processes."""
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
