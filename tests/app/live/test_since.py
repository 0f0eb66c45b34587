"""Who names the last number that it has seen: what it missed comes first, or that it is too much."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

import pytest

from domain.shared.errors import Unavailable
from tests.app.live.hub_party import (
    ANA,
    BEA,
    NO_POLL,
    QUICK_SWEEP,
    has_seen,
    hub_of,
    numbers,
    reading,
)
from tests.live import (
    WALLET,
    EventDatabase,
    Valkey,
    relaying,
    until,
)


async def test_a_listener_with_a_position_first_gets_what_it_missed(database: EventDatabase, valkey: Valkey) -> None:
    await database.append(ANA, count=250)
    async with (
        relaying(database, redis_url=valkey.url),
        hub_of(database, valkey) as party,
        reading(party, since=20) as reader,
    ):
        await until(lambda: reader.seen == numbers(21, 250))
        await database.append(ANA, count=2)
        await until(lambda: reader.seen == numbers(21, 252))


@pytest.mark.parametrize(("since", "missed", "seen"), [(0, [21], [22]), (10, [21], [22]), (11, [], numbers(12, 22))])
async def test_who_has_missed_more_than_is_replayed_is_told_so_and_goes_on_with_what_is_new(
    database: EventDatabase, valkey: Valkey, since: int, missed: list[int], seen: list[int]
) -> None:
    await database.append(ANA, count=21)
    async with (
        relaying(database, redis_url=valkey.url),
        hub_of(database, valkey, replace(NO_POLL, replayed_most=10)) as party,
        reading(party, since=since) as reader,
    ):
        await until(lambda: reader.missed == missed)
        await database.append(ANA)
        await until(lambda: reader.seen == seen)
        assert reader.missed == missed


async def test_nothing_is_missed_between_what_was_missed_and_what_is_new(
    database: EventDatabase, valkey: Valkey
) -> None:
    await database.append(ANA, count=30)
    async with (
        relaying(database, redis_url=valkey.url),
        hub_of(database, valkey, replace(NO_POLL, replayed_most=10)) as party,
        AsyncExitStack() as stack,
    ):
        writing = asyncio.create_task(database.append(ANA, count=200))
        readers = [await stack.enter_async_context(reading(party, since=1)) for _ in range(20)]
        await writing
        for reader in readers:
            (position,) = reader.missed
            await until(partial(has_seen, reader, numbers(position + 1, 230)))


async def test_a_position_from_the_future_does_not_silence_the_listener(
    database: EventDatabase, valkey: Valkey
) -> None:
    await database.append(ANA, count=2)
    async with (
        relaying(database, redis_url=valkey.url),
        hub_of(database, valkey) as party,
        reading(party, since=1000) as reader,
    ):
        await until(lambda: reader.missed == [2])
        await database.append(ANA)
        await until(lambda: reader.seen == [3])


async def test_who_has_read_further_than_the_bus_has_brought_has_missed_nothing(
    database: EventDatabase, valkey: Valkey
) -> None:
    """The state that it read came from PostgreSQL, at once; the event comes a moment later, and is not told again."""
    await database.append(ANA, count=2)
    async with hub_of(database, valkey) as party, reading(party) as first:
        await database.append(ANA)  # nobody has published it yet
        async with reading(party, since=3) as reader, reading(party, since=4) as inventive:
            await until(lambda: inventive.missed == [3])
            async with relaying(database, redis_url=valkey.url):
                await until(lambda: first.seen == [3])
                await database.append(ANA)
                await until(lambda: (first.seen, reader.seen, inventive.seen) == ([3, 4], [4], [4]))
            assert (reader.missed, inventive.missed) == ([], [3])


async def test_who_begins_with_what_it_missed_while_the_database_is_away_is_told_so(
    database: EventDatabase, valkey: Valkey
) -> None:
    await database.append(ANA, count=2)
    pace = replace(NO_POLL, open_seconds=0.3)
    async with hub_of(database, valkey, pace) as party, reading(party) as first:
        with party.log.away():
            with pytest.raises(Unavailable):
                await asyncio.wait_for(anext(party.hub.listen(owner_id=ANA, stream=WALLET, since=1)), 10)
            assert first.seen == [], "who listens already waits"
        async with relaying(database, redis_url=valkey.url), reading(party, since=1) as reader:
            await until(lambda: reader.seen == [2])


# ── a restored database ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_who_has_seen_what_a_restored_database_does_not_know_is_told_so_and_hears_what_is_new(
    database: EventDatabase, valkey: Valkey
) -> None:
    async with (
        relaying(database, redis_url=valkey.url),
        hub_of(database, valkey, QUICK_SWEEP) as party,
        reading(party) as reader,
        reading(party, owner_id=BEA) as other,
    ):
        await database.append(ANA, count=5)
        await until(lambda: reader.seen == numbers(1, 5))
        async with reading(party, since=5) as late:
            await database.restore(ANA, sequence=2)
            await until(lambda: reader.missed == [2] == late.missed)
            await database.append(ANA, count=2)
            await database.append(BEA)
            await until(lambda: late.seen == [3, 4])
            await until(lambda: reader.seen == [1, 2, 3, 4, 5, 3, 4])
            await until(lambda: other.seen == [1])
            assert (reader.missed, late.missed, other.missed) == ([2], [2], [])


async def test_what_the_bus_brings_while_positions_are_read_is_no_sign_of_a_restored_database(
    database: EventDatabase, valkey: Valkey
) -> None:
    async with (
        relaying(database, redis_url=valkey.url),
        hub_of(database, valkey, QUICK_SWEEP) as party,
        reading(party) as reader,
    ):
        for number in range(1, 6):
            async with party.log.late_positions() as has_read:
                await has_read.wait()
                await database.append(ANA)
                await until(partial(has_seen, reader, numbers(1, number)))
        assert reader.missed == []
