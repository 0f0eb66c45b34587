"""Points that are held though their time is over are spent, and taken, as if the sweeper had been there."""

import asyncio
from collections import Counter

import pytest

from domain.points.errors import InsufficientPoints
from domain.shared.idempotency import Done
from persistence.points.reads import SqlPointsReads
from tests.mall_world import Mall, asking, desk_of, earned, hold, mall, same_when_swept, shop
from tests.order_world import shops_at_once
from tests.refund_world import refunded
from tests.reservation_world import ended_as, sweep

__all__ = ["mall", "shop"]


async def test_points_that_are_held_no_longer_are_exchanged_before_the_sweep(mall: Mall) -> None:
    await mall.give(1000)
    held = await hold(mall, 700)
    mug = await mall.reward(600)
    mall.run_out()
    assert isinstance(await mall.exchange(mug), Done)
    assert await mall.available() == 400
    assert await ended_as(mall.shop, held) == "EXPIRED"
    assert await sweep(mall.shop) == 0


async def test_an_exchange_that_was_decided_once_more_happens_once_under_its_key(mall: Mall) -> None:
    await mall.give(1000)
    await hold(mall, 700)
    mug = await mall.reward(600)
    mall.run_out()
    first = await mall.exchange(mug, key="mine")
    again = await mall.exchange(mug, key="mine")
    assert isinstance(first, Done)
    assert isinstance(again, Done)
    assert (first.replayed, again.replayed, first.result) == (False, True, again.result)
    assert await mall.shop.world.value("SELECT count(*) FROM reward_exchanges") == 1


async def test_an_exchange_that_is_still_too_dear_says_what_there_is_after_the_sweep(mall: Mall) -> None:
    await mall.give(1000)
    await hold(mall, 700)
    mall.run_out()
    refused = await mall.buys(1200)
    assert isinstance(refused, InsufficientPoints)
    assert (refused.required, refused.available, refused.shortfall) == (1200, 1000, 200)


async def test_points_that_are_held_still_are_not_exchanged_and_stay_held(mall: Mall) -> None:
    await mall.give(1000)
    held = await hold(mall, 700)
    refused = await mall.buys(600)
    assert isinstance(refused, InsufficientPoints)
    assert (refused.available, await ended_as(mall.shop, held)) == (300, "HELD")
    assert await mall.shop.world.value("SELECT count(*) FROM idempotency WHERE mutation = 'exchangePoints'") == 0


async def test_those_of_a_set_who_have_too_few_are_asked_about_in_one_statement(mall: Mall) -> None:
    for number in range(3, 7):
        await mall.shop.add_member(number)
        await mall.give(1000, number=number)
        await hold(mall, 700, number=number, ttl_seconds=60 * number)
    mug = await mall.reward(600)
    mall.shop.world.clock.advance(seconds=240)
    outcomes, told = await mall.statements_of_set(*(asking(mug, number=number) for number in range(3, 7)))
    poor = [one for one in outcomes if isinstance(one, InsufficientPoints)]
    assert [one.some_lapsed for one in poor] == [True, True, False, False]
    assert told.count("members_with_lapsed_points") == 1


async def test_of_a_set_those_alone_are_decided_once_more_whose_points_have_returned(mall: Mall) -> None:
    for number in range(3, 9):
        await mall.shop.add_member(number)
        await mall.give(1000, number=number)
    for number in (3, 4, 5):
        await hold(mall, 700, number=number)
    mug = await mall.reward(600)
    mall.run_out()
    for number in (6, 7):
        await hold(mall, 700, number=number)
    answers = await asyncio.gather(*(mall.exchange(mug, number=number) for number in range(3, 9)))
    assert [type(one) for one in answers] == [*[Done] * 3, *[InsufficientPoints] * 2, Done]
    assert [await mall.available(number) for number in range(3, 9)] == [400, 400, 400, 300, 300, 400]


