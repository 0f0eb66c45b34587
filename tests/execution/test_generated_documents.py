"""Both ways of execution answer alike: drawn documents, drawn variables, drawn values and faults.

LAUREL_SAMENESS_CASES sets how many cases are run on each schema (a case is one execution of one document both ways).
"""

import asyncio
import gc
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from execution.compiled import COMPILER_FAILURE
from tests.execution.documents import DocumentWriter, VariableDrawer
from tests.execution.mocks import Mocks, mocked
from tests.execution.sameness import Pair, everything_settled
from tests.execution.schemas import Subject, corners, service

CASES = int(os.environ.get("LAUREL_SAMENESS_CASES", "2000"))
RUNS = 10
FAULT_RATES = (0, 0, 0.05, 0.15, 0.4)
SOON_RATES = (0, 0, 0.1)


@dataclass(slots=True)
class Bench:
    """A mocked schema and the two executors on it."""

    subject: Subject
    mocks: Mocks
    pair: Pair
    cases: int = 0
    kinds: set[str] = field(default_factory=set)

    def compare(self, random: Random) -> None:
        """Draw a document and run it both ways, several times, with other variables and other faults."""
        core = self.subject.schema._schema
        drawn = DocumentWriter(random, core).write()
        if self.pair.reference.prepare(drawn.text).errors:
            asyncio.run(self.run(drawn.text, {}, random))
            return
        drawer = VariableDrawer(random, core)
        self.kinds.add(drawn.operation_type)
        for _ in range(RUNS):
            asyncio.run(self.run(drawn.text, drawer.draw(drawn), random))
            self.cases += 1

    async def run(self, document: str, variables: dict[str, object], random: Random) -> None:
        seed, faults, soon = random.randrange(2**31), random.choice(FAULT_RATES), random.choice(SOON_RATES)
        start: Callable[[], object] = lambda: self.mocks.start(seed, fault_rate=faults, soon_rate=soon)  # noqa: E731
        await self.pair.same(document, variables, before=start, context=self.subject.context)
        await everything_settled()


@pytest.fixture(scope="module", params=[corners, service], ids=lambda make: str(make.__name__))
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    subject: Subject = request.param()
    with mocked(subject.schema) as mocks:
        mocks.refusals = subject.refusals
        yield Bench(subject, mocks, Pair.of(subject.schema))


# A failure cancels its siblings; what one that had not begun holds then complains, within graphql-core.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(max(600, CASES // 10))
def test_generated_documents_are_answered_alike(bench: Bench) -> None:
    # The first kind of randomness shrinks to the smallest failing document, the second draws larger ones.
    @settings(max_examples=CASES // RUNS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.randoms(use_true_random=False) | st.integers(0, 2**64).map(Random))
    def compare(random: Random) -> None:
        bench.compare(random)

    compare()
    gc.collect()
    counters = bench.pair.compiled.counters
    core = bench.subject.schema._schema
    roots = {"query": core.query_type, "mutation": core.mutation_type, "subscription": core.subscription_type}
    assert bench.kinds == {kind for kind, root in roots.items() if root}
    assert bench.cases >= CASES // 2, "most of the drawn documents are valid"
    assert COMPILER_FAILURE not in counters.fallbacks
    assert counters.fallbacks.total() < bench.cases / 5, f"most are compiled: {counters.fallbacks}"
