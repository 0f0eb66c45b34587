"""Claims that race: several pools, each with sets of its own, as several server processes have."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import asyncpg
import pytest

from domain.coupons.claimed import Claimed
from domain.coupons.errors import ClaimLimitReached, SoldOut
from domain.coupons.use_cases import ClaimCoupon, ClaimOutcome
from domain.shared.batching import SetFailed, Sets
from domain.shared.errors import IdempotencyKeyReused
from domain.shared.idempotency import Done
from domain.shared.ids import TemplateId
from persistence.coupons.writes import ADD_COUPONS
from tests.coupon_world import World, claim, world
from tests.persistence.sets import kinds, outcomes_of_a_killed_set


class Server:
    """What one server process does with claims: its own pool, its own sets."""

    def __init__(self, made: World) -> None:
        self.world = made
        self.sizes: list[int] = []
        self.sets: Sets[TemplateId, ClaimCoupon, ClaimOutcome] = Sets(self._decide, observe=self.sizes.append)

    async def claim(self, command: ClaimCoupon) -> ClaimOutcome:
        return await self.sets.submit(command, lane=command.template_id)

    async def _decide(self, template_id: TemplateId, commands: Sequence[ClaimCoupon]) -> Sequence[ClaimOutcome]:
        return await self.world.claim_set(commands)


@pytest.fixture
async def servers(database_url: str) -> AsyncIterator[list[Server]]:
    async with AsyncExitStack() as stack:
        yield [Server(await stack.enter_async_context(world(database_url, size=2))) for _ in range(4)]


async def consistent(laurel: World) -> None:
    assert await laurel.value("SELECT total - remaining FROM coupon_template_stock") == await laurel.value(
        "SELECT count(*) FROM coupons"
    )
    for table in ("events", "idempotency WHERE mutation = 'claimCoupon'"):
        assert await laurel.value(f"SELECT count(*) FROM {table}") == await laurel.value("SELECT count(*) FROM coupons")  # noqa: S608


async def test_2000_claims_at_once_on_stock_100_are_exactly_100(servers: list[Server]) -> None:
    laurel = servers[0].world
    template_id = await laurel.published(stock=100)
    outcomes = await asyncio.gather(*(servers[n % 4].claim(claim(template_id, n)) for n in range(2000)))
    assert kinds(outcomes) == {"given": 100, "SoldOut": 1900}
    granted = {o.result.coupon_id for o in outcomes if isinstance(o, Done)}
    assert granted == {r["id"] for r in await laurel.rows("SELECT id FROM coupons")}, "every answer is true"
    await consistent(laurel)


async def test_50_claims_at_once_with_limit_3_give_3(servers: list[Server]) -> None:
    laurel = servers[0].world
    template_id = await laurel.published(limit_per_member=3)
    outcomes = await asyncio.gather(*(servers[n % 4].claim(claim(template_id)) for n in range(50)))
    assert kinds(outcomes) == {"given": 3, "ClaimLimitReached": 47}
    assert all(o.limit == 3 for o in outcomes if isinstance(o, ClaimLimitReached))
    await consistent(laurel)


async def test_one_key_100_times_at_once_is_one_coupon_and_one_answer(servers: list[Server]) -> None:
    laurel = servers[0].world
    template_id = await laurel.published(limit_per_member=None)
    outcomes = await asyncio.gather(*(servers[n % 4].claim(claim(template_id, key="mine")) for n in range(100)))
    assert kinds(outcomes) == {"given": 1, "replayed": 99}
    assert len({o.result for o in outcomes if isinstance(o, Done)}) == 1
    await consistent(laurel)


async def test_one_key_for_two_templates_at_once_is_granted_for_one_of_them(servers: list[Server]) -> None:
    laurel = servers[0].world
    for round_ in range(10):
        pair = [await laurel.published(), await laurel.published()]
        commands = [claim(pair[n % 2], 5, key=f"round {round_}") for n in range(8)]
        others = [claim(pair[n % 2], 100 * round_ + n + 10) for n in range(40)]
        outcomes = await asyncio.gather(*(servers[n % 4].claim(c) for n, c in enumerate([*commands, *others])))
        assert kinds(outcomes[:8]) == {"given": 1, "replayed": 3, "IdempotencyKeyReused": 4}
        assert kinds(outcomes[8:]) == {"given": 40}, "whoever shares a set with a raced key is not harmed"


async def test_a_key_that_another_process_records_meanwhile_is_replayed_or_refused(servers: list[Server]) -> None:
    laurel = servers[0].world
    one, other = await laurel.published(), await laurel.published()
    async with servers[1].world.database.pool.acquire() as connection:
        # The receipt of another process, written and not yet committed while this set looks for receipts.
        transaction = connection.transaction()
        await transaction.start()
        command = claim(one, key="mine")
        await connection.execute(
            "INSERT INTO idempotency VALUES ($1, 'claimCoupon', 'mine', $2, $3, now())",
            command.once.caller_id,
            b"another input",
            {"member_id": str(command.member_id), "coupon_id": str(other)},
        )
        waiting = asyncio.create_task(laurel.claim_set([command, claim(one, 2)]))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        await transaction.commit()
    outcomes = await waiting
    assert [type(o) for o in outcomes] == [IdempotencyKeyReused, Claimed]
    assert await laurel.value("SELECT count(*) FROM coupons") == 1


async def test_a_set_whose_database_dies_fails_each_waiter_once_and_the_next_set_works(servers: list[Server]) -> None:
    server = servers[0]
    template_id = await server.world.published(limit_per_member=None)
    await server.claim(claim(template_id))
    asked = [server.claim(claim(template_id, n)) for n in range(20)]
    failed = await outcomes_of_a_killed_set(asked, locked="coupon_template_stock", by=servers[1].world)
    assert all(isinstance(e, SetFailed) for e in failed)
    assert kinds([await server.claim(claim(template_id, n)) for n in range(3)]) == {"given": 3}
    await consistent(server.world)


async def test_a_set_that_fails_half_way_leaves_nothing(servers: list[Server], monkeypatch: pytest.MonkeyPatch) -> None:
    server = servers[0]
    template_id = await server.world.published()

    async def broken(connection: object, params: object) -> int:
        raise asyncpg.PostgresError("broken on purpose")

    with monkeypatch.context() as patch:
        patch.setattr(type(ADD_COUPONS), "execute", _unless(ADD_COUPONS.name, broken))
        with pytest.raises(SetFailed):
            await server.claim(claim(template_id, key="mine"))
    assert await server.world.value("SELECT count(*) FROM events") == 0
    assert await server.world.value("SELECT remaining FROM coupon_template_stock") == 100
    assert kinds([await server.claim(claim(template_id, key="mine"))]) == {"given": 1}


async def test_claims_that_arrive_together_are_decided_together(servers: list[Server]) -> None:
    server = servers[0]
    template_id = await server.world.published(stock=5000)
    outcomes = await asyncio.gather(*(server.claim(claim(template_id, n)) for n in range(2500)))
    assert kinds(outcomes) == {"given": 2500}
    assert server.sizes == [1000, 1000, 500]


async def test_who_comes_after_the_last_is_told_in_every_process(servers: list[Server]) -> None:
    template_id = await servers[0].world.published(stock=1)
    outcomes = [await servers[n].claim(claim(template_id, n)) for n in range(4)]
    assert [type(o) for o in outcomes] == [Claimed, SoldOut, SoldOut, SoldOut]


def _unless(name: str, broken: object) -> object:
    real = type(ADD_COUPONS).execute

    async def execute(self: object, connection: object, params: object) -> int:
        if self.name == name:  # type: ignore[attr-defined]
            return await broken(connection, params)  # type: ignore[operator,no-any-return]
        return await real(self, connection, params)  # type: ignore[arg-type]

    return execute
