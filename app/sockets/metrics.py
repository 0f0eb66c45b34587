"""What is counted of the sockets of one process."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class SocketMetrics:
    """Open sockets, running operations, results sent, and why sockets were closed."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.sockets = Gauge("laurel_sockets", "Open sockets.", registry=registry, multiprocess_mode="livesum")
        self.operations = Gauge(
            "laurel_socket_operations",
            "Operations that run on sockets.",
            ["type"],
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.sent = Counter("laurel_socket_results", "Results sent to sockets.", registry=registry)
        self._closed = Counter("laurel_socket_closes", "Sockets closed by the server.", ["code"], registry=registry)

    def closed(self, *, code: int) -> None:
        """The server closed a socket."""
        self._closed.labels(str(code)).inc()
