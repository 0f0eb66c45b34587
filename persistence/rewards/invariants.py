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
# Points that were spent on no order.
_spent = (
    sa.select(entries.c.member_id, entries.c.id)
    .where(entries.c.kind == "SPEND", entries.c.order_id.is_(None), within_scope(member=entries.c.member_id))
    .subquery()
)
CHECKS: Final = checks(
    {
        "reward_stock_matches_exchanges": sa.select(
            reward_stock.c.reward_id, reward_stock.c.total, reward_stock.c.remaining, _had.label("exchanged")
        ).where(reward_stock.c.total - reward_stock.c.remaining != _had),
        "exchanges_are_spent": sa.select(
            sa.func.coalesce(exchanges.c.member_id, _spent.c.member_id).label("member_id"),
            sa.func.coalesce(exchanges.c.entry_id, _spent.c.id).label("entry_id"),
        )
        .select_from(
            sa.join(
                exchanges,
                _spent,
                sa.and_(_spent.c.member_id == exchanges.c.member_id, _spent.c.id == exchanges.c.entry_id),
                full=True,
            )
        )
        .where(
            within_scope(member=exchanges.c.member_id),
            sa.or_(_spent.c.id.is_(None), exchanges.c.entry_id.is_(None)),
        ),
    },
    promised=INVARIANTS,
)
