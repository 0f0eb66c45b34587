"""What the suites are made of does what they rely on."""

import asyncio
import random
import time
from collections import Counter
from pathlib import Path

import asyncpg
import pytest
from graphql import get_named_type
from rich.console import Console

from tests.soak import crashes
from tests.soak.client import Times
from tests.soak.crashes import ON_TOP, Crashes
from tests.soak.journeys import Book, Load
from tests.soak.proxy import slow_network
from tests.soak.report import Tally, show
from tests.soak.same_key import WRITES
from tests.soak.supervisor import SHARES, Supervisor, drawn
from tests.world import SCHEMA


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


def test_every_write_of_the_schema_is_raced_under_one_key() -> None:
    """A mutation that is new is missing here: say in `tests/soak/same_key.py` how it is raced."""
    mutations = SCHEMA._schema.mutation_type
    assert mutations is not None
    keyed = {
        name
        for name, field in mutations.fields.items()
        if "idempotencyKey" in get_named_type(field.args["input"].type).fields
    }
    assert set(WRITES) == keyed == set(mutations.fields)


async def test_kills_upon_one_another_are_timed_from_the_last_of_them_on_a_line_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited_for: list[set[int]] = []

    async def is_back(run: Crashes, at: float, *, killed: set[int]) -> bool:
        waited_for.append(killed)
        run.times.answered.append((time.monotonic(), time.monotonic()))
        return time.monotonic() - at > 0.1

    monkeypatch.setattr(Crashes, "_is_back", is_back)
    monkeypatch.setattr(crashes, "KILLS", {kind: lambda _run, _chance, n=n: {n} for n, kind in enumerate("ab")})
    run = Crashes(Supervisor(Path(), 0, {}), Load([]), Book(), Times(), random.Random(1))
    await run._kill("a", mend=False)
    await asyncio.sleep(0.5)
    await run._kill("b", mend=True)
    assert {kind: (tally.rounds, tally.longest_outage is None) for kind, tally in run.tallies.items()} == {
        "a": (1, True), "b": (1, True), ON_TOP: (1, False),
    }  # fmt: skip
    outage = run.tallies[ON_TOP].longest_outage
    assert outage is not None
    assert 0.1 < outage < 0.5
    assert waited_for[-1] == {0, 1}, "nothing of what was killed before may be about"
    await run._kill("a", mend=True)
    assert waited_for[-1] == {0}
    assert run.tallies["a"].longest_outage is not None
