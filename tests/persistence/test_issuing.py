"""Batches of coupons: an answer for every row, once, whatever happens in the middle."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from domain.coupons.distribution import IssuedBatch, IssueOutcome
from domain.coupons.errors import ClaimLimitReached, Ended, NotStarted
from domain.coupons.issuing import MAX_ROWS, issue_coupons
from domain.coupons.model import Coupon
from domain.shared.errors import BadUserInput, IdempotencyKeyReused, NotFound
from domain.shared.idempotency import Done
from domain.shared.ids import MemberId
from domain.shared.principal import Scope
from persistence.coupons.distribution_reads import SqlDistributionReads
from persistence.coupons.invariants import CHECKS
from persistence.invariants import SqlInvariants
from persistence.unit_of_work import SqlUnitOfWork
from tests.coupon_world import CLOSES_AT, NAMES, NOON, OPENS_AT, World, member, merchant, world
from tests.issuing import ROWS_PER_CHUNK, batch, issue

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
async def laurel(database_url: str) -> AsyncIterator[World]:
    async with world(database_url) as made:
        yield made


def kinds(outcomes: Sequence[IssueOutcome]) -> list[str]:
    return [type(outcome.answer).__name__ for outcome in outcomes]


async def sound(laurel: World) -> None:
    assert await SqlInvariants(laurel.database, checks=CHECKS).violations(limit=5) == []


async def test_every_row_has_a_coupon_or_its_own_problem_in_its_place(laurel: World) -> None:
    known = await laurel.add_members(1, 2, 3, 4)
    template_id = await laurel.published(limit_per_member=2, stock=4)
    rows = [known[0], member(99), known[1], known[0], known[0], known[2], known[3]]
    issued = await issue(laurel, batch(template_id, rows))
    assert kinds(issued.outcomes) == [
        "Coupon", "NotFound", "Coupon", "Coupon", "ClaimLimitReached", "Coupon", "SoldOut",
    ]  # fmt: skip
    assert [outcome.member_id for outcome in issued.outcomes] == rows
    assert issued.replayed is False
    for outcome in issued.outcomes:
        if isinstance(outcome.answer, Coupon):
            assert outcome.answer.member_id == outcome.member_id
    refusal = issued.outcomes[4].answer
    assert isinstance(refusal, ClaimLimitReached)
    assert refusal.limit == 2
    await sound(laurel)


async def test_the_reason_is_in_the_history_of_each_coupon(laurel: World) -> None:
    known = await laurel.add_members(1, 2)
    await issue(laurel, batch(await laurel.published(), known, reason="物流延误补偿"))
    facts = [row["facts"] for row in await laurel.rows("SELECT facts FROM events WHERE kind = 'CLAIMED'")]
    assert facts == [{"reason": "物流延误补偿"}] * 2


async def test_the_same_batch_again_is_answered_as_the_first_time(laurel: World) -> None:
    known = await laurel.add_members(1, 2)
    template_id = await laurel.published(stock=1, limit_per_member=None)
    first = await issue(laurel, batch(template_id, known))
    await laurel.rows("UPDATE coupon_template_stock SET total = total + 1, remaining = remaining + 1")
    again = await issue(laurel, batch(template_id, known))
    assert (first.replayed, again.replayed) == (False, True)
    assert kinds(first.outcomes) == kinds(again.outcomes) == ["Coupon", "SoldOut"], "a refused row stays refused"
    assert await laurel.value("SELECT count(*) FROM coupons") == 1
    other = await issue(laurel, batch(template_id, [known[1]], key="the rest", content=b"2"))
    assert kinds(other.outcomes) == ["Coupon"]


async def test_another_input_under_the_key_is_refused_also_while_the_batch_is_not_done(laurel: World) -> None:
    known = await laurel.add_members(*range(30))
    template_id = await laurel.published()
    await stop_after(laurel, chunks=1, rows=known)
    with pytest.raises(IdempotencyKeyReused):
        await issue(laurel, batch(template_id, known, content=b"2"))
    await issue(laurel, batch(await template_of(laurel), known))
    with pytest.raises(IdempotencyKeyReused):
        await issue(laurel, batch(template_id, known, content=b"2"))


async def template_of(laurel: World) -> Any:
    return await laurel.value("SELECT template_id FROM issues")


class Stopped(Exception):
    """Whatever ends a batch in the middle."""


async def stop_after(laurel: World, *, chunks: int, rows: list[MemberId]) -> None:
    """Issues a batch that fails in the chunk after so many, its transaction not committed."""
    template_id = await laurel.published(limit_per_member=None)
    transactions = 0

    @asynccontextmanager
    async def begin() -> AsyncIterator[SqlUnitOfWork]:
        nonlocal transactions
        async with laurel.database.begin(Scope.system()) as tx:
            yield tx
            transactions += 1
            if transactions > chunks + 1:
                raise Stopped

    with pytest.raises(Stopped):
        await issue_coupons(batch(template_id, rows), begin=begin, chunk=ROWS_PER_CHUNK)


@pytest.mark.parametrize("chunks", [0, 1, 4])
async def test_a_batch_that_stopped_goes_on_where_it_was_and_tells_how_far_that_is(laurel: World, chunks: int) -> None:
    known = await laurel.add_members(*range(50))
    await stop_after(laurel, chunks=chunks, rows=known)
    reads = SqlDistributionReads(laurel.database)
    progress = await reads.issue_progress(caller_id=NAMES, key="batch")
    assert progress is not None
    assert (progress.done, progress.total) == (10 * chunks, 50)
    assert await laurel.value("SELECT count(*) FROM coupons") == 10 * chunks
    before = {row["id"] for row in await laurel.rows("SELECT id FROM coupons")}
    issued = await issue(laurel, batch(await template_of(laurel), known), chunk=ROWS_PER_CHUNK)
    assert issued.replayed is False
    assert kinds(issued.outcomes) == ["Coupon"] * 50
    coupons = {outcome.answer.id for outcome in issued.outcomes if isinstance(outcome.answer, Coupon)}
    assert before <= coupons
    assert len(coupons) == await laurel.value("SELECT count(*) FROM coupons") == 50
    finished = await reads.issue_progress(caller_id=NAMES, key="batch")
    assert finished is not None
    assert (finished.done, finished.total) == (50, 50)
    assert await reads.issue_progress(caller_id=member(1), key="batch") is None, "another caller's key is another's"
    await sound(laurel)


async def test_a_process_killed_in_the_middle_leaves_a_batch_that_goes_on(database_url: str) -> None:
    async with world(database_url) as laurel:
        known = await laurel.add_members(*range(200))
        template_id = await laurel.published(stock=1000)
        command = batch(template_id, known)
        for kill in range(1, 4):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.issuing", database_url, str(template_id), "200", cwd=REPOSITORY
            )
            wanted = 40 * kill
            async with asyncio.timeout(30):
                while (await done(laurel)) < wanted:
                    assert process.returncode is None, "it was to be killed before it ends"
                    await asyncio.sleep(0.02)
            process.send_signal(signal.SIGKILL)
            await process.wait()
            assert wanted <= await done(laurel) < 200
        issued = await issue(laurel, command)
        assert kinds(issued.outcomes) == ["Coupon"] * 200
        assert await laurel.value("SELECT count(*) FROM coupons") == 200
        assert await laurel.value("SELECT max(n) FROM (SELECT count(*) AS n FROM coupons GROUP BY member_id) c") == 1
        assert (await issue(laurel, command)).replayed is True
        await sound(laurel)


async def done(laurel: World) -> int:
    return int(await laurel.value("SELECT coalesce(max(done), 0) FROM issues"))


async def test_a_lost_database_in_the_middle_is_an_error_and_the_batch_goes_on(
    laurel: World, database_url: str
) -> None:
    known = await laurel.add_members(*range(100))
    template_id = await laurel.published()
    command = batch(template_id, known)
    transactions = 0

    @asynccontextmanager
    async def begin() -> AsyncIterator[SqlUnitOfWork]:
        nonlocal transactions
        async with laurel.database.begin(Scope.system()) as tx:
            transactions += 1
            if transactions == 5:
                backend = await tx.connection.fetchval("SELECT pg_backend_pid()")
                async with world(database_url, size=1) as other:
                    await other.rows("SELECT pg_terminate_backend($1)", backend)
            yield tx

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await issue_coupons(command, begin=begin, chunk=ROWS_PER_CHUNK)
    assert await done(laurel) == 30
    issued = await issue(laurel, command)
    assert kinds(issued.outcomes) == ["Coupon"] * 100
    await sound(laurel)


async def test_two_that_send_one_batch_at_once_share_its_rows_and_get_one_answer(database_url: str) -> None:
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(world(database_url, size=2)) for _ in range(3)]
        known = await servers[0].add_members(*range(100))
        template_id = await servers[0].published(limit_per_member=None)
        batches: list[IssuedBatch] = await asyncio.gather(
            *(issue(servers[n % 3], batch(template_id, known), chunk=ROWS_PER_CHUNK) for n in range(6))
        )
        answers = [[o.answer.id for o in b.outcomes if isinstance(o.answer, Coupon)] for b in batches]
        assert all(answer == answers[0] for answer in answers)
        assert len(set(answers[0])) == await servers[0].value("SELECT count(*) FROM coupons") == 100
        await sound(servers[0])


async def test_claims_and_a_batch_at_once_share_one_stock(database_url: str) -> None:
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(world(database_url, size=3)) for _ in range(2)]
        known = await servers[0].add_members(*range(200))
        template_id = await servers[0].published(stock=150)
        issuing = asyncio.create_task(issue(servers[0], batch(template_id, known), chunk=ROWS_PER_CHUNK))
        claims = await asyncio.gather(*(servers[1].claim(template_id, n) for n in range(200, 400)))
        issued = await issuing
        given = Counter(kinds(issued.outcomes))["Coupon"] + sum(isinstance(claim, Done) for claim in claims)
        assert given == await servers[0].value("SELECT count(*) FROM coupons") == 150
        await sound(servers[0])


async def test_vendure_4353_what_is_issued_obeys_the_limits_of_what_is_claimed(laurel: World) -> None:
    """Vendure's automatic promotions passed by the limits that codes obey. Whatever gives a coupon decides alike."""
    known = await laurel.add_members(1, 2)
    campaign_id = await laurel.add_campaign(limit_per_member=2)
    template_id = await laurel.published(campaign_id=campaign_id, limit_per_member=None, limit_per_member_per_week=1)
    other = await laurel.published(campaign_id=campaign_id, limit_per_member=None)
    await laurel.claimed(template_id, 1)
    assert kinds((await issue(laurel, batch(template_id, known))).outcomes) == ["ClaimLimitReached", "Coupon"]
    twice = batch(other, [known[0], known[0], known[1], known[1]], key="other", content=b"2")
    assert kinds((await issue(laurel, twice)).outcomes) == [
        "Coupon", "ClaimLimitReached", "Coupon", "ClaimLimitReached",
    ]  # fmt: skip
    await sound(laurel)


