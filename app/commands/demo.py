"""`python -m app demo`: the demo programme, a part of it or all of it."""

import asyncio

from app.commands.servers import in_one_line, reachable_settings
from app.serve import CannotServe, tell
from app.settings import Settings


def load_demo_programme(*, full: bool) -> int:
    """Loads what is not there yet, with a progress bar; returns the exit status."""
    return in_one_line(lambda: _load(full=full))


def _load(*, full: bool) -> int:
    with reachable_settings() as settings:
        asyncio.run(_migrate_and_load(settings, full=full))
    return 0


async def _migrate_and_load(settings: Settings, *, full: bool) -> None:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from app.demo.load import load_demo
    from app.demo.source import DemoUnavailable
    from app.prepare import prepare_schema
    from persistence.demo.store import RegisteredMeanwhile

    await prepare_schema(settings)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("order lines", total=None)
        try:
            loaded = await load_demo(
                settings, full=full, progress=lambda done, total: bar.update(task, completed=done, total=total)
            )
        except (DemoUnavailable, RegisteredMeanwhile) as reason:
            raise CannotServe(str(reason)) from None
    tell(f"{loaded.members} members with {loaded.lines} order lines loaded, {loaded.already_there} were there already")
