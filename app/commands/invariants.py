"""`python -m app check-invariants`: everything that must always hold, recomputed from the rows."""

import asyncio

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from app.commands.servers import in_one_line, reachable_settings
from app.settings import Settings


def check_invariants() -> int:
    """Prints what breaks an invariant; the exit status is 1 when anything does."""
    return in_one_line(_check)


def _check() -> int:
    with reachable_settings() as settings:
        return asyncio.run(_run(settings))


async def _run(settings: Settings) -> int:
    from app.jobs import ALL_CHECKS, VIOLATIONS_SHOWN
    from app.wiring import open_database
    from persistence.invariants import SqlInvariants

    console = Console(stderr=True)
    broken = 0
    async with open_database(settings) as database:
        invariants = SqlInvariants(database, checks=ALL_CHECKS)
        with Progress(console=console, transient=True) as progress:
            for name in progress.track(invariants.names, description="checking"):
                for violation in await invariants.violations_of(name, limit=VIOLATIONS_SHOWN):
                    broken += 1
                    # What rows hold may be a caller's words: they are no markup, and stay on their line.
                    found = escape(f"{violation.name}: {violation.detail}")
                    console.print(f"[red]broken[/red] {found}", soft_wrap=True, highlight=False)
    console.print(f"{len(ALL_CHECKS)} invariants, {broken} rows that break one")
    return 1 if broken else 0