@pytest.mark.parametrize("price", [300, 600, 700, 900])
async def test_one_key_many_times_at_once_on_several_servers_spends_what_returned_once(
    database_url: str, price: int
) -> None:
    async with shops_at_once(database_url, size=4, members=2) as shops:
        malls = [Mall(one, desk_of(one), SqlPointsReads(one.world.database)) for one in shops]
        first = malls[0]
        await first.give(1000)
        await hold(first, 700)
        mug = await first.reward(price)
        first.run_out()
        answers = await asyncio.gather(
            *(malls[n % 4].exchange(mug, key="mine") for n in range(40)), sweep(shops[1]), sweep(shops[2])
        )
        done = [one for one in answers if isinstance(one, Done)]
        assert (len(done), len({one.result for one in done})) == (40, 1)
        assert await first.available() == 1000 - price
        for one in malls:
            await one.desk.drain()


async def test_exchanges_at_once_with_the_sweep_have_all_the_points_and_no_more(database_url: str) -> None:
    async with shops_at_once(database_url, size=4, members=2) as shops:
        malls = [Mall(one, desk_of(one), SqlPointsReads(one.world.database)) for one in shops]
        first = malls[0]
        await first.give(1000)
        for n in range(4):
            await hold(first, 225, ref=f"A{n}")
        mug = await first.reward(100)
        first.run_out()
        answers = await asyncio.gather(*(malls[n % 4].exchange(mug) for n in range(16)), sweep(shops[1]))
        kinds = Counter(type(one) for one in answers[:-1])
        assert kinds == {Done: 10, InsufficientPoints: 6}
        assert await first.available() == 0
        for one in malls:
            await one.desk.drain()


async def test_an_exchange_that_finds_enough_asks_nothing_of_what_is_held(mall: Mall) -> None:
    await mall.give(1000)
    held = await hold(mall, 700)
    mug = await mall.reward(300)
    mall.run_out()
    outcomes, told = await mall.statements_of_set(asking(mug))
    assert isinstance(outcomes[0], Done)
    assert "members_with_lapsed_points" not in told
    assert await ended_as(mall.shop, held) == "HELD"


async def test_points_that_are_held_no_longer_may_be_taken_by_hand_before_the_sweep(mall: Mall) -> None:
    await mall.give(1000)
    held = await hold(mall, 700)
    with pytest.raises(InsufficientPoints):
        await mall.adjust(-600)
    mall.run_out()
    await mall.adjust(-600)
    assert (await mall.available(), await ended_as(mall.shop, held)) == (400, "EXPIRED")
    with pytest.raises(InsufficientPoints) as refused:
        await mall.adjust(-401)
    assert (refused.value.available, refused.value.shortfall) == (400, 1)


@pytest.mark.parametrize("swept", [False, True])
async def test_points_of_an_order_that_are_held_no_longer_are_taken_back_instead_of_owed(
    mall: Mall, *, swept: bool
) -> None:
    await earned(mall, 500)
    await hold(mall, 400)
    mall.run_out()
    if swept:
        await sweep(mall.shop)
    assert (await refunded(mall.shop, "R1")).points_clawed_back == 500
    shown = await same_when_swept(mall)
    assert (shown.account.available, shown.account.debt) == (0, 0)


@pytest.mark.parametrize("swept", [False, True])
async def test_points_of_an_order_that_expired_while_they_were_held_too_long_are_not_owed(
    mall: Mall, *, swept: bool
) -> None:
    await earned(mall, 500)
    mall.shop.world.clock.advance(days=364)
    await hold(mall, 400, ttl_seconds=86400)
    mall.shop.world.clock.advance(days=1)
    if swept:
        await sweep(mall.shop)
    await refunded(mall.shop, "R1")
    shown = await same_when_swept(mall)
    assert (shown.account.available, shown.account.debt) == (0, 0)


@pytest.mark.parametrize("swept", [False, True])
async def test_what_is_owed_of_an_order_is_owed_beside_points_that_were_held_too_long(
    mall: Mall, *, swept: bool
) -> None:
    await earned(mall, 500)
    assert isinstance(await mall.buys(300), Done)
    await hold(mall, 200)
    mall.run_out()
    if swept:
        await sweep(mall.shop)
    await refunded(mall.shop, "R1")
    shown = await same_when_swept(mall)
    assert (shown.account.available, shown.account.debt) == (0, 300)
