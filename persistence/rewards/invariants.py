"""Looks for rows that break an invariant of rewards."""

from typing import Final

import sqlalchemy as sa

from domain.rewards.invariants import INVARIANTS
from persistence.base import within_scope
from persistence.invariants import checks
from persistence.points.tables import entries
from persistence.rewards.tables import exchanges, reward_stock

_ZERO: Final[sa.ColumnClause[int]] = sa.literal_column("0")
_had = (
    sa.select(sa.func.coalesce(sa.func.sum(exchanges.c.quantity), _ZERO))
    .where(exchanges.c.reward_id == reward_stock.c.reward_id, within_scope(member=exchanges.c.member_id))
    .scalar_subquery()
)
CHECKS: Final = checks(
    {
        "reward_stock_matches_exchanges": sa.select(
            reward_stock.c.reward_id, reward_stock.c.total, reward_stock.c.remaining, _had.label("exchanged")
        ).where(reward_stock.c.total - reward_stock.c.remaining != _had),
        "exchanges_are_spent": sa.select(exchanges.c.member_id, exchanges.c.entry_id).where(
            within_scope(member=exchanges.c.member_id),
            ~sa.exists().where(
                entries.c.member_id == exchanges.c.member_id,
                entries.c.id == exchanges.c.entry_id,
                entries.c.kind == "SPEND",
                within_scope(member=entries.c.member_id),
            ),
        ),
    },
    promised=INVARIANTS,
)
