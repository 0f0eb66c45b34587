"""What one server process runs."""

import gc
import os
import signal
import socket

import uvicorn
import uvloop

from app.asgi import Process, open_process
from app.drain import DrainingServer
from app.http.protocol import DirectProtocol
from app.logs import configure_logs
from app.settings import Settings
from persistence.embedded import die_with_parent

KEEP_ALIVE_SECONDS = 75


def run_process(settings: Settings, listener: socket.socket, parent_pid: int) -> None:
    """Serves on the parent's socket until SIGTERM; dies with the parent, however that ends."""
    # The parent's handlers came along with the fork, and would swallow the signal that ends us before uvicorn sets its.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    # A group of its own: Ctrl-C reaches the parent alone, which then drains its children.
    os.setpgrp()
    die_with_parent(parent_pid=parent_pid)
    configure_logs(settings)
    collect_rarely()
    uvloop.run(_serve(settings, listener))


def collect_rarely() -> None:
    """Lets the garbage collector look less often than it would.

    A set of a thousand claims makes many short-lived objects and no rings: collecting at every 700 costs a third of its
    time. Measured at 1,000 claims in flight.
    """
    gc.set_threshold(20_000, 50, 1_000)


async def _serve(settings: Settings, listener: socket.socket) -> None:
    async with open_process(settings) as process:
        await server_of(process, settings=settings).serve(sockets=[listener])


def server_of(process: Process, *, settings: Settings) -> DrainingServer:
    """The HTTP server of an open process."""
    config = uvicorn.Config(
        process.app,
        http=DirectProtocol,
        interface="asgi3",
        # Nothing here asks for a client's address, and every layer is paid by every request.
        proxy_headers=False,
        ws="websockets-sansio",
        ws_max_size=settings.limit_body_bytes,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    return DrainingServer(config, drain=process.drain, seconds=settings.drain_seconds)
