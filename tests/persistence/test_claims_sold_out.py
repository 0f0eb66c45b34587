"""A template that was found sold out is refused without its lock, and by no process once stock was added."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace

import pytest

from domain.coupons.desk import ClaimDesk
from domain.coupons.errors import ClaimLimitReached, Ended, SoldOut
from domain.coupons.sold_out import MOST_TEMPLATES, REMEMBERED_SECONDS, SoldOutTemplates
from domain.coupons.use_cases import ClaimOutcome, claim_coupons
from domain.shared.errors import NotFound
from domain.shared.idempotency import Done
from domain.shared.ids import TemplateId
from domain.shared.principal import Scope
from persistence.base import on_statement
from tests.coupon_world import CLOSES_AT, World, claim, member, world
from tests.queries import names_into


class Process:
    """What one process remembers, and its own clock of seconds."""

    def __init__(self, made: World) -> None:
        self.world = made
        self.seconds = 100.0
        self.sold_out = SoldOutTemplates(seconds=lambda: self.seconds)

    async def claim(self, template_id: TemplateId, number: int, *, key: str | None = None) -> ClaimOutcome:
        (outcome,) = await claim_coupons(
            [claim(template_id, number, key=key)],
            begin=lambda: self.world.database.begin_set(Scope.system()),
            sold_out=self.sold_out,
        )
        return outcome


@pytest.fixture
async def laurel(database_url: str) -> AsyncIterator[World]:
    async with world(database_url) as made:
        yield made


@pytest.fixture
def statements() -> Iterator[list[str]]:
    names: list[str] = []
    token = on_statement.set(names_into(names))
    yield names
    on_statement.reset(token)


async def sold_out(process: Process) -> TemplateId:
    """A template whose one coupon member 1 has under the key `first`, and which the process has seen sold out."""
    template_id = await process.world.published(stock=1, limit_per_member=1)
    assert isinstance(await process.claim(template_id, 1, key="first"), Done)
    assert isinstance(await process.claim(template_id, 2), SoldOut)
    return template_id


async def test_what_was_found_sold_out_is_refused_without_its_lock(laurel: World, statements: list[str]) -> None:
    process = Process(laurel)
    template_id = await sold_out(process)
    statements.clear()
    assert isinstance(await process.claim(template_id, 3), SoldOut)
    assert statements == ["sold_out_history"]


async def test_what_was_found_sold_out_is_refused_while_another_holds_its_stock(laurel: World) -> None:
    process = Process(laurel)
    template_id = await sold_out(process)
    async with laurel.database.pool.acquire() as other, other.transaction():
        await other.execute("SELECT FROM coupon_template_stock WHERE template_id = $1 FOR UPDATE", template_id)
        async with asyncio.timeout(5):
            assert isinstance(await process.claim(template_id, 3), SoldOut)


async def test_a_replay_of_a_granted_claim_is_answered_with_its_coupon(laurel: World) -> None:
    process = Process(laurel)
    template_id = await sold_out(process)
    again = await process.claim(template_id, 1, key="first")
    assert isinstance(again, Done)
    assert again.replayed
    assert again.result.coupon_id == await laurel.value("SELECT id FROM coupons")


async def test_a_replay_of_what_another_process_granted_is_answered_with_its_coupon(laurel: World) -> None:
    process, other = Process(laurel), Process(laurel)
    template_id = await sold_out(process)
    assert isinstance(await other.claim(template_id, 5), SoldOut)
    again = await other.claim(template_id, 1, key="first")
    assert isinstance(again, Done)
    assert again.replayed


async def test_each_refusal_is_the_one_that_the_lock_would_lead_to(laurel: World) -> None:
    process = Process(laurel)
    template_id = await sold_out(process)
    assert isinstance(await process.claim(template_id, 1), ClaimLimitReached)
    laurel.clock.at = CLOSES_AT
    assert isinstance(await process.claim(template_id, 3), Ended)


async def add_stock(laurel: World, template_id: TemplateId, count: int = 1) -> None:
    await laurel.rows(
        "UPDATE coupon_template_stock SET total = total + $2, remaining = remaining + $2 WHERE template_id = $1",
        template_id,
        count,
    )


async def test_stock_that_is_added_is_seen_by_the_next_claim_in_every_process(laurel: World) -> None:
    processes = [Process(laurel), Process(laurel)]
    template_id = await sold_out(processes[0])
    assert isinstance(await processes[1].claim(template_id, 2), SoldOut)
    for process in processes:
        assert process.sold_out.find(template_id) is not None, "it is remembered"
    await add_stock(laurel, template_id, 2)
    for number, process in enumerate(processes, start=3):
        assert isinstance(await process.claim(template_id, number), Done)
    for process in processes:
        assert isinstance(await process.claim(template_id, 5), SoldOut)


async def test_a_set_that_was_decided_before_stock_was_added_makes_nobody_refuse_after(laurel: World) -> None:
    process, other = Process(laurel), Process(laurel)
    template_id = await sold_out(process)
    remembered, since = process.sold_out.find(template_id), process.seconds
    assert remembered is not None
    await add_stock(laurel, template_id)
    other.sold_out.remember(remembered, since=since)  # its set had read 0 under the lock, and ends only now
    assert isinstance(await other.claim(template_id, 3), Done)


async def test_stock_that_is_added_again_and_again_is_all_handed_out_by_desks_that_take_turns(laurel: World) -> None:
    desks = [ClaimDesk(begin=lambda: laurel.database.begin_set(Scope.system())) for _ in range(2)]
    template_id = await laurel.published(stock=1, limit_per_member=1)
    numbers = itertools.count(1)

    async def granted(desk: ClaimDesk) -> bool:
        try:
            await desk.claim(claim(template_id, next(numbers)))
        except SoldOut:
            return False
        return True

    assert await granted(desks[0])
    for turn in range(12):
        assert [await granted(desk) for desk in (*desks, *desks)] == [False] * 4
        await add_stock(laurel, template_id, 1 + turn % 3)
        taken = [await granted(desks[(turn + place) % 2]) for place in range(2 + turn % 3)]
        assert taken == [True] * (1 + turn % 3) + [False]


async def test_whoever_claims_after_stock_was_added_gets_it_while_many_are_refused(laurel: World) -> None:
    desks = [ClaimDesk(begin=lambda: laurel.database.begin_set(Scope.system())) for _ in range(2)]
    template_id = await laurel.published(stock=1, limit_per_member=1)
    await desks[0].claim(claim(template_id, 1))
    refused, over = 0, asyncio.Event()

    async def storm(desk: ClaimDesk) -> None:
        nonlocal refused
        while not over.is_set():
            with suppress(ClaimLimitReached):  # member 1 has one: it takes nothing of what is added
                await desk.claim(claim(template_id, 1))
            refused += 1

    storms = [asyncio.create_task(storm(desk)) for desk in desks for _ in range(4)]
    for number in range(2, 22):
        with pytest.raises(SoldOut):
            await desks[number % 2].claim(claim(template_id, number))
        await add_stock(laurel, template_id)
        assert not (await desks[number % 2].claim(claim(template_id, number))).replayed
    over.set()
    await asyncio.gather(*storms)
    assert refused > 0


async def test_refusing_from_memory_does_not_make_the_memory_last(laurel: World, statements: list[str]) -> None:
    process = Process(laurel)
    template_id = await sold_out(process)
    statements.clear()
    for _ in range(8):
        process.seconds += REMEMBERED_SECONDS / 8
        assert isinstance(await process.claim(template_id, 3), SoldOut)
    assert statements == ["sold_out_history"] * 7 + ["lock_template_stock", "claim_history"]


async def test_a_campaign_that_limits_its_members_locks_none_of_them_to_refuse(
    laurel: World, statements: list[str]
) -> None:
    process = Process(laurel)
    campaign_id = await laurel.add_campaign(limit_per_member=2)
    template_id = await laurel.published(stock=1, campaign_id=campaign_id)
    assert isinstance(await process.claim(template_id, 1), Done)
    assert isinstance(await process.claim(template_id, 2), SoldOut)
    statements.clear()
    assert isinstance(await process.claim(template_id, 2), SoldOut)
    assert statements == ["wide_sold_out_history"]
    await add_stock(laurel, template_id)
    assert isinstance(await process.claim(template_id, 2), Done)


async def test_only_what_was_refused_for_its_stock_is_remembered(laurel: World, statements: list[str]) -> None:
    process = Process(laurel)
    template_id = await laurel.create(stock=1)
    await laurel.rows("UPDATE coupon_template_stock SET remaining = 0")
    assert isinstance(await process.claim(template_id, 1), NotFound)
    await laurel.publish(template_id)
    await laurel.rows("UPDATE coupon_template_stock SET remaining = 1")
    assert isinstance(await process.claim(template_id, 1), Done)


async def test_the_memory_is_bounded(laurel: World) -> None:
    process = Process(laurel)
    template_id = await sold_out(process)
    locked = process.sold_out.find(template_id)
    assert locked is not None
    for number in range(MOST_TEMPLATES):
        other = replace(locked.template, id=TemplateId(member(number)))
        process.sold_out.remember(replace(locked, template=other), since=process.seconds)
    assert process.sold_out.find(template_id) is None, "the oldest makes room"
    assert process.sold_out.find(TemplateId(member(0))) is not None
