"""What reservations hold of points though their time is over: not returned yet, and as free as if it were.

It returns to the very lots that it was drawn from (`domain.orders.holding.return_points`), so that what has expired in
the meantime is lost; a debt stays as it is.
"""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from persistence.base import Statement, current_instant, within_scope
from persistence.orders.tables import reservations
from persistence.points.tables import entries, lot_draws, lots

_NOW = current_instant()
_ZERO: Final[sa.ColumnElement[Any]] = sa.literal_column("0")
# Found by the index of what a member holds, which is little at a time, and of most members nothing.
_RUN_OUT: Final = (
    reservations.c.state == sa.literal_column("'HELD'"),
    reservations.c.points > _ZERO,
    reservations.c.expires_at <= _NOW,
    within_scope(member=reservations.c.member_id),
)
_DRAWS = reservations.join(
    entries,
    sa.and_(
        entries.c.member_id == reservations.c.member_id,
        # Taken when it was reserved: an index finds a member's entries of an instant, and none those of an order.
        entries.c.occurred_at == reservations.c.reserved_at,
        entries.c.order_id == reservations.c.order_id,
        entries.c.kind == sa.literal_column("'SPEND'"),
    ),
).join(lot_draws, sa.and_(lot_draws.c.member_id == entries.c.member_id, lot_draws.c.entry_id == entries.c.id))
_POINTS: Final = sa.func.coalesce(sa.func.sum(lot_draws.c.points), _ZERO)
IS_LIVE: Final = sa.or_(lots.c.expires_at.is_(None), lots.c.expires_at > _NOW)


# Of those whose accounts are locked: as long as they are, nothing of theirs is held, paid or given up.
MEMBERS_WITH_LAPSED = Statement(
    "members_with_lapsed_points",
    sa.select(reservations.c.member_id)
    .where(reservations.c.member_id == sa.any_(sa.bindparam("member_ids", type_=pg.ARRAY(sa.Uuid))), *_RUN_OUT)
    .distinct(),
)


def holds_lapsed(member_id: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """True where something will return to a member, else null; asked first, as it costs little."""
    return (
        sa.select(sa.literal_column("true"))
        .where(reservations.c.member_id == member_id, *_RUN_OUT)
        .limit(sa.literal_column("1"))
        .scalar_subquery()
    )


def lapsed_of_member(member_id: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    """How many points will return to the member of an outer row, and may be spent."""
    of_lots = _DRAWS.join(lots, sa.and_(lots.c.member_id == lot_draws.c.member_id, lots.c.id == lot_draws.c.lot_id))
    return (
        sa.select(_POINTS)
        .select_from(of_lots)
        .where(reservations.c.member_id == member_id, *_RUN_OUT, IS_LIVE)
        .scalar_subquery()
    )


def lapsed_of_lot() -> sa.ColumnElement[int]:
    """How many points will return to an outer row of `lots`."""
    return (
        sa.select(_POINTS)
        .select_from(_DRAWS)
        .where(reservations.c.member_id == lots.c.member_id, *_RUN_OUT, lot_draws.c.lot_id == lots.c.id)
        .correlate(lots)
        .scalar_subquery()
    )


def lapsed_lots(member_id: sa.ColumnElement[Any]) -> sa.Subquery:
    """The lots of a member that something will return to, with how much."""
    return (
        sa.select(lot_draws.c.member_id, lot_draws.c.lot_id, sa.func.sum(lot_draws.c.points).label("points"))
        .select_from(_DRAWS)
        .where(reservations.c.member_id == member_id, *_RUN_OUT)
        .group_by(lot_draws.c.member_id, lot_draws.c.lot_id)
        .subquery("lapsed")
    )
