"""Rewards read. The mall is public."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.rewards.model import Reward, RewardStock
from domain.shared.ids import RewardId
from domain.shared.paging import Page, PageRequest
from persistence.base import Row, Statement
from persistence.paging import after_number_and_id, page_of
from persistence.rewards.tables import reward_stock, rewards
from persistence.rewards.writes import reward_of
from persistence.unit_of_work import Database

_IDS = sa.bindparam("ids", type_=pg.ARRAY(sa.Uuid))
_AFTER_PRICE = sa.bindparam("after_price", type_=sa.BigInteger)
_AFTER_ID = sa.bindparam("after_id", type_=sa.Uuid)

REWARDS_BY_ID = Statement("rewards_by_id", sa.select(rewards).where(rewards.c.id == sa.any_(_IDS)))
REWARDS_PAGE = Statement(
    "rewards_page",
    sa.select(rewards)
    .where(
        sa.or_(
            _AFTER_PRICE.is_(None),
            sa.tuple_(rewards.c.points_price, rewards.c.id) > sa.tuple_(_AFTER_PRICE, _AFTER_ID),
        )
    )
    .order_by(rewards.c.points_price, rewards.c.id)
    .limit(sa.bindparam("limit", type_=sa.Integer)),
)
REWARD_STOCKS = Statement("reward_stocks", sa.select(reward_stock).where(reward_stock.c.reward_id == sa.any_(_IDS)))


class SqlRewardReads:
    """Reads of rewards."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rewards_by_id(self, reward_ids: Sequence[RewardId]) -> Mapping[RewardId, Reward]:
        """The rewards of these ids."""
        async with self._database.read() as connection:
            rows = await REWARDS_BY_ID.fetch(connection, {"ids": list(reward_ids)})
        return {row["id"]: reward_of(row) for row in rows}

    async def rewards_page(self, *, page: PageRequest) -> Page[Reward]:
        """A page of the mall, cheapest first."""
        after_price, after_id = after_number_and_id(page)
        params = {"after_price": after_price, "after_id": after_id, "limit": page.first + 1}
        async with self._database.read() as connection:
            rows = await REWARDS_PAGE.fetch(connection, params)
        return page_of(rows, request=page, item=reward_of, key=_key)

    async def stocks(self, reward_ids: Sequence[RewardId]) -> Mapping[RewardId, RewardStock]:
        """What is left of these rewards."""
        async with self._database.read() as connection:
            rows = await REWARD_STOCKS.fetch(connection, {"ids": list(reward_ids)})
        return {row["reward_id"]: RewardStock(row["total"], row["remaining"]) for row in rows}


def _key(row: Row) -> tuple[str, ...]:
    return str(row["points_price"]), str(row["id"])
