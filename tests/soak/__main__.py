"""`make soak`: every race in full, near its database and far from it, and hundreds of kills; then an honest table."""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import TaskID

from tests.laurel import Laurel
from tests.servers import begin_run, end_run, quick_folder
from tests.soak.arena import arena_of, four_processes
from tests.soak.crashes import BACK_SECONDS, Crashes, Progress, crash
from tests.soak.races import Race, Size
from tests.soak.races_of_orders import RACES
from tests.soak.report import Tally, show

CLIENTS: Final = 200
# A network makes every lock last a hundred times as long: the same races with fewer of each.
FAR: Final = Size(
    flash_rounds=20, flash_claims=2000, flash_members=200, limit_members=10, till_rounds=20, cancel_rounds=20,
    reserve_rounds=10, refund_rounds=20,
)  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """Runs what was asked for; the exit status is 1 when anything is broken."""
    parser = argparse.ArgumentParser(prog="make soak ARGS=…", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="processes to kill (200)")
    parser.add_argument("--rounds", type=int, default=20, help="rounds of the flash sale (20)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="decides what is killed when, and the load")
    parser.add_argument("--only", choices=("races", "far", "crashes"), action="append", help="one part; repeatable")
    given = parser.parse_args(arguments)
    parts = given.only or ["races", "far", "crashes"]
    console = Console(width=max(110, Console().width))
    console.print(f"seed {given.seed}: ARGS='--seed {given.seed}' kills the same in the same order")
    began = time.monotonic()
    tallies: list[Tally] = []
    begin_run()
    try:
        if "races" in parts:
            tallies += asyncio.run(_races(Size(flash_rounds=given.rounds), console=console))
        if "far" in parts:
            tallies += asyncio.run(
                _far_races(replace(FAR, flash_rounds=given.rounds), console=console, seed=given.seed)
            )
    finally:
        end_run()
    if "crashes" in parts:
        tallies += asyncio.run(_crashes(given.kills, console=console, seed=given.seed))
    show(tallies, console=console)
    broken = sum(len(tally.broken) for tally in tallies)
    console.print(f"{broken} broken, {time.monotonic() - began:.0f} s, seed {given.seed}")
    return 1 if broken else 0


async def _races(size: Size, *, console: Console) -> list[Tally]:
    """Each race on four processes of its own, so that one does not hide what another left behind."""
    tallies: list[Tally] = []
    for race in RACES:
        with (
            tempfile.TemporaryDirectory(prefix="laurel-soak-") as folder,
            four_processes(Path(folder), slow=False) as laurel,
        ):
            tallies.append(await _race(race, laurel, size=size, console=console))
    return tallies


async def _far_races(size: Size, *, console: Console, seed: int) -> list[Tally]:
    """All at the same time on four processes behind a network: most of it is waiting."""
    with (
        tempfile.TemporaryDirectory(prefix="laurel-soak-") as folder,
        four_processes(Path(folder), slow=True, seed=seed) as laurel,
    ):
        tallies = await asyncio.gather(*(_race(race, laurel, size=size, console=console) for race in RACES))
    for tally in tallies:
        tally.scenario = f"5-50 ms away: {tally.scenario}"
    return list(tallies)


async def _race(race: Race, laurel: Laurel, *, size: Size, console: Console) -> Tally:
    began = time.monotonic()
    async with arena_of(laurel, clients=CLIENTS) as arena:
        tally = await race(arena, size)
    console.print(f"{_in_short(tally)}, {time.monotonic() - began:.0f} s")
    return tally


async def _crashes(kills: int, *, console: Console, seed: int) -> list[Tally]:
    folder = quick_folder("laurel-soak-")
    with Bar(console=console) as bar:
        task = bar.add_task("killing", total=kills)
        run = await crash(folder, kills=kills, seed=seed, tell=lambda progress: _tell(bar, task, progress))
    shutil.rmtree(folder, ignore_errors=True)
    tallies = [run.tallies[kind] for kind in sorted(run.tallies)]
    _note_slow(run)
    times = run.times
    console.print(
        f"writes that had no answer and were sent again: {times.unanswered:,}; errors that nobody foresaw: "
        f"{times.masked}; the longest that anybody waited for an answer: {times.longest_wait:.2f} s"
    )
    return [run.all, *tallies]


def _note_slow(run: Crashes) -> None:
    for kind, tally in run.tallies.items():
        if (tally.longest_outage or 0.0) > BACK_SECONDS:
            tally.broken.append(f"{kind}: back after {tally.longest_outage:.2f} s, not within {BACK_SECONDS:.0f}")
    if run.times.masked:
        run.all.broken.append(f"{run.times.masked} errors that nobody foresaw: INTERNAL instead of UNAVAILABLE")


def _tell(bar: Bar, task: TaskID, progress: Progress) -> None:
    bar.update(task, completed=progress.kills)
    bar.console.print(
        f"round {progress.round}/{progress.rounds}  killed {progress.kills}  acknowledged {progress.acknowledged:,}  "
        f"verified {progress.verified:,}  broken {progress.broken}  [dim]{progress.last}[/dim]"
    )


def _in_short(tally: Tally) -> str:
    return (
        f"{tally.scenario}: {tally.rounds} rounds, {tally.acknowledged:,} acknowledged, {tally.refused:,} refused, "
        f"{tally.verified:,} verified, {len(tally.broken)} broken"
    )


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main(sys.argv[1:]))
