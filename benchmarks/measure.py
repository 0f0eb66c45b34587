"""Measuring servers side by side: A B A B, so that whatever the machine does meets all of them."""

import itertools
import json
import math
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Final

from benchmarks.load import Plan
from benchmarks.place import REPOSITORY, Place, say
from benchmarks.servers import Server

_MICRO: Final = 1_000_000
# As long for each: the same number of answers would leave those that compile as they go half warm.
WARM_UP_SECONDS: Final = 10.0
WARM_UP_TURNS: Final = 3


class BadAnswers(Exception):
    """A server did not answer as it should; what it measures would mean nothing."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One server in one round. CPU in microseconds per answer, None where the system does not tell."""

    per_second: float
    p50_ms: float
    p99_ms: float
    server_us: float | None
    storage_us: float | None
    client_us: float


@dataclass(slots=True)
class Contender:
    """A server, what it is asked, and how it did."""

    server: Server
    requests: Callable[[int], list[str]]
    """The requests of a round."""
    expected: str
    samples: list[Sample] = field(default_factory=list)

    def median(self, of: Callable[[Sample], float | None]) -> float | None:
        """The median of one figure over the rounds."""
        values = [value for sample in self.samples if (value := of(sample)) is not None]
        return statistics.median(values) if values else None

    @property
    def per_second(self) -> float:
        """The median of answers per second."""
        return self.median(lambda sample: sample.per_second) or math.nan

    @property
    def total_us(self) -> float:
        """The median of CPU per answer, PostgreSQL's included."""
        return self.median(lambda s: None if s.server_us is None else s.server_us + (s.storage_us or 0)) or math.nan


@dataclass(frozen=True, slots=True)
class Pace:
    """How long and how hard."""

    rounds: int
    seconds: float
    connections: int = 16


def alternate(place: Place, contenders: Sequence[Contender], *, pace: Pace) -> None:
    """Warms every server, then measures them in turn, round by round."""
    warm = replace(pace, seconds=min(WARM_UP_SECONDS, pace.seconds * WARM_UP_TURNS))
    # A seed for each turn: keys of idempotency are drawn from it, and are never used twice.
    seeds = itertools.count(1)
    for contender in contenders:
        _measure(place, contender, pace=warm, round_=0, seed=next(seeds))
    for round_ in range(1, pace.rounds + 1):
        for contender in contenders:
            sample = _measure(place, contender, pace=pace, round_=round_, seed=next(seeds))
            contender.samples.append(sample)
            say(f"  round {round_}  {contender.server.name:<22} {sample.per_second:>8,.0f}/s")


def _measure(place: Place, contender: Contender, *, pace: Pace, round_: int, seed: int) -> Sample:
    server = contender.server
    requests = contender.requests(round_)
    plan = Plan(
        port=server.port,
        connections=pace.connections,
        seconds=pace.seconds,
        requests=requests,
        expected=contender.expected,
        seed=seed,
    )
    server_before, storage_before = server.cpu_seconds(), place.storage_cpu_seconds()
    result = _load(plan)
    server_after, storage_after = server.cpu_seconds(), place.storage_cpu_seconds()
    answers = result["answers"] or math.nan
    if result["bad"] or (round_ and math.isnan(answers)):
        raise BadAnswers(f"{server.name}: {result['bad']} bad answers, {answers} good; the first: {result['example']}")
    return Sample(
        per_second=answers / result["seconds"],
        p50_ms=result["p50_ms"],
        p99_ms=result["p99_ms"],
        server_us=_each(server_before, server_after, count=result["all"]),
        storage_us=_each(storage_before, storage_after, count=result["all"]),
        client_us=result["cpu_seconds"] / result["all"] * _MICRO,
    )


def _load(plan: Plan) -> Mapping[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=json.dumps(asdict(plan)).encode(),
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
        check=True,
    )
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def _each(before: float | None, after: float | None, *, count: float) -> float | None:
    return None if before is None or after is None else (after - before) / count * _MICRO


def table(title: str, contenders: Sequence[Contender], *, against: Contender) -> str:
    """The figures of a run, medians over its rounds, each divided by one of them."""
    head = (
        f"\n{title}\n{'':<24}{'per s':>9}{'min - max':>17}{'p50 ms':>8}{'p99 ms':>8}"
        f"{'server µs':>11}{'storage µs':>11}{'client µs':>10}{'ratio':>7}"
    )
    return "\n".join([head, *(_row(each, against=against) for each in contenders)])


def _row(one: Contender, *, against: Contender) -> str:
    rates = [sample.per_second for sample in one.samples]
    return (
        f"{one.server.name:<24}{one.per_second:>9,.0f}{f'{min(rates):,.0f} - {max(rates):,.0f}':>17}"
        f"{_text(one.median(lambda s: s.p50_ms), places=1):>8}{_text(one.median(lambda s: s.p99_ms), places=1):>8}"
        f"{_text(one.median(lambda s: s.server_us)):>11}{_text(one.median(lambda s: s.storage_us)):>11}"
        f"{_text(one.median(lambda s: s.client_us)):>10}{one.per_second / against.per_second:>7.2f}"
    )


def _text(value: float | None, *, places: int = 0) -> str:
    return "-" if value is None else f"{value:,.{places}f}"


def figures(contenders: Sequence[Contender]) -> dict[str, dict[str, float | None]]:
    """The medians by server, for the results file; and of the rates the smallest and the largest."""
    return {
        one.server.name: {
            "per_second": _rounded(one.per_second),
            "per_second_min": _rounded(min(sample.per_second for sample in one.samples)),
            "per_second_max": _rounded(max(sample.per_second for sample in one.samples)),
            "p50_ms": _rounded(one.median(lambda s: s.p50_ms)),
            "p99_ms": _rounded(one.median(lambda s: s.p99_ms)),
            "server_us": _rounded(one.median(lambda s: s.server_us)),
            "storage_us": _rounded(one.median(lambda s: s.storage_us)),
        }
        for one in contenders
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
