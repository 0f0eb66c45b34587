import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from uuid import UUID, uuid5

import pytest
from redis.asyncio import Redis

from persistence.redis.bus import Publisher, Subscriber, channel_of, decode_event, encode_event
from persistence.redis.client import REDIS_FAILURES, open_redis
from tests.live import Valkey, event, running, until, valkey

__all__ = ["valkey"]

NAMES = UUID("00000000-0000-0000-0000-00000000a11c")
ANA, BEA = uuid5(NAMES, "ana"), uuid5(NAMES, "bea")


class Ear:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self.subscribed: list[UUID] = []
        self.connects = 0
        self.disconnects = 0

    @property
    def sequences(self) -> list[int]:
        return [decode_event(payload).sequence for payload in self.payloads]

    def on_connected(self) -> None:
        self.connects += 1

    def on_message(self, payload: bytes) -> None:
        self.payloads.append(payload)

    def on_subscribed(self, owner_ids: Sequence[UUID]) -> None:
        self.subscribed.extend(owner_ids)

    def on_disconnected(self) -> None:
        self.disconnects += 1


@pytest.fixture
async def redis(valkey: Valkey) -> AsyncIterator[Redis]:
    client = open_redis(valkey.url, timeout_seconds=0.5)
    yield client
    await client.aclose()


def test_an_event_survives_the_way_over_the_bus() -> None:
    assert decode_event(encode_event(event(ANA, 7))) == event(ANA, 7)


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b"null", b'{"owner_id": 3}', b"\xff"])
def test_what_is_not_an_event_is_a_value_error(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_event(payload)


async def test_a_subscriber_hears_the_owners_that_it_asked_for_and_no_others(redis: Redis) -> None:
    ear, subscriber = Ear(), Subscriber(redis)
    subscriber.want(ANA)
    async with running(subscriber.run(ear)):
        await until(lambda: ANA in ear.subscribed)
        await Publisher(redis).publish([event(BEA, 1), event(ANA, 1), event(ANA, 2)])
        await until(lambda: len(ear.payloads) == 2)
        assert [decode_event(payload) for payload in ear.payloads] == [event(ANA, 1), event(ANA, 2)]


async def test_an_owner_asked_for_later_is_heard_and_one_given_up_is_not(redis: Redis) -> None:
    ear, subscriber = Ear(), Subscriber(redis)
    async with running(subscriber.run(ear)):
        await until(lambda: subscriber.connected)
        subscriber.want(ANA)
        subscriber.want(BEA)
        await until(lambda: {ANA, BEA} <= set(ear.subscribed))
        subscriber.unwant(ANA)
        async with asyncio.timeout(5):
            while await redis.pubsub_channels() != [channel_of(BEA)]:  # noqa: ASYNC110 - Redis tells nobody
                await asyncio.sleep(0.01)
        await Publisher(redis).publish([event(ANA, 1), event(BEA, 1)])
        await until(lambda: len(ear.payloads) == 1)
        assert decode_event(ear.payloads[0]) == event(BEA, 1)


async def test_an_owner_given_up_and_asked_for_again_at_once_is_confirmed_again(redis: Redis) -> None:
    ear, subscriber = Ear(), Subscriber(redis)
    subscriber.want(ANA)
    async with running(subscriber.run(ear)):
        await until(lambda: ear.subscribed == [ANA])
        subscriber.unwant(ANA)
        subscriber.want(ANA)
        await until(lambda: ear.subscribed == [ANA, ANA])


async def test_a_killed_connection_comes_back_with_all_its_channels(valkey: Valkey, redis: Redis) -> None:
    ear, subscriber = Ear(), Subscriber(redis)
    subscriber.want(ANA)
    async with running(subscriber.run(ear)):
        await until(lambda: ear.subscribed == [ANA])
        await valkey.command("CLIENT", "KILL", "TYPE", "pubsub")
        await until(lambda: ear.subscribed == [ANA, ANA])
        assert (ear.connects, ear.disconnects) == (2, 1)
        await Publisher(redis).publish([event(ANA, 1)])
        await until(lambda: ear.sequences == [1])


async def test_a_server_that_is_killed_and_started_again_is_heard_again(valkey: Valkey, redis: Redis) -> None:
    ear, subscriber = Ear(), Subscriber(redis)
    subscriber.want(ANA)
    async with running(subscriber.run(ear)):
        await until(lambda: ear.subscribed == [ANA])
        valkey.kill()
        await until(lambda: not subscriber.connected)
        with pytest.raises(REDIS_FAILURES):
            await Publisher(redis).publish([event(ANA, 1)])
        valkey.start()
        await until(lambda: ear.subscribed == [ANA, ANA])
        await Publisher(redis).publish([event(ANA, 2)])
        await until(lambda: ear.sequences == [2])


async def test_a_server_that_is_silent_is_given_up_after_two_heartbeats(valkey: Valkey, redis: Redis) -> None:
    ear, subscriber = Ear(), Subscriber(redis, heartbeat_seconds=0.1)
    subscriber.want(ANA)
    async with running(subscriber.run(ear)):
        await until(lambda: ear.subscribed == [ANA])
        valkey.signal(signal.SIGSTOP)
        await until(lambda: not subscriber.connected, seconds=2)
        valkey.signal(signal.SIGCONT)
        await until(lambda: subscriber.connected and ear.subscribed[1:] == [ANA])


async def test_a_quiet_but_healthy_connection_is_kept(redis: Redis) -> None:
    ear, subscriber = Ear(), Subscriber(redis, heartbeat_seconds=0.3)
    subscriber.want(ANA)
    async with running(subscriber.run(ear)):
        await until(lambda: ear.subscribed == [ANA])
        await asyncio.sleep(1.5)
        assert ear.disconnects == 0


async def test_a_flushed_server_forgets_no_channel(redis: Redis) -> None:
    ear, subscriber = Ear(), Subscriber(redis)
    subscriber.want(ANA)
    async with running(subscriber.run(ear)):
        await until(lambda: ear.subscribed == [ANA])
        await redis.flushall()
        await Publisher(redis).publish([event(ANA, 1)])
        await until(lambda: ear.sequences == [1])


@pytest.mark.parametrize("steps", range(0, 40, 2))
async def test_a_subscriber_ends_when_it_is_told_to_whatever_it_is_doing(redis: Redis, steps: int) -> None:
    ear, subscriber = Ear(), Subscriber(redis, heartbeat_seconds=0.001)
    subscriber.want(ANA)
    task = asyncio.ensure_future(subscriber.run(ear))
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=2)
    assert done
