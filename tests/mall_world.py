"""The shop with a points mall beside it: what is shown of points, and what they are spent on."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from domain.orders.lapsing import expire_of_member, returner_of_points
from domain.orders.model import OrderState
from domain.orders.reservation_model import ReservationKey
from domain.points.model import PointsAccount, PointsLot
from domain.points.use_cases import AdjustPoints, adjust_points
from domain.rewards.desk import ExchangeDesk
from domain.rewards.exchanging import ExchangeOutcome, ExchangePoints, exchange_points
from domain.rewards.model import PointsExchanged, RewardKind
from domain.rewards.use_cases import CreateReward, create_reward
from domain.shared.errors import Refusal
from domain.shared.idempotency import Done
from domain.shared.ids import LotId, RewardId
from domain.shared.principal import Scope
from persistence.base import on_statement
from persistence.invariants import SqlInvariants
from persistence.orders.reads import SqlOrderReads
from persistence.points.reads import SqlPointsReads
from persistence.rewards.invariants import CHECKS as REWARD_CHECKS
from tests.coupon_world import NAMES, member, once
from tests.order_world import Shop, cart, shop
from tests.queries import names_into
from tests.refund_world import receive_and_release
from tests.reservation_world import TTL_SECONDS, reserved, sweep

__all__ = ["shop"]

FOR_EVER = 3660


@dataclass(frozen=True, slots=True)
class Shown:
    """All that is shown of a member's points, without the journal: that is written when they move."""

    account: PointsAccount
    expiring: Sequence[PointsLot]
    lots: Sequence[PointsLot]
    quoted: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Mall:
    """The shop with a points mall beside it."""

    shop: Shop
    desk: ExchangeDesk
    reads: SqlPointsReads

    async def give(self, points: int, *, number: int = 1, hours: float | None = None) -> None:
        """Points that expire in so many hours, or never."""
        expires_at = None if hours is None else self.shop.world.clock.at + timedelta(hours=hours)
        await self.adjust(points, number=number, expires_at=expires_at)

    async def adjust(self, delta: int, *, number: int = 1, **changed: Any) -> None:
        database = self.shop.world.database
        command = AdjustPoints(
            member_id=member(number),
            delta=delta,
            reason="hello",
            expires_at=changed.pop("expires_at", None),
            once=once(NAMES, mutation="adjustPoints", **changed),
        )
        await adjust_points(
            command,
            begin=lambda: database.begin(Scope.system()),
            return_lapsed=returner_of_points(begin=database.begin),
        )

    async def reward(self, price: int, *, stock: int = 100) -> RewardId:
        command = CreateReward(
            "A mug", RewardKind.GOODS, price, stock, None, None, once(NAMES, mutation="createReward")
        )
        done = await create_reward(command, begin=lambda: self.shop.world.database.begin(Scope.system()))
        return done.result.reward_id

    async def exchange(self, reward_id: RewardId, *, number: int = 1, key: str | None = None) -> ExchangeOutcome:
        try:
            return await self.desk.exchange(asking(reward_id, number=number, key=key))
        except Refusal as refused:
            return refused

    async def statements_of_set(self, *commands: ExchangePoints) -> tuple[Sequence[ExchangeOutcome], list[str]]:
        """What becomes of a set, which is decided once, with the names of its statements."""
        database = self.shop.world.database
        told: list[str] = []
        token = on_statement.set(names_into(told))
        outcomes = await exchange_points(commands, begin=lambda: database.begin_set(Scope.system(), tell_instant=True))
        on_statement.reset(token)
        return outcomes, told

    async def buys(self, price: int, *, number: int = 1) -> Done[PointsExchanged] | Refusal:
        return await self.exchange(await self.reward(price), number=number)

    async def shown(self, number: int = 1) -> Shown:
        who, scope = member(number), Scope.of_member(member(number))
        ids = [
            LotId(row["id"])
            for row in await self.shop.world.rows("SELECT id FROM points_lots WHERE member_id = $1 ORDER BY id", who)
        ]
        lots = await self.reads.lots_by_id([(who, id_) for id_ in ids], scope=scope)
        quotable = await SqlOrderReads(self.shop.world.database).quotable(
            who, coupon_ids=[], with_points=True, scope=scope
        )
        assert quotable is not None
        return Shown(
            account=(await self.reads.accounts([who], scope=scope))[who],
            expiring=await self.reads.expiring(who, within_days=FOR_EVER, scope=scope),
            lots=[lots[who, id_] for id_ in ids],
            quoted=(quotable.points_available, quotable.points_debt),
        )

    async def available(self, number: int = 1) -> int:
        shown = await self.shown(number)
        assert shown.quoted[0] == shown.account.available
        return shown.account.available

    async def end(self, number: int) -> None:
        """As the sweeper does for one member."""
        async with self.shop.world.database.begin(Scope.system()) as tx:
            await expire_of_member(tx, member(number))

    def run_out(self) -> None:
        self.shop.world.clock.advance(seconds=TTL_SECONDS)


def asking(reward_id: RewardId, *, number: int = 1, key: str | None = None) -> ExchangePoints:
    who = member(number)
    asked = once(who, key=key, mutation="exchangePoints", content=reward_id.bytes)
    return ExchangePoints(reward_id, who, 1, Scope.of_member(who), asked)


def desk_of(shop: Shop) -> ExchangeDesk:
    """As a server process has it."""
    database = shop.world.database
    return ExchangeDesk(
        begin=lambda: database.begin_set(Scope.system(), tell_instant=True),
        return_lapsed=returner_of_points(begin=database.begin),
    )


@pytest.fixture
async def mall(shop: Shop) -> AsyncIterator[Mall]:
    database = shop.world.database
    desk = desk_of(shop)
    yield Mall(shop, desk, SqlPointsReads(database))
    await desk.drain()
    assert await SqlInvariants(database, checks=REWARD_CHECKS).violations(limit=5) == []


async def hold(mall: Mall, points: int, *, number: int = 1, ref: str = "A1", **changed: Any) -> ReservationKey:
    return await reserved(mall.shop, member_id=member(number), ref=ref, points=points, given=cart(90000), **changed)


async def earned(mall: Mall, points: int) -> None:
    """Points that an order has earned, in a lot of its own."""
    await mall.shop.recorded("R1", OrderState.PAID, given=cart(points * 100))
    await receive_and_release(mall.shop, "R1")


async def same_when_swept(mall: Mall, *numbers: int) -> Shown:
    """What is shown of these members is the same after the sweep; answers that of the first."""
    before = [await mall.shown(number) for number in numbers or (1,)]
    await sweep(mall.shop)
    assert [await mall.shown(number) for number in numbers or (1,)] == before
    return before[0]
