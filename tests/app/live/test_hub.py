import asyncio
import signal
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from uuid import UUID

import pytest

from app.live import Hub
from domain.shared.errors import Unavailable
from domain.shared.principal import Scope
from persistence.outbox import SqlEventLog
from persistence.redis.bus import encode_event
from tests.app.live.hub_party import (
    ANA,
    BEA,
    NO_POLL,
    QUICK_POLL,
    QUICK_SWEEP,
    Counting,
    hub_of,
    numbers,
    reading,
)
from tests.live import (
    WALLET,
    EventDatabase,
    Valkey,
    event,
    relaying,
    until,
)


async def test_a_listener_gets_what_happens_after_it_asked_and_nothing_before(
    database: EventDatabase, valkey: Valkey
) -> None:
    await database.append(ANA, count=3)
    async with relaying(database, redis_url=valkey.url), hub_of(database, valkey) as party, reading(party) as reader:
        await database.append(ANA, count=2)
        await database.append(BEA)
        await database.append(ANA)
        await until(lambda: reader.seen == [4, 5, 6])
        assert party.log.reads == 0


async def test_nothing_is_missed_or_repeated_while_listeners_come_in_the_midst_of_writes(
    database: EventDatabase, valkey: Valkey
) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(relaying(database, redis_url=valkey.url))
        party = await stack.enter_async_context(hub_of(database, valkey))
        readers = []
        for turn in range(30):
            await asyncio.gather(database.append(ANA), database.append(ANA))
            since = None if turn % 2 else turn
            readers.append(await stack.enter_async_context(reading(party, since=since)))
        await database.append(ANA)
        await until(lambda: all(r.seen and r.seen[-1] == 61 for r in readers))
        for reader in readers:
            assert reader.seen == numbers(reader.seen[0], 61)


async def test_a_hundred_listeners_of_one_stream_cost_one_channel_and_no_reads(
    database: EventDatabase, valkey: Valkey
) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(relaying(database, redis_url=valkey.url))
        party = await stack.enter_async_context(hub_of(database, valkey))
        readers = [await stack.enter_async_context(reading(party)) for _ in range(100)]
        assert party.told.listening == 100
        await database.append(ANA, count=5)
        await until(lambda: all(r.seen == numbers(1, 5) for r in readers))
        assert party.log.reads == 0
        assert len(await valkey.command("PUBSUB", "CHANNELS")) == 1  # type: ignore[arg-type]
    assert party.told.listening == 0
    assert party.hub._feeds == {}


async def test_an_owner_without_listeners_is_no_longer_heard(database: EventDatabase, valkey: Valkey) -> None:
    async with hub_of(database, valkey) as party:
        async with reading(party), reading(party, stream="points"):
            assert len(party.hub._feeds[ANA]) == 2
        async with asyncio.timeout(5):
            while await valkey.command("PUBSUB", "CHANNELS") != []:  # noqa: ASYNC110 - Redis tells nobody
                await asyncio.sleep(0.01)


async def test_two_streams_of_one_owner_do_not_mix(database: EventDatabase, valkey: Valkey) -> None:
    async with (
        relaying(database, redis_url=valkey.url),
        hub_of(database, valkey) as party,
        reading(party) as wallet,
        reading(party, stream="points") as points,
    ):
        await database.append(ANA, count=2)
        await database.append(ANA, count=3, stream="points")
        await until(lambda: wallet.seen == [1, 2] and points.seen == [1, 2, 3])


async def test_what_the_bus_dropped_is_read_before_what_came_after_it(database: EventDatabase, valkey: Valkey) -> None:
    async with hub_of(database, valkey) as party, reading(party) as reader:
        await database.append(ANA, count=5)
        await party.publish(event(ANA, 1), event(ANA, 5))
        await until(lambda: reader.seen == numbers(1, 5))
        assert party.told.catch_ups == ["gap"]


async def test_what_is_published_twice_or_late_is_delivered_once(database: EventDatabase, valkey: Valkey) -> None:
    async with hub_of(database, valkey) as party, reading(party) as reader:
        await database.append(ANA, count=3)
        published = [event(ANA, n) for n in (1, 1, 2, 1, 3, 2, 3)]
        await party.publish(*published)
        await until(lambda: reader.seen == [1, 2, 3])
        await asyncio.sleep(0.05)
        assert reader.seen == [1, 2, 3]
        assert party.log.reads == 0
        assert party.told.catch_ups == []


async def test_what_is_not_an_event_and_what_was_never_stored_is_ignored(
    database: EventDatabase, valkey: Valkey
) -> None:
    async with hub_of(database, valkey) as party, reading(party) as reader:
        await valkey.command("PUBLISH", f"laurel:events:{ANA}", "nonsense")
        await party.publish(event(ANA, 1_000_000))
        await database.append(ANA)
        await until(lambda: party.log.reads > 0)
        await party.publish(event(ANA, 1))
        await until(lambda: reader.seen == [1])


async def test_a_lost_last_event_is_found_by_the_sweep(database: EventDatabase, valkey: Valkey) -> None:
    async with hub_of(database, valkey, QUICK_SWEEP) as party, reading(party) as reader:
        await database.append(ANA, count=2)
        await until(lambda: reader.seen == [1, 2])


