"""Rewards written. The mall is catalogue; who exchanged what is the member's."""

from datetime import datetime

import sqlalchemy as sa

from domain.rewards.model import LockedReward, Reward, RewardKind, RewardStock
from domain.shared.ids import EntryId, MemberId, RewardId
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
    sa.select(sa.func.coalesce(sa.func.sum(exchanges.c.quantity), 0)).where(
        exchanges.c.member_id == sa.bindparam("member_id", type_=sa.Uuid),
        exchanges.c.reward_id == _ID,
        within_scope(member=exchanges.c.member_id),
    ),
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

    async def exchanged(self, reward_id: RewardId, *, member_id: MemberId) -> int:
        """How many of it the member has exchanged."""
        params = {"member_id": member_id, "id": reward_id, **self._scope}
        return int(await EXCHANGED.value(self._connection, params))

    async def take(self, reward_id: RewardId, *, member_id: MemberId, entry_id: EntryId, quantity: int) -> None:
        """Takes so many from a stock that is locked and has them, and records who has them."""
        await TAKE_REWARD.execute(self._connection, {"id": reward_id, "quantity": quantity})
        row = {
            "member_id": member_id,
            "entry_id": entry_id,
            "reward_id": reward_id,
            "quantity": quantity,
            "exchanged_at": self._now,
        }
        stored = await ADD_EXCHANGE.execute(self._connection, columns_of([row], _EXCHANGE) | self._scope)
        assert stored == 1, "the points were spent under the same scope"
