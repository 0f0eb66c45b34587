"""`python -m app worker`: the background work alone."""

import asyncio
import signal

from app.commands.servers import in_one_line, reachable_settings
from app.settings import Settings


def work() -> int:
    """Works until SIGINT or SIGTERM; returns the exit status."""
    return in_one_line(_work)


def _work() -> int:
    from app.logs import configure_logs

    with reachable_settings() as settings:
        configure_logs(settings)
        asyncio.run(_run(settings))
    return 0


async def _run(settings: Settings) -> None:
    from app.wiring import open_core

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_core(settings) as core:
        task = asyncio.create_task(core.worker.run())
        await stop.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
