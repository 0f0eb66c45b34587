"""`python -m app worker`: the background work alone."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from app.commands.servers import in_one_line, reachable_settings
from app.imports import lean_imports
from app.serve import CannotServe
from app.settings import Settings

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


def work() -> int:
    """Works until SIGINT or SIGTERM; returns the exit status."""
    return in_one_line(_work)


def _work() -> int:
    from app.logs import configure_logs

    with reachable_settings(meanwhile=_import_application) as settings:
        configure_logs(settings)
        asyncio.run(_run(settings))
    return 0


def _import_application() -> None:
    with lean_imports():
        import app.wiring  # noqa: F401 - takes longer than the servers


async def _run(settings: Settings) -> None:
    from app.wiring import open_core

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_core(settings) as core:
        with _metrics_page(settings, registry=core.telemetry.registry):
            task = asyncio.create_task(core.worker.run())
            await stop.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@contextmanager
def _metrics_page(settings: Settings, *, registry: "CollectorRegistry") -> Iterator[None]:
    """`/metrics` of this process, in a thread of its own, where a port is set for it."""
    if settings.worker_metrics_port is None:
        yield
        return
    from prometheus_client import start_http_server

    try:
        server, thread = start_http_server(settings.worker_metrics_port, addr=settings.host, registry=registry)
    except OSError as error:
        place = f"{settings.host}:{settings.worker_metrics_port}"
        raise CannotServe(f"cannot show metrics on {place}: {error.strerror}") from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