async def test_without_redis_postgresql_is_asked(database: EventDatabase, valkey: Valkey) -> None:
    valkey.kill()
    async with hub_of(database, valkey, QUICK_POLL) as party, reading(party) as reader:
        await database.append(ANA, count=2)
        await until(lambda: reader.seen == [1, 2])
        await database.append(ANA, count=150)
        await until(lambda: reader.seen == numbers(1, 152))


async def test_redis_killed_and_started_again_in_mid_stream_loses_nothing(
    database: EventDatabase, valkey: Valkey
) -> None:
    async with relaying(database, redis_url=valkey.url), hub_of(database, valkey) as party, reading(party) as reader:
        await database.append(ANA)
        await until(lambda: reader.seen == [1])
        for turn in range(3):
            valkey.kill()
            await database.append(ANA, count=2)
            valkey.start()
            await database.append(ANA)
            await until(lambda turn=turn: reader.seen == numbers(1, 4 + 3 * turn))  # type: ignore[misc]
        assert party.told.hears_redis


async def test_what_a_dead_redis_swallowed_is_read_when_it_is_back(database: EventDatabase, valkey: Valkey) -> None:
    async with hub_of(database, valkey) as party, reading(party) as reader:
        valkey.kill()
        await until(lambda: not party.told.hears_redis)
        await database.append(ANA, count=3)  # no relay: nothing is ever published
        valkey.start()
        await until(lambda: reader.seen == [1, 2, 3])


async def test_a_flushed_redis_and_killed_connections_lose_nothing(database: EventDatabase, valkey: Valkey) -> None:
    async with relaying(database, redis_url=valkey.url), hub_of(database, valkey) as party, reading(party) as reader:
        for command in (("FLUSHALL",), ("CLIENT", "KILL", "TYPE", "pubsub"), ("CLIENT", "KILL", "TYPE", "normal")):
            await asyncio.gather(database.append(ANA, count=3), valkey.command(*command))
            await database.append(ANA)
        await until(lambda: reader.seen == numbers(1, 12))


async def test_a_silent_redis_is_noticed(database: EventDatabase, valkey: Valkey) -> None:
    async with hub_of(database, valkey, QUICK_POLL) as party, reading(party) as reader:
        valkey.signal(signal.SIGSTOP)
        await database.append(ANA)
        await until(lambda: reader.seen == [1])
        assert not party.told.hears_redis
        async with reading(party, owner_id=BEA) as other:
            await database.append(BEA)
            await until(lambda: other.seen == [1])
        valkey.signal(signal.SIGCONT)


async def test_ended_backends_are_waited_for(database: EventDatabase, valkey: Valkey) -> None:
    async with (
        relaying(database, redis_url=valkey.url),
        hub_of(database, valkey, QUICK_SWEEP) as party,
        reading(party) as reader,
    ):
        for _ in range(4):
            await database.append(ANA)
            await database.end_sessions("hub")
            await database.end_sessions("relay")
        await until(lambda: reader.seen == numbers(1, 4))


async def test_a_slow_listener_keeps_a_bounded_queue_and_still_gets_everything(
    database: EventDatabase, valkey: Valkey
) -> None:
    pace = replace(NO_POLL, queue=8, page=10)
    async with (
        relaying(database, redis_url=valkey.url),
        hub_of(database, valkey, pace) as party,
        reading(party) as slow,
        reading(party) as quick,
    ):
        slow.gate.clear()
        for _ in range(10):
            await database.append(ANA, count=5)
        await until(lambda: quick.seen == numbers(1, 50))
        (feed,) = party.hub._feeds[ANA].values()
        assert max(len(listener.queue) for listener in feed.listeners) <= 8
        assert "slow" in party.told.catch_ups
        slow.gate.set()
        await until(lambda: slow.seen == numbers(1, 50))


async def test_a_bug_in_one_task_does_not_silence_the_hub(
    database: EventDatabase, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [True]

    def stumble(self: Hub, payload: bytes) -> None:
        if broken.pop():
            raise RuntimeError("a bug")

    async with hub_of(database, valkey) as party, reading(party) as reader:
        with monkeypatch.context() as patched:
            patched.setattr(Hub, "on_message", stumble)
            await database.append(ANA, count=2)
            await party.publish(event(ANA, 1))
            await until(lambda: party.told.failures == ["bus"])
        await until(lambda: reader.seen == [1, 2])


async def test_listening_fails_clearly_when_the_position_cannot_be_read(
    database: EventDatabase, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(self: SqlEventLog, *, owner_ids: Sequence[UUID], scope: Scope) -> Mapping[tuple[UUID, str], int]:
        raise ConnectionRefusedError

    monkeypatch.setattr(Counting, "positions", refuse)
    async with hub_of(database, valkey, replace(NO_POLL, confirm_seconds=0.05, open_seconds=0.2)) as party:
        with pytest.raises(Unavailable):
            await anext(party.hub.listen(owner_id=ANA, stream=WALLET))
        assert party.told.listening == 0


async def test_the_end_of_the_hub_ends_its_listeners(database: EventDatabase, valkey: Valkey) -> None:
    async with hub_of(database, valkey) as party:
        events = party.hub.listen(owner_id=ANA, stream=WALLET)
        reading_on = asyncio.ensure_future(anext(events))
        await until(lambda: party.told.listening == 1)
        party.hub.close()
        with pytest.raises(Unavailable):
            await reading_on


def test_an_encoded_event_is_small() -> None:
    assert len(encode_event(event(ANA, 1))) < 300
