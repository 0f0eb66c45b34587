"""What is decided is decided behind the lock, and the lock is held until what was decided is committed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from domain.coupons.errors import SoldOut
from domain.coupons.use_cases import claim_coupons
from domain.shared.idempotency import Done
from domain.shared.principal import Scope
from persistence.unit_of_work import SqlUnitOfWork
from tests.coupon_world import World, claim, world
from tests.persistence.sets import until_blocked

LONG_ENOUGH_SECONDS = 0.3


@pytest.fixture
async def laurel(database_url: str) -> AsyncIterator[World]:
    async with world(database_url, size=8) as made:
        yield made


async def test_eventyay_1398_of_five_who_wait_for_the_last_three_three_are_served(laurel: World) -> None:
    # Five had been told that three are left before any of them had the lock, and all five were sold.
    template_id = await laurel.published(stock=3)
    async with laurel.database.pool.acquire() as holder:
        held = holder.transaction()
        await held.start()
        await holder.execute("SELECT * FROM coupon_template_stock FOR UPDATE")
        waiting = [asyncio.create_task(laurel.claim(template_id, number)) for number in range(5)]
        await until_blocked(laurel, count=5)
        await held.rollback()
    outcomes = [await one for one in waiting]
    assert sum(isinstance(outcome, Done) for outcome in outcomes) == 3
    assert sum(isinstance(outcome, SoldOut) for outcome in outcomes) == 2
    assert await laurel.value("SELECT count(*) FROM coupons") == 3
    assert await laurel.value("SELECT remaining FROM coupon_template_stock") == 0


@pytest.mark.parametrize("commits", [True, False])
async def test_vendure_4660_the_last_one_is_nobodys_else_before_the_first_has_committed(
    laurel: World, *, commits: bool
) -> None:
    template_id = await laurel.published(stock=1)
    decided, go_on = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def slow() -> AsyncIterator[SqlUnitOfWork]:
        async with laurel.database.begin_set(Scope.system()) as tx:
            yield tx
            decided.set()
            await go_on.wait()
            if not commits:
                raise ConnectionError("lost before the commit")

    first = asyncio.create_task(claim_coupons([claim(template_id, 1)], begin=slow))
    await decided.wait()
    second = asyncio.create_task(laurel.claim(template_id, 2))
    done, _ = await asyncio.wait({second}, timeout=LONG_ENOUGH_SECONDS)
    assert not done, "it did not wait for the first one's commit"
    go_on.set()
    if commits:
        assert isinstance((await first)[0], Done)
        assert isinstance(await second, SoldOut)
    else:
        with pytest.raises(ConnectionError):
            await first
        assert isinstance(await second, Done)
    assert await laurel.value("SELECT count(*) FROM coupons") == 1
