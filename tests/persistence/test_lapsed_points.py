"""Points that are held though their time is over are shown as if the sweeper had been there."""

import random

import pytest

from domain.points.errors import InsufficientPoints
from domain.shared.idempotency import Done
from domain.shared.principal import Scope
from persistence.base import on_statement
from tests.coupon_world import member
from tests.mall_world import Mall, earned, hold, mall, same_when_swept, shop
from tests.queries import names_into
from tests.refund_world import refunded
from tests.reservation_world import TTL_SECONDS, sweep

__all__ = ["mall", "shop"]


async def test_points_that_are_held_no_longer_are_there_before_the_sweep(mall: Mall) -> None:
    await mall.give(1000)
    await mall.give(2000, hours=48)
    await hold(mall, 2500)
    assert await mall.available() == 500
    mall.run_out()
    assert await mall.available() == 3000
    shown = await same_when_swept(mall)
    assert [lot.remaining for lot in shown.expiring] == [2000]


async def test_a_lot_that_is_held_as_a_whole_is_among_those_that_will_expire_once_it_is_held_no_longer(
    mall: Mall,
) -> None:
    for hours in (30, 40, 50):
        await mall.give(100, hours=hours)
    await hold(mall, 150)
    assert [lot.remaining for lot in (await mall.shown()).expiring] == [50, 100]
    mall.run_out()
    shown = await same_when_swept(mall)
    assert [lot.remaining for lot in shown.expiring] == [100, 100, 100]


async def test_what_expired_while_it_was_held_does_not_come_back(mall: Mall) -> None:
    await mall.give(100, hours=1)
    await mall.give(1000)
    await hold(mall, 300, ttl_seconds=7200)
    mall.shop.world.clock.advance(seconds=7200)
    assert await mall.available() == 1000
    shown = await same_when_swept(mall)
    assert sorted(lot.remaining for lot in shown.lots) == [0, 1000]


async def test_a_lot_that_expired_with_a_part_of_it_held_has_nothing_left(mall: Mall) -> None:
    await mall.give(100, hours=1)
    await hold(mall, 40, ttl_seconds=7200)
    mall.shop.world.clock.advance(seconds=7200)
    assert await mall.available() == 0
    shown = await same_when_swept(mall)
    assert [lot.remaining for lot in shown.lots] == [0]


async def test_of_two_reservations_both_come_back_and_what_is_held_still_does_not(mall: Mall) -> None:
    await mall.give(1000)
    await hold(mall, 100, ref="A1")
    await hold(mall, 200, ref="A2")
    await hold(mall, 400, ref="A3", ttl_seconds=2 * TTL_SECONDS)
    mall.run_out()
    assert await mall.available() == 600
    await same_when_swept(mall)
    mall.run_out()
    assert await mall.available() == 1000
    await same_when_swept(mall)


async def test_what_comes_back_repays_no_debt(mall: Mall) -> None:
    await earned(mall, 500)
    assert isinstance(await mall.buys(400), Done)
    await hold(mall, 100)
    await mall.give(300)
    # Live, it is as good as spent: all that the order earned is owed.
    assert (await refunded(mall.shop, "R1")).points_clawed_back == 500
    mall.run_out()
    shown = await same_when_swept(mall)
    assert (shown.account.available, shown.account.debt, shown.quoted) == (400, 500, (400, 500))
    assert isinstance(await mall.buys(1), InsufficientPoints)


async def test_what_others_hold_is_not_added_to_a_members_own(mall: Mall) -> None:
    for number in (1, 2):
        await mall.give(1000, number=number)
    await hold(mall, 300, number=2)
    mall.run_out()
    assert [await mall.available(1), await mall.available(2)] == [1000, 1000]
    found = await mall.reads.accounts([member(1), member(2)], scope=Scope.system())
    assert {one.available for one in found.values()} == {1000}
    nothing = await mall.reads.accounts([member(2)], scope=Scope.of_member(member(1)))
    assert nothing[member(2)].available == 0
    await same_when_swept(mall, 1, 2)


async def test_who_holds_nothing_is_read_in_one_statement(mall: Mall) -> None:
    await mall.give(1000)
    await mall.give(1000, number=2)
    await hold(mall, 300, number=2)
    mall.run_out()
    told: list[str] = []
    token = on_statement.set(names_into(told))
    await mall.reads.accounts([member(1)], scope=Scope.system())
    await mall.reads.expiring(member(1), within_days=30, scope=Scope.system())
    on_statement.reset(token)
    assert told == ["points_accounts", "expiring_points_lots"]


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_is_held_is_shown_and_spent_as_it_is_when_it_was_swept(mall: Mall, seed: int) -> None:
    chance = random.Random(seed)
    pairs = [(number, number + 100) for number in range(3, 11)]
    for pair in pairs:
        given = [(chance.randint(1, 200), chance.choice([None, *(n / 4 for n in range(1, 60))])) for _ in range(5)]
        asked = [(chance.randint(1, 200), chance.randint(60, 40000)) for _ in range(4)]
        for number in pair:
            await mall.shop.add_member(number)
            for points, hours in given:
                await mall.give(points, number=number, hours=hours)
            for n, (points, ttl) in enumerate(asked):
                if points <= await mall.available(number):
                    await hold(mall, points, number=number, ref=f"{number}-{n}", ttl_seconds=ttl)
    mall.shop.world.clock.advance(seconds=chance.randint(10000, 40000))
    before = {number: await mall.shown(number) for pair in pairs for number in pair}
    for lazy, swept in pairs:
        await mall.end(swept)
        assert await mall.shown(swept) == before[swept]
        reward_id = await mall.reward(chance.randint(1, 600))
        answers = [await mall.exchange(reward_id, number=number) for number in (lazy, swept)]
        assert type(answers[0]) is type(answers[1])
        if isinstance(answers[0], InsufficientPoints):
            assert vars(answers[0]) == vars(answers[1])
        assert await mall.available(lazy) == await mall.available(swept)
    after = {number: await mall.shown(number) for number in before}
    await sweep(mall.shop)
    assert {number: await mall.shown(number) for number in before} == after
