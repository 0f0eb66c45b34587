"""Both ways of execution answer alike: drawn documents, drawn variables, drawn values and faults.

A case is one execution of one valid document both ways, with variables, values and faults of its own; each document is
executed `RUNS` times. There are 20,000 cases on the service's schema, in parts that run side by side, and 4,000 on that
of all corners; LAUREL_SAMENESS_CASES sets another number for each.
"""

import asyncio
import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from execution.compiled import COMPILER_FAILURE
from tests.execution.documents import DocumentWriter, VariableDrawer
from tests.execution.mocks import Mocks
from tests.execution.patches import mocked
from tests.execution.sameness import Pair, everything_settled, read_once, serialised
from tests.execution.schemas import Subject, corners, service

PARTS = 4
RUNS = 20
FAULT_RATES = (0, 0, 0.05, 0.15, 0.4)
SOON_RATES = (0, 0, 0.1)
WORLDS = 8
# So little that what is kept is put away again and again.
KEPT_BYTES = 20_000


@dataclass(slots=True)
class Bench:
    """A mocked schema and the two executors on it."""

    subject: Subject
    mocks: Mocks
    pair: Pair
    kept: "Kept"
    cases: int = 0
    kinds: set[str] = field(default_factory=set)

    @property
    def all_kinds(self) -> set[str]:
        """The kinds of operation that the schema has."""
        core = self.subject.schema._schema
        roots = {"query": core.query_type, "mutation": core.mutation_type, "subscription": core.subscription_type}
        return {kind for kind, root in roots.items() if root}

    def compare(self, random: Random) -> None:
        """Draw a document and run it both ways, several times, with other variables and other faults."""
        core = self.subject.schema._schema
        drawn = DocumentWriter(random, core).write()
        if self.pair.reference.prepare(drawn.text).errors:
            asyncio.run(self.run(drawn.text, {}, Drawn.by(random)))
            return
        drawer = VariableDrawer(random, core)
        self.kinds.add(drawn.operation_type)
        # Fewer than runs, so that the same objects are met with other variables: what was kept of them must be right.
        worlds = [Drawn.by(random) for _ in range(WORLDS)]
        with asyncio.Runner() as runner:
            for _ in range(RUNS):
                runner.run(self.run(drawn.text, drawer.draw(drawn), random.choice(worlds)))
                self.cases += 1

    async def run(self, document: str, variables: dict[str, object], drawn: "Drawn") -> None:
        start = partial(self.mocks.start, drawn.seed, fault_rate=drawn.fault_rate, soon_rate=drawn.soon_rate)
        await self.pair.same(document, variables, before=start, context=self.subject.context)
        await everything_settled()


@dataclass(frozen=True, slots=True)
class Drawn:
    """What the values of a run are drawn from."""

    seed: int
    fault_rate: float
    soon_rate: float

    @staticmethod
    def by(random: Random) -> "Drawn":
        return Drawn(random.randrange(2**31), random.choice(FAULT_RATES), random.choice(SOON_RATES))


@dataclass(slots=True)
class Kept:
    """How many objects were serialised to be kept."""

    count: int = 0

    def serialised(self, data: dict[str, object]) -> object:
        self.count += 1
        return serialised(data)


@contextmanager
def bench_of(subject: Subject) -> Iterator[Bench]:
    kept = Kept()
    with mocked(subject.schema) as mocks, read_once():
        mocks.refusals = subject.refusals
        # As a server's executor is made: with what many answers show alike kept serialised.
        pair = Pair.of(subject.schema, fragments=kept.serialised, fragments_bytes=KEPT_BYTES)
        yield Bench(subject, mocks, pair, kept)


def cases_of(default: int) -> int:
    """How many cases a part has."""
    return int(os.environ.get("LAUREL_SAMENESS_CASES", default)) // PARTS


# A failure cancels its siblings; what one that had not begun holds then complains, within graphql-core.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize(("make", "default"), [(service, 20_000), (corners, 4_000)], ids=["service", "corners"])
def test_generated_documents_are_answered_alike(make: Callable[[], Subject], default: int, part: int) -> None:
    cases = cases_of(default)
    with bench_of(make()) as bench:
        # The first kind of randomness shrinks to the smallest failing document, the second draws larger ones.
        @settings(
            max_examples=ceil(cases / RUNS), deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(st.randoms(use_true_random=False) | st.integers(0, 2**64).map(Random))
        def compare(random: Random) -> None:
            bench.compare(random)

        compare()
        # One in eight of the documents was not valid: it was compared too, but it is no case.
        more = Random(part)
        while bench.cases < cases or bench.kinds != bench.all_kinds:
            bench.compare(Random(more.random()))
        gc.collect()
    counters = bench.pair.compiled.counters
    assert COMPILER_FAILURE not in counters.fallbacks
    assert counters.fallbacks.total() < bench.cases / 5, f"most are compiled: {counters.fallbacks}"
    assert bench.kept.count > bench.cases / 100, "objects that answers show alike are kept"
