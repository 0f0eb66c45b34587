"""Looks for rows that break an invariant of tills."""

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from persistence.base import within_scope
from persistence.batches import BATCH_KEY, batch_rows, batches
from persistence.coupons.tables import redemptions
from persistence.orders.till_tables import offline_days, offline_till_days, token_uses

_ZERO: Final[sa.ColumnElement[Any]] = sa.literal_column("0")
_OWN = within_scope(member=token_uses.c.member_id)
_used = (
    sa.select(sa.literal_column("1"))
    .where(
        redemptions.c.member_id == token_uses.c.member_id,
        redemptions.c.coupon_id == token_uses.c.coupon_id,
        redemptions.c.order_id == token_uses.c.order_id,
        within_scope(member=redemptions.c.member_id),
    )
    .correlate(token_uses)
    .exists()
)


def _per_day(days: sa.Table, **also: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """Days on which another count or sum was accepted than tokens were handed in for."""
    grouped = {"store_id": token_uses.c.offline_store_id, "on_date": token_uses.c.offline_on, **also}
    handed_in = (
        sa.select(
            *(column.label(name) for name, column in grouped.items()),
            sa.func.count().label("count"),
            sa.func.sum(token_uses.c.offline_minor).label("minor"),
        )
        .where(token_uses.c.offline_store_id.is_not(None), _OWN)
        .group_by(*grouped.values())
        .subquery()
    )
    accepted = sa.func.coalesce(days.c.accepted_count, _ZERO)
    count = sa.func.coalesce(handed_in.c.count, _ZERO)
    return (
        sa.select(
            *(sa.func.coalesce(days.c[name], handed_in.c[name]).label(name) for name in grouped),
            accepted.label("accepted"),
            count.label("handed_in"),
        )
        .select_from(days.join(handed_in, sa.and_(*(days.c[name] == handed_in.c[name] for name in grouped)), full=True))
        .where(
            within_scope(merchant=days.c.merchant_id),
            sa.or_(
                accepted != count,
                sa.func.coalesce(days.c.accepted_minor, _ZERO) != sa.func.coalesce(handed_in.c.minor, _ZERO),
            ),
        )
    )


_rows = (
    sa.select(*(batch_rows.c[name] for name in BATCH_KEY), sa.func.count().label("rows"))
    .group_by(*(batch_rows.c[name] for name in BATCH_KEY))
    .subquery()
)
_kept = sa.func.coalesce(_rows.c.rows, _ZERO)
_is_over = sa.and_(batches.c.done == batches.c.total, _kept == _ZERO)

TILLS_BROKEN: Final[Mapping[str, sa.Select[Any]]] = {
    "tokens_used_by_redemptions": sa.select(
        token_uses.c.member_id, token_uses.c.coupon_id, token_uses.c.order_id
    ).where(_OWN, sa.not_(_used)),
    "offline_days_match_tokens": _per_day(offline_days),
    "offline_tills_match_tokens": _per_day(
        offline_till_days, till_id=sa.func.coalesce(token_uses.c.offline_till, sa.literal_column("''"))
    ),
    # Of a batch that is over the receipt has the outcomes.
    "batches_keep_their_rows": sa.select(
        sa.func.coalesce(batches.c.caller_id, _rows.c.caller_id).label("caller_id"),
        sa.func.coalesce(batches.c.key, _rows.c.key).label("key"),
        batches.c.done,
        _kept.label("kept"),
    )
    .select_from(batches.join(_rows, sa.and_(*(batches.c[name] == _rows.c[name] for name in BATCH_KEY)), full=True))
    .where(batches.c.done.is_distinct_from(_kept), sa.func.coalesce(_is_over, sa.false()).is_(sa.false())),
}
