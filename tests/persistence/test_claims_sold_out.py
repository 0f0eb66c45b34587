"""A template that was found sold out is refused without its lock for a second, and never longer than it is true."""

from collections.abc import AsyncIterator, Iterator
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
    assert statements == ["claim_history"]


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


async def test_stock_that_is_added_is_seen_within_a_second(laurel: World) -> None:
    process = Process(laurel)
    template_id = await sold_out(process)
    await laurel.rows("UPDATE coupon_template_stock SET total = 2, remaining = 1")
    process.seconds += REMEMBERED_SECONDS - 0.001
    assert isinstance(await process.claim(template_id, 3), SoldOut)
    process.seconds += 0.001
    assert isinstance(await process.claim(template_id, 3), Done)


async def test_refusing_from_memory_does_not_make_the_memory_last(laurel: World) -> None:
    process = Process(laurel)
    template_id = await sold_out(process)
    await laurel.rows("UPDATE coupon_template_stock SET total = 2, remaining = 1")
    for _ in range(7):
        process.seconds += REMEMBERED_SECONDS / 8
        assert isinstance(await process.claim(template_id, 3), SoldOut)
    process.seconds += REMEMBERED_SECONDS / 8
    assert isinstance(await process.claim(template_id, 3), Done)


async def test_a_desk_that_is_told_of_new_stock_looks_at_once(laurel: World, statements: list[str]) -> None:
    desk = ClaimDesk(begin=lambda: laurel.database.begin_set(Scope.system()))
    template_id = await laurel.published(stock=1)
    await desk.claim(claim(template_id, 1))
    for number in (2, 3):
        with pytest.raises(SoldOut):
            await desk.claim(claim(template_id, number))
    await laurel.rows("UPDATE coupon_template_stock SET total = 2, remaining = 1")
    desk.restocked(template_id)
    assert not (await desk.claim(claim(template_id, 3))).replayed


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