async def test_what_claims_are_refused_for_is_each_rows_answer(laurel: World) -> None:
    known = await laurel.add_members(1)
    template_id = await laurel.published()
    laurel.clock.at = OPENS_AT - timedelta(days=1)
    early = await issue(laurel, batch(template_id, known, key="early"))
    laurel.clock.at = CLOSES_AT
    late = await issue(laurel, batch(template_id, known, key="late"))
    assert isinstance(early.outcomes[0].answer, NotStarted)
    assert isinstance(late.outcomes[0].answer, Ended)
    laurel.clock.at = NOON
    unclaimable = await issue(laurel, batch(await laurel.published(self_claim=False), known, key="given"))
    assert kinds(unclaimable.outcomes) == ["Coupon"], "what nobody claims is issued all the same"


async def test_only_published_templates_of_ones_own_are_issued(laurel: World) -> None:
    known = await laurel.add_members(1)
    await laurel.add_merchant(1)
    mine = Scope(everything=False, member_id=None, merchant_ids=(merchant(1),))
    for template_id in (await laurel.create(), await laurel.create(merchant_id=merchant(1)), member(5)):
        with pytest.raises(NotFound):
            await issue(laurel, batch(template_id, known))  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        await issue(laurel, batch(await laurel.published(), known, scope=mine))
    assert await laurel.value("SELECT count(*) FROM issues") == 0


