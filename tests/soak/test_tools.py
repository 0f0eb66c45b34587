"""What the suites are made of does what they rely on."""

import random
import time
from collections import Counter

import asyncpg
from rich.console import Console

from tests.soak.proxy import slow_network
from tests.soak.report import Tally, show
from tests.soak.supervisor import SHARES, drawn


async def test_the_network_takes_its_time_in_both_directions_and_changes_nothing(database_url: str) -> None:
    large = "x" * 500_000
    with slow_network(database_url, milliseconds=(20, 40)) as url:
        connection = await asyncpg.connect(url)
        began = time.monotonic()
        for number in range(5):
            assert await connection.fetchval("SELECT $1::int", number) == number
        assert time.monotonic() - began >= 5 * 2 * 0.020
        assert await connection.fetchval("SELECT $1::text", large) == large
        await connection.close()


def test_every_kind_is_killed_and_the_same_seed_kills_the_same() -> None:
    order = drawn(200, chance=random.Random(7))
    assert order == drawn(200, chance=random.Random(7))
    assert set(Counter(order)) == set(SHARES)
    assert len(order) == 200


def test_the_table_hides_nothing_that_is_broken() -> None:
    tally = Tally("a race", rounds=1)
    tally.count("DONE")
    tally.count("SOLD_OUT")
    tally.verify("it is there", holds=True)
    tally.verify("one remains", holds=False)
    console = Console(record=True, width=120)
    show([tally], console=console)
    text = console.export_text()
    assert "a race: one remains" in text
    assert [tally.acknowledged, tally.refused, tally.verified, len(tally.broken)] == [1, 1, 1, 1]
