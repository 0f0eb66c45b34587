"""A write that is sent again under its key while the first is stuck: who waits too long is told so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import asyncpg
import pytest

from domain.coupons.desk import ClaimDesk
from domain.coupons.errors import SoldOut
from domain.coupons.use_cases import ClaimCoupon, ClaimOutcome
from domain.shared.batching import SetFailed
from domain.shared.errors import NotFound, OperationInProgress, Refusal
from domain.shared.events import POINTS
from domain.shared.idempotency import PATIENCE_SECONDS, Done, Once, do_once
from domain.shared.principal import Scope
from domain.shared.repeats import UnderWay
from persistence.engine import LOCK_TIMEOUT_SECONDS
from persistence.unit_of_work import SqlUnitOfWork
from tests.coupon_world import World, claim, member, once, world
from tests.world import OPERATOR, open_world

SOON, LATER = 0.3, 1


@pytest.fixture
async def laurel(database_url: str) -> AsyncIterator[World]:
    async with world(database_url, size=8) as made:
        yield made


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for seconds here."""
    monkeypatch.setattr("persistence.idempotency.PATIENCE_SECONDS", SOON)
    monkeypatch.setattr("domain.shared.repeats.PATIENCE_SECONDS", SOON)
    monkeypatch.setattr("persistence.engine.LOCK_TIMEOUT_SECONDS", LATER)


@dataclass(frozen=True, slots=True)
class Kept:
    """The result of a write of these tests."""

    number: int


@dataclass(slots=True)
class Write:
    """A write that takes a member's stream, and is then stuck until it may go on."""

    laurel: World
    refusal: Refusal | None = None
    decided: int = 0
    under_way: asyncio.Event = field(default_factory=asyncio.Event)
    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, asked: Once) -> Done[Kept]:
        """Sends it under a key."""

        async def decide(tx: SqlUnitOfWork) -> Kept:
            await tx.events.lock([member(1)], stream=POINTS)
            self.under_way.set()
            await self.may_go_on.wait()
            self.decided += 1
            if self.refusal is not None and self.decided == 1:
                raise self.refusal
            return Kept(self.decided)

        begin = self.laurel.database.begin
        return await do_once(asked, begin=lambda: begin(Scope.system()), decide=decide, result_type=Kept)


@asynccontextmanager
async def held(laurel: World, sql: str, *arguments: object) -> AsyncIterator[None]:
    """Another transaction has done this, and does not end."""
    async with laurel.database.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(sql, *arguments)
        try:
            yield
        finally:
            await transaction.rollback()


RECEIPT = "INSERT INTO idempotency VALUES ($1, $2, $3, $4, '{}', now())"


def mine(key: str = "mine", *, caller: int = 1, mutation: str = "doIt") -> Once:
    return once(member(caller), key=key, mutation=mutation)


def test_who_waits_for_the_same_key_is_told_before_the_database_gives_up() -> None:
    assert PATIENCE_SECONDS < LOCK_TIMEOUT_SECONDS


async def test_while_the_first_is_stuck_the_second_is_told_so_and_the_first_is_answered(laurel: World) -> None:
    write = Write(laurel)
    first = asyncio.create_task(write.send(mine()))
    await write.under_way.wait()
    async with asyncio.timeout(LATER):
        for _ in range(2):
            with pytest.raises(OperationInProgress) as told:
                await write.send(mine())
            assert told.value.idempotency_key == "mine"
    write.may_go_on.set()
    assert await first == Done(Kept(1), replayed=False)
    assert await write.send(mine()) == Done(Kept(1), replayed=True)
    assert write.decided == 1


async def test_who_waits_no_longer_than_that_gets_the_first_answer_and_decides_nothing(laurel: World) -> None:
    write = Write(laurel)
    first = asyncio.create_task(write.send(mine()))
    await write.under_way.wait()
    others = [asyncio.create_task(write.send(mine())) for _ in range(5)]
    await asyncio.sleep(SOON / 3)
    write.may_go_on.set()
    assert await first == Done(Kept(1), replayed=False)
    assert await asyncio.gather(*others) == [Done(Kept(1), replayed=True)] * 5
    assert write.decided == 1


async def test_in_one_process_the_others_wait_without_a_connection_and_get_the_first_answer(laurel: World) -> None:
    write, under_way = Write(laurel), UnderWay()
    first = asyncio.create_task(write.send(replace(mine(), repeats=under_way)))
    await write.under_way.wait()
    others = [asyncio.create_task(write.send(replace(mine(), repeats=under_way))) for _ in range(50)]
    await asyncio.sleep(SOON / 3)
    assert len(laurel.database.pool._lent) == 1
    write.may_go_on.set()
    assert await first == Done(Kept(1), replayed=False)
    assert await asyncio.gather(*others) == [Done(Kept(1), replayed=True)] * 50
    assert write.decided == 1


async def test_when_the_first_is_refused_the_second_is_decided(laurel: World) -> None:
    write = Write(laurel, refusal=NotFound("Thing"))
    first = asyncio.create_task(write.send(mine()))
    await write.under_way.wait()
    second = asyncio.create_task(write.send(mine()))
    await asyncio.sleep(SOON / 3)
    write.may_go_on.set()
    with pytest.raises(NotFound):
        await first
    assert await second == Done(Kept(2), replayed=False)


async def test_another_key_caller_or_mutation_is_another_write_whose_wait_is_not_told_so(laurel: World) -> None:
    write = Write(laurel)
    first = asyncio.create_task(write.send(mine()))
    await write.under_way.wait()
    others = [mine("another"), mine(caller=2), mine(mutation="doThat")]
    waiting = [asyncio.create_task(write.send(asked)) for asked in others]
    await asyncio.sleep(2 * SOON)
    assert not any(one.done() for one in waiting), "they wait for the member's stream, as long as ever"
    write.may_go_on.set()
    await asyncio.gather(first, *waiting)
    assert write.decided == 4


