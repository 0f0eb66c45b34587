"""One code by many members at once: sets in several processes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import asyncpg
import pytest

from domain.coupons.codes import MAX_ATTEMPTS, RedeemCode, RedeemOutcome, redeem_codes
from domain.coupons.errors import ClaimLimitReached, CodeUsedUp, SoldOut, TooManyAttempts
from domain.coupons.giving import GivingDesk
from domain.shared.batching import SetFailed
from domain.shared.errors import IdempotencyKeyReused, NotFound, Refusal
from domain.shared.idempotency import Done
from domain.shared.principal import Scope
from persistence.base import on_statement
from tests.coupon_world import World, member, once, world
from tests.persistence.sets import kinds, outcomes_of_a_killed_set
from tests.persistence.test_codes import create, sound
from tests.queries import names_into


class Server:
    """What one server process does with codes: its own pool, its own sets."""

    def __init__(self, made: World) -> None:
        self.world = made
        self.sizes: list[int] = []
        self.desk = GivingDesk(
            begin=lambda: made.database.begin(Scope.system()),
            begin_set=lambda: made.database.begin_set(Scope.system(), tell_instant=True),
            observe=self.sizes.append,
        )

    async def redeem(self, command: RedeemCode) -> RedeemOutcome:
        try:
            return await self.desk.redeem(command)
        except Refusal as refused:
            return refused

    async def set_of(self, *commands: RedeemCode) -> Sequence[RedeemOutcome]:
        begin = self.world.database.begin_set
        return await redeem_codes(commands, begin=lambda: begin(Scope.system(), tell_instant=True))


@pytest.fixture
async def servers(database_url: str) -> AsyncIterator[list[Server]]:
    async with AsyncExitStack() as stack:
        yield [Server(await stack.enter_async_context(world(database_url, size=3))) for _ in range(4)]


def asking(code: str, number: int = 1, *, key: str | None = None) -> RedeemCode:
    who = member(number)
    asked = once(who, key=key, mutation="redeemCode", content=code.encode()[:32])
    return RedeemCode(code, who, Scope.of_member(who), asked)


async def failed_tries(laurel: World) -> int:
    return int(await laurel.value("SELECT coalesce(sum(failed), 0) FROM code_attempts"))


async def test_a_code_for_100_by_600_members_at_once_is_exactly_100(servers: list[Server]) -> None:
    laurel = servers[0].world
    await create(laurel, await laurel.published(stock=5000), codes=("SUMMER",), uses_per_code=100)
    outcomes = await asyncio.gather(*(servers[n % 4].redeem(asking("SUMMER", n)) for n in range(600)))
    assert kinds(outcomes) == {"given": 100, "CodeUsedUp": 500}
    given = {o.result.coupon_id for o in outcomes if isinstance(o, Done)}
    assert given == {r["id"] for r in await laurel.rows("SELECT id FROM coupons")}, "every answer is true"
    assert await laurel.value("SELECT uses FROM coupon_codes") == 100
    assert await laurel.value("SELECT count(*) FROM events") == 100
    assert await laurel.value("SELECT count(*) FROM idempotency WHERE mutation = 'redeemCode'") == 100
    assert await failed_tries(laurel) == 500
    assert max(servers[0].sizes) > 20, "those who come together are decided together"
    await sound(laurel)


async def test_a_stock_of_100_for_a_code_without_end_by_600_members_at_once_is_exactly_100(
    servers: list[Server],
) -> None:
    laurel = servers[0].world
    await create(laurel, await laurel.published(stock=100), codes=("SUMMER",), uses_per_code=10_000)
    outcomes = await asyncio.gather(*(servers[n % 4].redeem(asking("SUMMER", n)) for n in range(600)))
    assert kinds(outcomes) == {"given": 100, "SoldOut": 500}
    assert await failed_tries(laurel) == 0, "the code is good: it cost nobody a try"
    await sound(laurel)


async def test_one_key_100_times_at_once_is_one_coupon_one_answer_and_no_try(servers: list[Server]) -> None:
    laurel = servers[0].world
    await create(laurel, await laurel.published(), codes=("SUMMER",), uses_per_code=100)
    outcomes = await asyncio.gather(*(servers[n % 4].redeem(asking("SUMMER", key="mine")) for n in range(100)))
    assert kinds(outcomes) == {"given": 1, "replayed": 99}
    assert len({o.result for o in outcomes if isinstance(o, Done)}) == 1
    assert await failed_tries(laurel) == 0
    await sound(laurel)


async def test_one_key_for_two_codes_at_once_is_good_for_one_of_them(servers: list[Server]) -> None:
    laurel = servers[0].world
    template_id = await laurel.published(stock=5000, limit_per_member=None)
    for round_ in range(5):
        laurel.clock.advance(seconds=1)
        pair = (f"ONE-{round_}", f"TWO-{round_}")
        await create(laurel, template_id, codes=pair, uses_per_code=100)
        own = [asking(pair[n % 2], 5, key=f"round {round_}") for n in range(8)]
        others = [asking(pair[n % 2], 100 * round_ + n + 10) for n in range(40)]
        outcomes = await asyncio.gather(*(servers[n % 4].redeem(c) for n, c in enumerate([*own, *others])))
        assert kinds(outcomes[:8]) == {"given": 1, "replayed": 3, "IdempotencyKeyReused": 4}
        assert kinds(outcomes[8:]) == {"given": 40}, "whoever shares a set with a raced key is not harmed"
    await sound(laurel)


async def test_each_of_a_set_is_refused_for_its_own_reason_and_the_others_get_theirs(servers: list[Server]) -> None:
    laurel, server = servers[0].world, servers[0]
    template_id = await laurel.published(stock=4, limit_per_member=1)
    await create(laurel, template_id, codes=("SUMMER",), uses_per_code=100)
    first = await server.redeem(asking("SUMMER", 1, key="mine"))
    await laurel.claimed(template_id, 2)
    for n in range(MAX_ATTEMPTS):
        await server.redeem(asking(f"GUESS-{n}", 3))
    used = await server.redeem(asking("SUMMER", 4))
    assert isinstance(used, Done)
    asked = [asking("SUMMER", n) for n in (2, 3, 4, 5, 6)]
    outcomes = await server.set_of(asking("summer ", 1, key="mine"), *asked)
    reasons = [IdempotencyKeyReused, ClaimLimitReached, TooManyAttempts, CodeUsedUp, Done, SoldOut]
    assert [type(o) for o in outcomes] == reasons
    (again,) = await server.set_of(asking("SUMMER", 1, key="mine"))
    assert isinstance(again, Done)
    assert isinstance(first, Done)
    assert (again.replayed, again.result) == (True, first.result)
    tries = await laurel.rows("SELECT member_id, failed FROM code_attempts")
    assert {row["member_id"]: row["failed"] for row in tries if row["failed"]} == {
        member(3): MAX_ATTEMPTS,
        member(4): 1,
    }
    await sound(laurel)


async def test_the_uses_of_a_code_run_out_within_a_set(servers: list[Server]) -> None:
    laurel = servers[0].world
    await create(laurel, await laurel.published(), codes=("THREE",), uses_per_code=3)
    outcomes = await servers[0].set_of(*(asking("THREE", n) for n in range(5)))
    assert [type(o) for o in outcomes] == [Done, Done, Done, CodeUsedUp, CodeUsedUp]
    assert await failed_tries(laurel) == 2
    await sound(laurel)


async def test_what_is_no_code_refuses_each_of_a_set_and_counts_a_try_of_each(servers: list[Server]) -> None:
    outcomes = await servers[0].set_of(asking("NOTHING-1", 1), asking("nothing1", 2))
    assert all(isinstance(o, NotFound) for o in outcomes)
    assert await failed_tries(servers[0].world) == 2


async def test_one_member_at_once_makes_its_tries_one_after_another_beside_those_of_others(
    servers: list[Server],
) -> None:
    laurel = servers[0].world
    await create(laurel, await laurel.published(limit_per_member=None), codes=("MANY",), uses_per_code=100)
    own = [asking("MANY", 1) for _ in range(MAX_ATTEMPTS + 3)]
    others = [asking("MANY", n) for n in range(2, 40)]
    outcomes = await asyncio.gather(*(servers[0].redeem(command) for command in [*own, *others]))
    assert kinds(outcomes[: len(own)]) == {"given": 1, "CodeUsedUp": MAX_ATTEMPTS, "TooManyAttempts": 2}
    assert kinds(outcomes[len(own) :]) == {"given": 38}
    await sound(laurel)


async def test_a_set_whose_database_dies_fails_each_waiter_once_and_the_next_set_works(servers: list[Server]) -> None:
    server, laurel = servers[0], servers[0].world
    await create(laurel, await laurel.published(), codes=("SUMMER",), uses_per_code=100)
    asked = [server.redeem(asking("SUMMER", n, key="mine")) for n in range(20)]
    failed = await outcomes_of_a_killed_set(asked, locked="coupon_template_stock", by=servers[1].world)
    assert all(isinstance(e, SetFailed) for e in failed)
    assert await laurel.value("SELECT count(*) FROM code_attempts") == 0
    assert kinds([await server.redeem(asking("SUMMER", n, key="mine")) for n in range(20)]) == {"given": 20}
    await sound(laurel)


async def test_a_set_that_fails_half_way_leaves_nothing(servers: list[Server], monkeypatch: pytest.MonkeyPatch) -> None:
    server, laurel = servers[0], servers[0].world
    await create(laurel, await laurel.published(), codes=("SUMMER",), uses_per_code=100)

    async def broken(*_: object) -> None:
        raise asyncpg.PostgresError("broken on purpose")

    with monkeypatch.context() as patch:
        patch.setattr("persistence.idempotency.SqlReceipts.record_all", broken)
        with pytest.raises(SetFailed):
            await server.redeem(asking("SUMMER", key="mine"))
    for table in ("coupons", "events", "coupon_code_uses", "code_attempts"):
        assert await laurel.value(f"SELECT count(*) FROM {table}") == 0  # noqa: S608
    assert kinds([await server.redeem(asking("SUMMER", key="mine"))]) == {"given": 1}


@pytest.mark.parametrize("size", [1, 50])
async def test_a_set_of_any_size_takes_the_same_few_statements(servers: list[Server], size: int) -> None:
    laurel, server = servers[0].world, servers[0]
    await create(laurel, await laurel.published(), codes=("SUMMER",), uses_per_code=100)
    told: list[str] = []
    token = on_statement.set(names_into(told))
    await server.set_of(*(asking("SUMMER", n) for n in range(size)))
    on_statement.reset(token)
    assert told == [
        *("find_receipts", "count_code_attempt", "find_receipts"),
        *("find_code", "lock_template_stock", "find_code", "code_used_by", "claim_history"),
        *("advance_stream", "insert_events_alike", "add_coupons", "take_from_stock"),
        *("count_code_use", "add_code_use", "forgive_code_attempt", "record_receipts"),
    ]
