from asyncio import gather

import asyncpg

from persistence.redis.client import open_redis


async def test_each_test_has_a_migrated_database_of_its_own(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute("CREATE TABLE only_here (id int)")
    assert await connection.fetchval("SELECT count(*) FROM alembic_version") == 1
    await connection.close()


async def test_what_another_test_wrote_is_not_there(database_url: str, redis_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT to_regclass('only_here')") is None
    await connection.close()
    client = open_redis(redis_url)
    assert await client.dbsize() == 0
    assert await client.set("key", "value")
    await client.aclose()


async def test_valkey_starts_empty_for_each_test(redis_url: str) -> None:
    client = open_redis(redis_url)
    size, answered = await gather(client.dbsize(), client.ping())
    assert (size, answered) == (0, True)
    await client.aclose()
