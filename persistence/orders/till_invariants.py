"""Looks for rows that break an invariant of tills."""

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from persistence.base import within_scope
from persistence.batches import BATCH_KEY, batch_rows, batches
from persistence.coupons.tables import redemptions
from persistence.orders.till_tables import offline_days, token_uses

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
_handed_in = (
    sa.select(
        token_uses.c.offline_store_id.label("store_id"),
        token_uses.c.offline_on.label("on_date"),
        sa.func.count().label("count"),
        sa.func.sum(token_uses.c.offline_minor).label("minor"),
    )
    .where(token_uses.c.offline_store_id.is_not(None), _OWN)
    .group_by(token_uses.c.offline_store_id, token_uses.c.offline_on)
    .subquery()
)
_count = sa.func.coalesce(_handed_in.c.count, _ZERO)
_minor = sa.func.coalesce(_handed_in.c.minor, _ZERO)
_accepted_count = sa.func.coalesce(offline_days.c.accepted_count, _ZERO)
_accepted_minor = sa.func.coalesce(offline_days.c.accepted_minor, _ZERO)
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
    "offline_days_match_tokens": sa.select(
        sa.func.coalesce(offline_days.c.store_id, _handed_in.c.store_id).label("store_id"),
        sa.func.coalesce(offline_days.c.on_date, _handed_in.c.on_date).label("on_date"),
        _accepted_count.label("accepted"),
        _count.label("handed_in"),
    )
    .select_from(
        offline_days.join(
            _handed_in,
            sa.and_(offline_days.c.store_id == _handed_in.c.store_id, offline_days.c.on_date == _handed_in.c.on_date),
            full=True,
        )
    )
    .where(
        within_scope(merchant=offline_days.c.merchant_id),
        sa.or_(_accepted_count != _count, _accepted_minor != _minor),
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
