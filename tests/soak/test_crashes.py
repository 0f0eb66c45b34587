"""One kill of each kind. Two hundred of them, and the races in full: `make soak`."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import quick_folder
from tests.soak.crashes import ON_TOP, crash
from tests.soak.shop import CLAIM, CODES, EXCHANGE, ISSUE, RECORD, REDEEM, REDEEM_CODE, RESERVE, SYNC, VOID

LOAD = {CLAIM, CODES, EXCHANGE, ISSUE, RECORD, REDEEM, REDEEM_CODE, RESERVE, SYNC, VOID}
SEED = 20261122
KILLS = 8


@pytest.fixture
def folder() -> Iterator[Path]:
    made = quick_folder("laurel-crashes-")
    yield made
    shutil.rmtree(made)


@pytest.mark.timeout(400)
async def test_nothing_acknowledged_is_lost_doubled_or_half_applied_by_kill_9(folder: Path) -> None:
    run = await crash(folder, kills=KILLS, seed=SEED)
    assert run.all.broken == []
    assert [tally.broken for tally in run.tallies.values() if tally.broken] == []
    assert run.all.verified == run.all.acknowledged > 50
    assert set(run.book.keys.values()) >= LOAD, "each of these was sent while something was killed"
    assert sum(tally.rounds for kind, tally in run.tallies.items() if kind != ON_TOP) == KILLS
    # How long each took is nothing to ask under many other tests: `make soak` wants it within five seconds.
    assert run.times.masked == 0
