"""Rewards written. The mall is catalogue; who exchanged what is the member's."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.rewards.model import LockedReward, Reward, RewardKind, RewardStock
from domain.rewards.ports import Taken
from domain.shared.ids import MemberId, RewardId
from domain.shared.principal import Scope
from persistence.base import Conn, Row, Statement, columns_of, insert_rows, scope_params, within_scope
from persistence.rewards.tables import exchanges, reward_stock, rewards

_REWARD = ("id", "name", "kind", "points_price", "limit_per_member", "template_id", "created_at")
_STOCK = ("reward_id", "total", "remaining")
_EXCHANGE = ("member_id", "entry_id", "reward_id", "quantity", "exchanged_at")
_ID = sa.bindparam("id", type_=sa.Uuid)

ADD_REWARD = Statement("add_reward", insert_rows(rewards, _REWARD))
ADD_REWARD_STOCK = Statement("add_reward_stock", insert_rows(reward_stock, _STOCK))
LOCK_REWARD = Statement(
    "lock_reward_stock",
    sa.select(rewards, reward_stock.c.total, reward_stock.c.remaining)
    .join_from(rewards, reward_stock, rewards.c.id == reward_stock.c.reward_id)
    .where(rewards.c.id == _ID)
    .with_for_update(of=reward_stock),
)
EXCHANGED = Statement(
    "exchanged_of_reward",
    sa.select(exchanges.c.member_id, sa.func.sum(exchanges.c.quantity).label("quantity"))
    .where(
        exchanges.c.member_id == sa.any_(sa.bindparam("member_ids", type_=pg.ARRAY(sa.Uuid))),
        exchanges.c.reward_id == _ID,
        within_scope(member=exchanges.c.member_id),
    )
    .group_by(exchanges.c.member_id),
)
TAKE_REWARD = Statement(
    "take_reward",
    sa.update(reward_stock)
    .where(reward_stock.c.reward_id == _ID)
    .values(remaining=reward_stock.c.remaining - sa.bindparam("quantity", type_=sa.BigInteger)),
)
ADD_EXCHANGE = Statement("add_reward_exchange", insert_rows(exchanges, _EXCHANGE, member="member_id"))


def reward_of(row: Row) -> Reward:
    """A reward from its row."""
    return Reward(
        id=row["id"],
        name=row["name"],
        kind=RewardKind(row["kind"]),
        points_price=row["points_price"],
        limit_per_member=row["limit_per_member"],
        template_id=row["template_id"],
    )


class SqlRewards:
    """Rewards in one transaction, within one scope."""

    def __init__(self, connection: Conn, *, scope: Scope, now: datetime) -> None:
        self._connection = connection
        self._scope = scope_params(scope)
        self._now = now

    async def add(self, reward: Reward, *, stock: int) -> None:
        """Stores a reward with its stock."""
        row = {
            "id": reward.id,
            "name": reward.name,
            "kind": reward.kind.value,
            "points_price": reward.points_price,
            "limit_per_member": reward.limit_per_member,
            "template_id": reward.template_id,
            "created_at": self._now,
        }
        await ADD_REWARD.execute(self._connection, columns_of([row], _REWARD))
        full = {"reward_id": reward.id, "total": stock, "remaining": stock}
        await ADD_REWARD_STOCK.execute(self._connection, columns_of([full], _STOCK))

    async def lock_or_none(self, reward_id: RewardId) -> LockedReward | None:
        """The reward with its stock, locked."""
        row = await LOCK_REWARD.row(self._connection, {"id": reward_id})
        return None if row is None else LockedReward(reward_of(row), RewardStock(row["total"], row["remaining"]))

    async def exchanged(self, reward_id: RewardId, *, member_ids: Collection[MemberId]) -> Mapping[MemberId, int]:
        """How many of it each of the members has exchanged; one that has none is not in it."""
        params = {"member_ids": list(member_ids), "id": reward_id, **self._scope}
        rows = await EXCHANGED.fetch(self._connection, params)
        return {MemberId(row["member_id"]): int(row["quantity"]) for row in rows}

    async def take(self, reward_id: RewardId, *, taken: Sequence[Taken]) -> None:
        """Takes as many from a stock that is locked and has them, and records who has them."""
        quantity = sum(one.quantity for one in taken)
        await TAKE_REWARD.execute(self._connection, {"id": reward_id, "quantity": quantity})
        rows = [
            {
                "member_id": one.member_id,
                "entry_id": one.entry_id,
                "reward_id": reward_id,
                "quantity": one.quantity,
                "exchanged_at": self._now,
            }
            for one in taken
        ]
        stored = await ADD_EXCHANGE.execute(self._connection, columns_of(rows, _EXCHANGE) | self._scope)
        assert stored == len(taken), "the points were spent under the same scope"
