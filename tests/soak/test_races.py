"""The races in short. In full, and with every kill: `make soak`."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.laurel import Laurel
from tests.soak.arena import arena_of, four_processes
from tests.soak.races import RACES, Race, Size
from tests.soak.report import Tally

SHORT = Size(
    flash_rounds=2, flash_claims=400, flash_members=40, limit_members=2, till_rounds=10, cancel_rounds=10,
    budget_covers=20, budget_redemptions=120, same_key=30,
)  # fmt: skip
FAR = Size(
    flash_rounds=1, flash_claims=100, flash_members=20, limit_members=1, till_rounds=2, cancel_rounds=2,
    budget_covers=2, budget_redemptions=6, same_key=4,
)  # fmt: skip


@pytest.fixture(scope="module")
def near(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laurel]:
    with four_processes(tmp_path_factory.mktemp("near"), slow=False) as laurel:
        yield laurel


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laurel]:
    with four_processes(tmp_path_factory.mktemp("far"), slow=True) as laurel:
        yield laurel


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.__name__)
async def test_what_was_answered_in_a_race_is_true(near: Laurel, race: Race) -> None:
    async with arena_of(near, clients=50) as arena:
        tally = await race(arena, SHORT)
    assert tally.broken == []
    assert tally.acknowledged > 0
    assert tally.verified == tally.acknowledged + tally.refused


async def test_it_is_true_when_the_database_is_5_to_50_ms_away(far: Laurel) -> None:
    # All races at the same time: what takes long here is waiting.
    async def run(race: Race) -> Tally:
        async with arena_of(far, clients=12) as arena:
            return await race(arena, FAR)

    for tally in await asyncio.gather(*map(run, RACES)):
        assert tally.broken == []
        assert tally.verified == tally.acknowledged + tally.refused > 0