async def test_a_merchant_gives_to_those_who_have_used_a_coupon_at_it(laurel: World) -> None:
    known = await laurel.add_members(1, 2, 3)
    await laurel.add_merchant(1)
    template_id = await laurel.published(merchant_id=merchant(1))
    for number, at in ((1, merchant(1)), (2, merchant(2))):
        await laurel.rows(
            "INSERT INTO redemptions (member_id, id, coupon_id, template_id, merchant_id, order_id, order_ref,"
            " currency, discount_minor, shares, redeemed_at)"
            " VALUES ($1, $2, $2, $2, $3, $2, 'r', 'CNY', 1, '{}', now())",
            member(number),
            member(number + 50),
            at,
        )
    mine = Scope(everything=False, member_id=None, merchant_ids=(merchant(1),))
    issued = await issue(laurel, batch(template_id, [*known, member(9)], scope=mine))
    assert kinds(issued.outcomes) == ["Coupon", "NotFound", "NotFound", "NotFound"]


async def test_a_batch_has_1_to_10000_rows(laurel: World) -> None:
    template_id = await laurel.published()
    for rows in ([], [member(1)] * (MAX_ROWS + 1)):
        with pytest.raises(BadUserInput) as refused:
            batch(template_id, rows)
        assert refused.value.path == ("input", "memberIds")
