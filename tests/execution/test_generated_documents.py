"""Both ways of execution answer alike: drawn documents, drawn variables, drawn values and faults.

LAUREL_SAMENESS_CASES sets how many cases are run (a case is one execution of one document both ways).
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

import pytest
import strawberry
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.execution.corner_schema import Declined, Refusal, corner_schema
from tests.execution.documents import DocumentWriter, VariableDrawer
from tests.execution.mocks import Mocks, mocked
from tests.execution.sameness import Pair

CASES = int(os.environ.get("LAUREL_SAMENESS_CASES", "2000"))
RUNS = 10
FAULT_RATES = (0, 0, 0.05, 0.15, 0.4)
SOON_RATES = (0, 0, 0.1)


@dataclass(slots=True)
class Bench:
    """A mocked schema and the two executors on it."""

    schema: strawberry.Schema
    mocks: Mocks
    pair: Pair
    cases: int = 0
    kinds: set[str] = field(default_factory=set)

    def compare(self, random: Random) -> None:
        """Draw a document and run it both ways, several times, with other variables and other faults."""
        core = self.schema._schema
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
        await self.pair.same(document, variables, before=start)
        await everything_settled()


async def everything_settled() -> None:
    """Let what goes on in the background (siblings of a failed field) come to its end before the loop is closed."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.gather(*others, return_exceptions=True)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    schema = corner_schema()
    with mocked(schema) as mocks:
        mocks.refusals = (lambda: Refusal("refused"), lambda: Declined("declined"))
        yield Bench(schema, mocks, Pair.of(schema))


# A failure cancels its siblings; one that had not begun then complains, as it does within graphql-core.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(max(120, CASES // 20))
def test_generated_documents_are_answered_alike(bench: Bench) -> None:
    # The first kind of randomness shrinks to the smallest failing document, the second draws larger ones.
    @settings(max_examples=CASES // RUNS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.randoms(use_true_random=False) | st.integers(0, 2**64).map(Random))
    def compare(random: Random) -> None:
        bench.compare(random)

    compare()
    counters = bench.pair.compiled.counters
    assert bench.kinds == {"query", "mutation", "subscription"}
    assert bench.cases >= CASES // 2, "most of the drawn documents are valid"
    assert counters.fallbacks.total() < bench.cases / 5, f"most are compiled: {counters.fallbacks}"
