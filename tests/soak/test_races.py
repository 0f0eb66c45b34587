"""The races in short. In full, and with every kill: `make soak`."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.soak.arena import arena_of, four_processes
from tests.soak.races import Race, Size, limit_per_member
from tests.soak.races_of_orders import RACES
from tests.soak.report import Tally
from tests.soak.same_key import same_key

SHORT = Size(
    flash_rounds=1, flash_claims=400, flash_members=40, limit_members=2, till_rounds=6, cancel_rounds=6,
    reserve_rounds=6, refund_rounds=6, budget_covers=15, budget_redemptions=60, same_key=20,
)  # fmt: skip
FAR = Size(
    flash_rounds=1, flash_claims=100, flash_members=20, limit_members=1, till_rounds=2, cancel_rounds=1,
    reserve_rounds=1, refund_rounds=1, budget_covers=2, budget_redemptions=6, same_key=3,
)  # fmt: skip
# As many at once as there are clients: of these there are to be many also far away.
FAR_CLIENTS: Mapping[Race, int] = {limit_per_member: 50, same_key: 26}


@pytest.mark.timeout(400)
async def test_what_was_answered_in_a_race_is_true(tmp_path: Path) -> None:
    with four_processes(tmp_path, slow=False) as laurel:
        async with arena_of(laurel, clients=50) as arena:
            tallies = [await race(arena, SHORT) for race in RACES]
    require_true(tallies)


@pytest.mark.timeout(400)
async def test_it_is_true_when_the_database_is_5_to_50_ms_away(tmp_path: Path) -> None:
    with four_processes(tmp_path, slow=True) as laurel:
        # All races at the same time: what takes long here is waiting.
        async def run(race: Race) -> Tally:
            async with arena_of(laurel, clients=FAR_CLIENTS.get(race, 12)) as arena:
                return await race(arena, FAR)

        tallies = await asyncio.gather(*map(run, RACES))
    require_true(tallies)


def require_true(tallies: Sequence[Tally]) -> None:
    for tally in tallies:
        assert tally.broken == []
        assert tally.verified == tally.acknowledged + tally.refused > 0
