"""From a committed write to the sockets of several processes, through real servers and their faults."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID, uuid5

from app.live import Hub
from app.live_ports import HubPace
from app.sockets import CloseCode
from persistence.engine import open_pool
from persistence.outbox import SqlEventLog
from persistence.redis.bus import Subscriber
from persistence.redis.client import open_redis
from tests.app.sockets import Client, Served, serving
from tests.live import EventDatabase, Told, Valkey, relaying, running, until

NAMES = UUID("00000000-0000-0000-0000-0000000050c7")
ANA, BEA = uuid5(NAMES, "ana"), uuid5(NAMES, "bea")
PACE = HubPace(sweep_seconds=60, poll_seconds=0.1, confirm_seconds=0.5)


@asynccontextmanager
async def process(database: EventDatabase, valkey: Valkey) -> AsyncIterator[Served]:
    """What one server process holds: its pool, its hub, its sockets."""
    pool = await open_pool(database.url, size=4, application_name="process")
    redis = open_redis(valkey.url, timeout_seconds=0.5)
    hub = Hub(log=SqlEventLog(pool), bus=Subscriber(redis, heartbeat_seconds=1.0), watch=Told(), pace=PACE)
    async with serving() as served, running(hub.run()):
        served.world.hub = hub
        yield served
    await redis.aclose()
    await pool.close()


async def subscribed(client: Client, served: Served, *, owner_id: UUID = ANA) -> Client:
    await client.init("ana")
    await client.subscribe(
        "w", "subscription($owner: ID!) { wallet(owner: $owner) }", variables={"owner": str(owner_id)}
    )
    assert served.world.hub is not None
    hub = served.world.hub
    await until(lambda: any(feed.ready.is_set() for feed in hub._feeds.get(owner_id, {}).values()))
    return client


async def heard(client: Client, count: int) -> list[int]:
    numbers = []
    for _ in range(count):
        message = await client.hear()
        payload = message["payload"]
        assert isinstance(payload, dict)
        numbers.append(payload["data"]["wallet"])
    return numbers


async def test_a_write_reaches_the_sockets_of_every_process_and_of_nobody_else(
    database: EventDatabase, valkey: Valkey
) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(relaying(database, redis_url=valkey.url))
        processes = [await stack.enter_async_context(process(database, valkey)) for _ in range(2)]
        clients = [
            await subscribed(await stack.enter_async_context(served.client()), served) for served in processes * 3
        ]
        last = processes[-1]
        other = await subscribed(await stack.enter_async_context(last.client()), last, owner_id=BEA)
        await database.append(ANA, count=2)
        await database.append(BEA)
        await database.append(ANA)
        for client in clients:
            assert await heard(client, 3) == [1, 2, 3]
        assert await heard(other, 1) == [1]


async def test_sockets_live_through_every_fault_of_the_servers_and_miss_nothing(
    database: EventDatabase, valkey: Valkey
) -> None:
    async with (
        relaying(database, redis_url=valkey.url),
        process(database, valkey) as served,
        served.client() as connection,
    ):
        client = await subscribed(connection, served)
        await database.append(ANA)
        assert await heard(client, 1) == [1]
        await valkey.command("FLUSHALL")
        await database.append(ANA)
        assert await heard(client, 1) == [2]
        await valkey.command("CLIENT", "KILL", "TYPE", "pubsub")
        await database.append(ANA)
        assert await heard(client, 1) == [3]
        valkey.kill()
        await database.append(ANA, count=2)
        assert await heard(client, 2) == [4, 5]
        await database.end_sessions("process")
        await database.end_sessions("relay")
        await database.append(ANA)
        assert await heard(client, 1) == [6]
        valkey.start()
        await database.append(ANA, count=3)
        assert await heard(client, 3) == [7, 8, 9]


async def test_a_subscriber_is_sent_to_another_process_when_its_hub_ends(
    database: EventDatabase, valkey: Valkey
) -> None:
    async with process(database, valkey) as served, served.client() as connection:
        client = await subscribed(connection, served)
        assert served.world.hub is not None
        served.world.hub.close()
        assert (await client.closed())[0] == CloseCode.TRY_AGAIN_LATER


async def test_a_subscriber_that_leaves_is_forgotten_down_to_its_channel(
    database: EventDatabase, valkey: Valkey
) -> None:
    async with process(database, valkey) as served:
        async with served.client() as connection:
            await subscribed(connection, served)
            assert await valkey.command("PUBSUB", "NUMSUB", f"laurel:events:{ANA}") == [
                f"laurel:events:{ANA}".encode(),
                1,
            ]
        async with asyncio.timeout(5):
            while await valkey.command("PUBSUB", "CHANNELS") != []:  # noqa: ASYNC110 - Redis tells nobody
                await asyncio.sleep(0.01)
        assert served.world.hub is not None
        assert served.world.hub._feeds == {}
