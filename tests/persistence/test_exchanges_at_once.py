"""Exchanges that race for one reward: several pools, each with sets of its own, as several server processes have."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta

import asyncpg
import pytest

from domain.coupons.errors import ClaimLimitReached
from domain.points.errors import InsufficientPoints
from domain.points.use_cases import AdjustPoints, adjust_points
from domain.rewards.desk import ExchangeDesk
from domain.rewards.errors import ExchangeLimitReached, RewardOutOfStock
from domain.rewards.exchanging import ExchangeOutcome, ExchangePoints, exchange_points
from domain.rewards.model import PointsExchanged, RewardKind
from domain.rewards.use_cases import CreateReward, create_reward
from domain.shared.batching import SetFailed
from domain.shared.errors import BadUserInput, Forbidden, IdempotencyKeyReused, NotFound, Refusal
from domain.shared.idempotency import Done
from domain.shared.ids import RewardId, TemplateId
from domain.shared.principal import Scope
from persistence.base import on_statement
from persistence.coupons.invariants import CHECKS as OF_COUPONS
from persistence.invariants import SqlInvariants
from persistence.points.invariants import CHECKS as OF_POINTS
from persistence.rewards.invariants import CHECKS as OF_REWARDS
from tests.coupon_world import NAMES, NOON, World, member, once, world
from tests.persistence.sets import kinds, outcomes_of_a_killed_set
from tests.queries import names_into


class Server:
    """What one server process does with exchanges: its own pool, its own sets."""

    def __init__(self, made: World) -> None:
        self.world = made
        self.sizes: list[int] = []
        self.desk = ExchangeDesk(
            begin=lambda: made.database.begin_set(Scope.system(), tell_instant=True), observe=self.sizes.append
        )

    async def exchange(self, command: ExchangePoints) -> ExchangeOutcome:
        try:
            return await self.desk.exchange(command)
        except Refusal as refused:
            return refused

    async def set_of(self, *commands: ExchangePoints) -> Sequence[ExchangeOutcome]:
        begin = self.world.database.begin_set
        return await exchange_points(commands, begin=lambda: begin(Scope.system(), tell_instant=True))


@pytest.fixture
async def servers(database_url: str) -> AsyncIterator[list[Server]]:
    async with AsyncExitStack() as stack:
        yield [Server(await stack.enter_async_context(world(database_url, size=3))) for _ in range(4)]


async def reward(
    laurel: World,
    *,
    stock: int = 100,
    price: int = 10,
    limit_per_member: int | None = None,
    template_id: TemplateId | None = None,
) -> RewardId:
    kind = RewardKind.GOODS if template_id is None else RewardKind.COUPON
    asked = once(NAMES, mutation="createReward")
    command = CreateReward("A mug", kind, price, stock, limit_per_member, template_id, asked)
    done = await create_reward(command, begin=lambda: laurel.database.begin(Scope.system()))
    return done.result.reward_id


async def rich(laurel: World, *numbers: int, points: int = 100, expires_in_days: int | None = None) -> None:
    """Members with points: those who are not there yet are made."""
    fresh = [n for n in numbers if not await laurel.value("SELECT 1 FROM members WHERE member_id = $1", member(n))]
    await laurel.add_members(*fresh)
    expires_at = None if expires_in_days is None else laurel.clock.at + timedelta(days=expires_in_days)
    for number in numbers:
        command = AdjustPoints(member(number), points, "hello", expires_at, once(NAMES, mutation="adjustPoints"))
        await adjust_points(command, begin=lambda: laurel.database.begin(Scope.system()))


def asking(
    reward_id: RewardId, number: int = 1, *, quantity: int = 1, key: str | None = None, content: bytes | None = None
) -> ExchangePoints:
    who = member(number)
    asked = once(who, key=key, mutation="exchangePoints", content=content or reward_id.bytes)
    return ExchangePoints(reward_id, who, quantity, Scope.of_member(who), asked)


def results(outcomes: Sequence[ExchangeOutcome]) -> list[PointsExchanged]:
    return [outcome.result for outcome in outcomes if isinstance(outcome, Done)]


async def sound(laurel: World) -> None:
    for checks in (OF_REWARDS, OF_POINTS, OF_COUPONS):
        assert await SqlInvariants(laurel.database, checks=checks).violations(limit=5) == []
    exchanged = await laurel.value("SELECT count(*) FROM reward_exchanges")
    for table in (
        "idempotency WHERE mutation = 'exchangePoints'",
        "points_entries WHERE kind = 'SPEND'",
        "events WHERE stream = 'points' AND kind = 'SPEND'",
    ):
        assert await laurel.value(f"SELECT count(*) FROM {table}") == exchanged  # noqa: S608


async def test_600_exchanges_at_once_of_100_are_exactly_100(servers: list[Server]) -> None:
    laurel = servers[0].world
    await rich(laurel, *range(600))
    mug = await reward(laurel, stock=100)
    outcomes = await asyncio.gather(*(servers[n % 4].exchange(asking(mug, n)) for n in range(600)))
    assert kinds(outcomes) == {"given": 100, "RewardOutOfStock": 500}
    entries = {one.entry_id for one in results(outcomes)}
    assert entries == {r["entry_id"] for r in await laurel.rows("SELECT entry_id FROM reward_exchanges")}
    assert await laurel.value("SELECT sum(available) FROM points_accounts") == 600 * 100 - 100 * 10
    assert max(servers[0].sizes) > 20, "those who come together are decided together"
    await sound(laurel)


async def test_the_last_of_a_stock_goes_to_the_first_of_a_set_and_to_whom_less_is_enough(servers: list[Server]) -> None:
    laurel = servers[0].world
    await rich(laurel, *range(4))
    mug = await reward(laurel, stock=4)
    asked = [asking(mug, n, quantity=quantity) for n, quantity in enumerate((3, 2, 1, 1))]
    outcomes = await servers[0].set_of(*asked)
    assert kinds(outcomes) == {"given": 2, "RewardOutOfStock": 2}
    assert [o.remaining for o in outcomes if isinstance(o, RewardOutOfStock)] == [1, 0]
    await sound(laurel)


async def test_one_key_100_times_at_once_is_one_exchange_and_one_answer(servers: list[Server]) -> None:
    laurel = servers[0].world
    await rich(laurel, 1)
    mug = await reward(laurel)
    outcomes = await asyncio.gather(*(servers[n % 4].exchange(asking(mug, key="mine")) for n in range(100)))
    assert kinds(outcomes) == {"given": 1, "replayed": 99}
    assert len(set(results(outcomes))) == 1
    assert await laurel.value("SELECT available FROM points_accounts") == 90
    await sound(laurel)


async def test_one_key_for_two_rewards_at_once_is_good_for_one_of_them(servers: list[Server]) -> None:
    laurel = servers[0].world
    await rich(laurel, *range(60))
    for round_ in range(5):
        pair = [await reward(laurel), await reward(laurel)]
        own = [asking(pair[n % 2], 5, key=f"round {round_}") for n in range(8)]
        others = [asking(pair[n % 2], 10 + n) for n in range(40)]
        outcomes = await asyncio.gather(*(servers[n % 4].exchange(c) for n, c in enumerate([*own, *others])))
        assert kinds(outcomes[:8]) == {"given": 1, "replayed": 3, "IdempotencyKeyReused": 4}
        assert kinds(outcomes[8:]) == {"given": 40}, "whoever shares a set with a raced key is not harmed"
    await sound(laurel)


async def test_one_member_at_once_is_held_to_the_limit_and_to_the_points_it_has(servers: list[Server]) -> None:
    laurel = servers[0].world
    await rich(laurel, 1)
    limited = await reward(laurel, limit_per_member=3)
    outcomes = await asyncio.gather(*(servers[n % 4].exchange(asking(limited)) for n in range(12)))
    assert kinds(outcomes) == {"given": 3, "ExchangeLimitReached": 9}
    dear = await reward(laurel, price=30)
    outcomes = await asyncio.gather(*(servers[n % 4].exchange(asking(dear)) for n in range(12)))
    assert kinds(outcomes) == {"given": 2, "InsufficientPoints": 10}
    assert await laurel.value("SELECT available FROM points_accounts") == 10
    await sound(laurel)


async def test_each_of_a_set_is_refused_for_its_own_reason_and_the_others_get_theirs(servers: list[Server]) -> None:
    laurel, server = servers[0].world, servers[0]
    await rich(laurel, 0, 1, 3, 5)
    await rich(laurel, 2, points=7)
    mug = await reward(laurel, stock=50, limit_per_member=2)
    await server.exchange(asking(mug, 1, quantity=2))
    first = await server.exchange(asking(mug, 5, key="mine"))
    outcomes = await server.set_of(
        asking(mug, 0),
        asking(mug, 1),
        asking(mug, 2),
        asking(mug, 3, quantity=2),
        asking(mug, 4),
        asking(mug, 5, key="mine"),
    )
    assert [type(o) for o in outcomes] == [
        Done,
        ExchangeLimitReached,
        InsufficientPoints,
        Done,
        InsufficientPoints,
        Done,
    ]
    poor, stranger = outcomes[2], outcomes[4]
    assert isinstance(poor, InsufficientPoints)
    assert (poor.required, poor.available, poor.shortfall) == (10, 7, 3)
    assert isinstance(stranger, InsufficientPoints)
    assert (stranger.available, stranger.shortfall) == (0, 10)
    assert results([first]) == results([outcomes[5]])
    assert await server.set_of(asking(mug, 5, key="mine", content=b"another")) != [first]
    (reused,) = await server.set_of(asking(mug, 5, key="mine", content=b"another"))
    assert isinstance(reused, IdempotencyKeyReused)
    await sound(laurel)


async def test_points_that_expired_are_posted_as_expired_before_the_others_are_spent(servers: list[Server]) -> None:
    laurel, server = servers[0].world, servers[0]
    for number in (1, 2):
        await rich(laurel, number, points=40, expires_in_days=1)
        await rich(laurel, number, points=10, expires_in_days=9)
        await rich(laurel, number, points=10)
    laurel.clock.at = NOON + timedelta(days=2)
    mug, dear = await reward(laurel, price=15), await reward(laurel, price=21)
    outcomes = await server.set_of(asking(dear, 1))
    assert isinstance(outcomes[0], InsufficientPoints)
    assert outcomes[0].available == 20
    assert await laurel.value("SELECT count(*) FROM points_entries WHERE kind = 'EXPIRE'") == 0, "nothing was written"
    assert kinds(await server.set_of(asking(mug, 1), asking(mug, 2))) == {"given": 2}
    entries = await laurel.rows(
        "SELECT kind, delta, balance_after FROM points_entries WHERE member_id = $1 AND kind <> 'ADJUST' ORDER BY id",
        member(1),
    )
    assert [tuple(row) for row in entries] == [("EXPIRE", -40, 20), ("SPEND", -15, 5)]
    left = await laurel.rows("SELECT remaining FROM points_lots WHERE member_id = $1 ORDER BY expires_at", member(1))
    assert [row["remaining"] for row in left] == [0, 0, 5]
    await sound(laurel)


async def test_coupons_for_points_at_once_are_held_to_the_stock_and_the_limits_of_their_template(
    servers: list[Server],
) -> None:
    laurel = servers[0].world
    await rich(laurel, *range(40))
    template_id = await laurel.published(stock=25, limit_per_member=1)
    await laurel.claimed(template_id, 0)
    gift = await reward(laurel, template_id=template_id)
    outcomes = await asyncio.gather(*(servers[n % 4].exchange(asking(gift, n)) for n in range(40)))
    assert kinds(outcomes) == {"given": 24, "ExchangeLimitReached": 1, "RewardOutOfStock": 15}
    issued = {coupon for one in results(outcomes) for coupon in one.coupon_ids}
    assert len(issued) == 24
    assert issued < {row["id"] for row in await laurel.rows("SELECT id FROM coupons")}
    assert isinstance(await laurel.claim(template_id, 50), Refusal)
    await sound(laurel)


async def test_who_cannot_have_all_the_coupons_gets_none_and_they_are_left_to_the_next(servers: list[Server]) -> None:
    laurel, server = servers[0].world, servers[0]
    await rich(laurel, 1, 2, points=20)
    await rich(laurel, 3)
    template_id = await laurel.published(stock=3, limit_per_member=2)
    gift = await reward(laurel, template_id=template_id)
    asked = (asking(gift, 1, quantity=3), asking(gift, 2, quantity=2), asking(gift, 3, quantity=2), asking(gift, 3))
    outcomes = [*await server.set_of(*asked[:3]), *await server.set_of(asked[3])]
    assert [type(o) for o in outcomes] == [ExchangeLimitReached, Done, RewardOutOfStock, Done]
    assert await laurel.value("SELECT remaining FROM coupon_template_stock") == 0
    await sound(laurel)


async def test_claims_redemptions_of_points_and_exchanges_of_the_same_members_never_wait_in_a_ring(
    servers: list[Server],
) -> None:
    laurel = servers[0].world
    await rich(laurel, *range(30), points=1000)
    campaign_id = await laurel.add_campaign(limit_per_member=30)
    template_id = await laurel.published(stock=5000, limit_per_member=None, campaign_id=campaign_id)
    gift, mug = await reward(laurel, stock=500, template_id=template_id), await reward(laurel, stock=500)
    work = [
        work
        for round_ in range(5)
        for n in range(30)
        for work in (
            servers[n % 4].exchange(asking(gift, (n * 7) % 30)),
            servers[(n + 1) % 4].exchange(asking(mug, (n * 11) % 30)),
            servers[(n + 2) % 4].world.claim(template_id, (n * 13) % 30),
            rich(servers[round_ % 4].world, n, points=1),
        )
    ]
    outcomes = await asyncio.gather(*work)
    assert {type(o) for o in outcomes} <= {Done, type(None), ClaimLimitReached} | {
        type(o) for o in outcomes if isinstance(o, Done)
    }
    await sound(laurel)


async def test_a_set_whose_database_dies_fails_each_waiter_once_and_the_next_set_works(servers: list[Server]) -> None:
    server, laurel = servers[0], servers[0].world
    await rich(laurel, *range(20))
    mug = await reward(laurel)
    asked = [server.exchange(asking(mug, n, key="mine")) for n in range(20)]
    failed = await outcomes_of_a_killed_set(asked, locked="reward_stock", by=servers[1].world)
    assert all(isinstance(e, SetFailed) for e in failed)
    assert kinds([await server.exchange(asking(mug, n, key="mine")) for n in range(20)]) == {"given": 20}
    await sound(laurel)


async def test_a_set_that_fails_half_way_leaves_nothing(servers: list[Server], monkeypatch: pytest.MonkeyPatch) -> None:
    server, laurel = servers[0], servers[0].world
    await rich(laurel, *range(5))
    template_id = await laurel.published()
    gift = await reward(laurel, template_id=template_id)

    async def broken(*_: object) -> None:
        raise asyncpg.PostgresError("broken on purpose")

    with monkeypatch.context() as patch:
        patch.setattr("persistence.rewards.writes.SqlRewards.take", broken)
        failed = await asyncio.gather(
            *(server.desk.exchange(asking(gift, n, key="mine")) for n in range(5)), return_exceptions=True
        )
    assert all(isinstance(e, SetFailed) for e in failed)
    assert await laurel.value("SELECT count(*) FROM coupons") == 0
    assert await laurel.value("SELECT sum(available) FROM points_accounts") == 500
    assert kinds([await server.exchange(asking(gift, n, key="mine")) for n in range(5)]) == {"given": 5}
    await sound(laurel)


@pytest.mark.parametrize("size", [1, 50])
async def test_a_set_of_any_size_takes_the_same_few_statements(servers: list[Server], size: int) -> None:
    laurel, server = servers[0].world, servers[0]
    await rich(laurel, *range(size))
    template_id = await laurel.published(stock=1000)
    gift = await reward(laurel, template_id=template_id, limit_per_member=5)
    told: list[str] = []
    token = on_statement.set(names_into(told))
    await server.set_of(*(asking(gift, n) for n in range(size)))
    on_statement.reset(token)
    assert told == [
        *("lock_reward_stock", "find_receipts", "lock_template_stock", "advance_streams", "claim_history"),
        *("advance_streams", "lock_points_accounts", "open_points_lots", "exchanged_of_reward"),
        *("advance_stream", "insert_events_alike", "add_coupons", "take_from_stock"),
        *("add_points_entry", "add_points_postings", "add_points_draws", "draw_from_points_lots"),
        *("set_points_accounts", "advance_streams", "insert_events"),
        *("take_reward", "add_reward_exchange", "record_receipts"),
    ]


async def test_a_reward_that_is_not_there_refuses_each_of_a_set(servers: list[Server]) -> None:
    nothing = RewardId(member(1))
    assert kinds(await servers[0].set_of(asking(nothing, 1), asking(nothing, 2))) == {"NotFound": 2}
    assert isinstance((await servers[0].set_of(asking(nothing)))[0], NotFound)


def test_a_member_exchanges_its_own_points_and_no_more_than_a_hundred() -> None:
    with pytest.raises(Forbidden):
        ExchangePoints(RewardId(member(1)), member(1), 1, Scope.of_member(member(2)), once(member(2)))
    for quantity in (0, 101):
        with pytest.raises(BadUserInput):
            asking(RewardId(member(1)), quantity=quantity)
