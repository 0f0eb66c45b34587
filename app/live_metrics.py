"""What is counted of live push: relay, hub, sockets, jobs. Failures are logged where they are counted."""

from typing import Final

import structlog
from prometheus_client import Counter, Gauge

from app.telemetry import Telemetry

_log: Final = structlog.get_logger(__name__)


class LiveMetrics:
    """The watch of `Relay`, `Hub`, `SocketServer`, `Follower` and `Worker` in one process."""

    def __init__(self, telemetry: Telemetry) -> None:
        registry = telemetry.registry
        self._telemetry = telemetry
        self._published = Counter("laurel_outbox_published", "Events published from the outbox.", registry=registry)
        self._failures = Counter(
            "laurel_outbox_failures", "Times that a server did not answer the relay.", ("server",), registry=registry
        )
        self._leading = Gauge(
            "laurel_outbox_relays", "Relays that publish: one.", registry=registry, multiprocess_mode="livesum"
        )
        self._listeners = Gauge(
            "laurel_live_listeners", "Listeners of streams of events.", registry=registry, multiprocess_mode="livesum"
        )
        self._connected = Gauge(
            "laurel_live_redis_connected",
            "Processes that hear Redis; the others ask PostgreSQL.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._catch_ups = Counter(
            "laurel_live_catch_ups",
            "Reads of events from PostgreSQL: a gap of the bus, or a slow listener.",
            ("reason",),
            registry=registry,
        )
        self._cuts = Counter("laurel_socket_cuts", "Sockets closed by the server.", ("code",), registry=registry)
        self._catalogue_failures = Counter(
            "laurel_catalogue_failures", "Times that PostgreSQL did not answer for the catalogue.", registry=registry
        )
        self._catalogue_lapses = Counter(
            "laurel_catalogue_lapsed_seconds",
            "Seconds in which a process's catalogue was not known to be fresh.",
            registry=registry,
        )
        self._jobs = Counter("laurel_job_runs", "Runs of periodic jobs.", ("job", "outcome"), registry=registry)
        self._job_seconds = Gauge(
            "laurel_job_seconds",
            "How long the last run of a job took.",
            ("job",),
            registry=registry,
            multiprocess_mode="livemostrecent",
        )

    # ── the relay ───────────────────────────────────────────────────────────────────────────────────────────────────

    def leads(self, *, leading: bool) -> None:
        """Whether this process is the one that publishes."""
        self._leading.set(int(leading))

    def published(self, *, count: int) -> None:
        """So many events were published and marked."""
        self._published.inc(count)

    def lags(self, *, seconds: float) -> None:
        """The age of the oldest event that waits to be published; 0 when none waits."""
        self._telemetry.outbox_lag(seconds)

    def failed(self, *, server: str, error: Exception) -> None:
        """PostgreSQL or Redis did not answer the relay."""
        self._failures.labels(server).inc()
        _log.warning("relay.waits", server=server, reason=type(error).__name__)

    # ── the hub ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def listeners(self, *, count: int) -> None:
        """So many listeners are open in this process."""
        self._listeners.set(count)

    def connected(self, *, connected: bool) -> None:
        """Whether Redis brings events, or PostgreSQL is asked for them."""
        self._connected.set(int(connected))

    def caught_up(self, *, reason: str) -> None:
        """Events were read from PostgreSQL: a `gap` of the bus, or a `slow` listener."""
        self._catch_ups.labels(reason).inc()

    # ── the sockets ─────────────────────────────────────────────────────────────────────────────────────────────────

    def socket_opened(self) -> None:
        """A socket was accepted."""
        self._telemetry.socket_opened()

    def socket_closed(self) -> None:
        """A socket ended, however it did."""
        self._telemetry.socket_closed()

    def socket_cut(self, *, code: int) -> None:
        """The server closed a socket, and this is why."""
        self._cuts.labels(str(code)).inc()

    # ── the catalogue ───────────────────────────────────────────────────────────────────────────────────────────────

    def catalogue_read(self, *, version: int, things: int) -> None:
        """A version of the catalogue was read; so many things are listed."""
        _log.debug("catalogue.read", version=version, things=things)

    def catalogue_lost(self, *, error: Exception) -> None:
        """PostgreSQL did not answer for the catalogue: it is tried again."""
        self._catalogue_failures.inc()
        _log.warning("catalogue.waits", reason=type(error).__name__)

    def catalogue_lapsed(self, *, seconds: float) -> None:
        """For so long the catalogue was not known to be fresh, and everything was read from the database."""
        self._catalogue_lapses.inc(seconds)
        _log.warning("catalogue.lapsed", seconds=round(seconds, 3))

    # ── the worker ──────────────────────────────────────────────────────────────────────────────────────────────────

    def job_finished(self, *, name: str, seconds: float) -> None:
        """A job was run to its end."""
        self._jobs.labels(name, "ok").inc()
        self._job_seconds.labels(name).set(seconds)

    def job_failed(self, *, name: str, error: Exception) -> None:
        """A job failed; it is run again at its next time."""
        self._jobs.labels(name, "failed").inc()
        _log.error("job.failed", job=name, exc_info=error)

    def task_failed(self, *, name: str, error: Exception) -> None:
        """A task of the worker ended; it is started again."""
        _log.error("worker.task_failed", task=name, exc_info=error)