async def test_a_write_that_waits_for_the_lock_of_another_is_not_said_to_be_in_progress(laurel: World) -> None:
    write = Write(laurel)
    async with held(laurel, "INSERT INTO streams VALUES ($1, 'points', 0)", member(1)):
        with pytest.raises(asyncpg.LockNotAvailableError):
            await write.send(mine())


async def test_a_receipt_that_is_written_and_not_committed_is_a_write_in_progress(laurel: World) -> None:
    write = Write(laurel)
    write.may_go_on.set()
    async with held(laurel, RECEIPT, member(1), "doIt", "mine", b"1".ljust(32)):
        with pytest.raises(OperationInProgress):
            await write.send(mine())
    assert await write.send(mine()) == Done(Kept(2), replayed=False)


async def test_the_patience_is_that_of_the_wait_for_the_key_alone(laurel: World) -> None:
    write = Write(laurel)
    write.may_go_on.set()
    async with laurel.database.begin(Scope.system()) as tx:
        assert await tx.receipts.take(mine()) is None
        assert await tx.connection.fetchval("SHOW lock_timeout") == f"{LATER}s"
        waiting = asyncio.create_task(_lock_timeout_after_the_wait(laurel))
        await asyncio.sleep(SOON / 3)
    assert await waiting == f"{LATER}s"


async def _lock_timeout_after_the_wait(laurel: World) -> str:
    async with laurel.database.begin(Scope.system()) as tx:
        assert await tx.receipts.take(mine()) is None
        return str(await tx.connection.fetchval("SHOW lock_timeout"))


# ── in sets ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def claimed(desk: ClaimDesk, command: ClaimCoupon) -> ClaimOutcome:
    try:
        return await desk.claim(command)
    except Refusal as refused:
        return refused


async def test_a_key_of_a_set_that_is_stuck_is_told_so_and_other_keys_wait(laurel: World) -> None:
    desk = ClaimDesk(begin=lambda: laurel.database.begin_set(Scope.system()))
    template_id = await laurel.published()
    async with held(laurel, "SELECT FROM coupon_template_stock FOR UPDATE"):
        first = asyncio.create_task(desk.claim(claim(template_id, key="mine")))
        other = asyncio.create_task(desk.claim(claim(template_id, 2, key="mine")))
        await asyncio.sleep(SOON / 3)
        again = [asyncio.create_task(claimed(desk, claim(template_id, key="mine"))) for _ in range(3)]
        told = await asyncio.gather(*again)
        assert [type(one) for one in told] == [OperationInProgress] * 3
        assert not first.done()
        assert not other.done()
    assert (await first).replayed is False
    assert (await other).replayed is False
    assert (await desk.claim(claim(template_id, key="mine"))).replayed is True
    await desk.drain()


async def test_a_key_that_is_sent_again_in_time_gets_the_first_answer_from_its_set(laurel: World) -> None:
    desk = ClaimDesk(begin=lambda: laurel.database.begin_set(Scope.system()))
    template_id = await laurel.published()
    answers = await asyncio.gather(*(desk.claim(claim(template_id, key="mine")) for _ in range(20)))
    assert len({answer.result for answer in answers}) == 1
    assert [answer.replayed for answer in answers].count(False) == 1


async def test_a_key_that_another_process_has_is_told_so_and_whoever_shares_its_set_is_answered(laurel: World) -> None:
    desk = ClaimDesk(begin=lambda: laurel.database.begin_set(Scope.system()))
    template_id = await laurel.published(stock=2)
    async with held(laurel, RECEIPT, member(1), "claimCoupon", "mine", b"another input"):
        asked = [claim(template_id, key="mine"), *(claim(template_id, n) for n in (2, 3, 4))]
        outcomes = await asyncio.gather(*(claimed(desk, command) for command in asked))
        assert [type(one).__name__ for one in outcomes] == ["OperationInProgress", "Claimed", "Claimed", "SoldOut"]
        (alone,) = await asyncio.gather(claimed(desk, claim(await laurel.published(), key="mine")))
        assert isinstance(alone, OperationInProgress)
    assert await laurel.value("SELECT count(*) FROM coupons") == 2
    assert isinstance(await claimed(desk, claim(template_id, key="mine")), SoldOut)


async def test_a_set_that_fails_for_another_reason_is_not_said_to_be_in_progress(laurel: World) -> None:
    desk = ClaimDesk(begin=lambda: laurel.database.begin_set(Scope.system()))
    template_id = await laurel.published()
    async with held(laurel, "SELECT FROM coupon_template_stock FOR UPDATE"):
        with pytest.raises(SetFailed) as failed:
            await desk.claim(claim(template_id))
    assert isinstance(failed.value.__cause__, asyncpg.LockNotAvailableError)


# ── as a client sees it ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_client_is_told_to_send_it_again_with_the_same_key(laurel: World, database_url: str) -> None:
    async with open_world(database_url) as asked:
        given = {"name": "Tea", "externalRef": "tea", "idempotencyKey": "mine"}
        async with held(laurel, RECEIPT, OPERATOR.caller_id, "createMerchant", "mine", b"1".ljust(32)):
            told = await asked.do("createMerchant", OPERATOR, **given)
        assert told == {
            "__typename": "OperationInProgressProblem",
            "code": "OPERATION_IN_PROGRESS",
            "message": "The operation is under way. Try again with the same key.",
        }
        done = await asked.do("createMerchant", OPERATOR, "merchant { name }", **given)
        assert (done["replayed"], done["merchant"]) == (False, {"name": "Tea"})
