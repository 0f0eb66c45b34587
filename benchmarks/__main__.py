"""`python -m benchmarks [wallet|claims|push|scale|quote|budgets] [--json FILE]`: all of them unless one is named."""

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import asyncpg
import typer

from benchmarks.budgets import budgets
from benchmarks.claims import claims
from benchmarks.load import many_files
from benchmarks.machine import python_versions, this_machine
from benchmarks.measure import BadAnswers
from benchmarks.options import Options, real, small
from benchmarks.place import Place, open_place, say
from benchmarks.push import push
from benchmarks.quote import quote
from benchmarks.results import OtherScale, Results, Run, check_scale
from benchmarks.scale import scale
from benchmarks.servers import NoPeer, node_versions
from benchmarks.wallet import wallet
from persistence.embedded import EmbeddedError

RESULTS: Final = Path(__file__).parent / "results.json"
Benchmark: TypeAlias = Callable[[Place, Options, Results], None]
BENCHMARKS: Final[Mapping[str, Benchmark]] = {
    "wallet": wallet,
    "claims": claims,
    "push": push,
    "scale": scale,
    "quote": quote,
    "budgets": budgets,
}


class Which(StrEnum):
    """What can be measured by itself."""

    ALL = "all"
    WALLET = "wallet"
    CLAIMS = "claims"
    PUSH = "push"
    SCALE = "scale"
    QUOTE = "quote"
    BUDGETS = "budgets"


class Scale(StrEnum):
    """How much of it."""

    REAL = "real"
    SMALL = "small"


def main(
    which: Annotated[Which, typer.Argument(help="What to measure.")] = Which.ALL,
    *,
    json: Annotated[
        Path | None, typer.Option("--json", help="Where to write the ratios. All of them, at real scale: results.json.")
    ] = None,
    scale_: Annotated[
        Scale, typer.Option("--scale", help="small: a few thousand rows for a second, to see that it runs.")
    ] = Scale.REAL,
    rounds: Annotated[
        int | None, typer.Option("--rounds", min=1, help="Rounds in which every server has its turn.")
    ] = None,
    seconds: Annotated[float | None, typer.Option("--seconds", min=0.5, help="Length of a turn.")] = None,
) -> None:
    """Measure Laurel beside its peers, and print the ratios of docs/performance.md."""
    many_files()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that everything that was started ends
    options = _options(scale_, rounds=rounds, seconds=seconds)
    if json is None and which is Which.ALL and scale_ is Scale.REAL:
        json = RESULTS
    results = Results()
    try:
        if json is not None:
            check_scale(json, scale=scale_.value)
        with open_place() as place:
            for name, benchmark in BENCHMARKS.items():
                if which.value in {"all", name}:
                    say(f"{name} …")
                    benchmark(place, options, results)
            print(results.table())
            if json is not None:
                results.write(json, run=_run(place, options, scale=scale_.value))
                say(f"written to {json}")
    except (BadAnswers, EmbeddedError, NoPeer, OtherScale) as refused:
        say(f"laurel: {refused}")
        raise typer.Exit(1) from None


def _options(chosen: Scale, *, rounds: int | None, seconds: float | None) -> Options:
    make = real if chosen is Scale.REAL else small
    options = make()
    return make(
        rounds=options.rounds if rounds is None else rounds,
        seconds=options.seconds if seconds is None else seconds,
    )


def _run(place: Place, options: Options, *, scale: str) -> Run:
    date = time.strftime("%Y-%m-%d", time.gmtime())
    return Run(date, scale, options.rounds, options.seconds, this_machine(), _versions(place))


def _versions(place: Place) -> Mapping[str, str]:
    async def postgresql() -> str:
        session = await asyncpg.connect(place.database_url)
        try:
            return str(await session.fetchval("SHOW server_version"))
        finally:
            await session.close()

    return {**python_versions(), "postgresql": asyncio.run(postgresql()), **node_versions(place)}


if __name__ == "__main__":
    typer.run(main)
