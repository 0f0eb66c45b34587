"""Looks for coupons that were promised and are not there: by receipts, by the answers of batches, by uses of codes."""

from typing import Any, Final

import sqlalchemy as sa

from persistence.base import within_scope
from persistence.coupons.distribution_tables import code_uses, issue_outcomes
from persistence.coupons.tables import coupons
from persistence.idempotency import idempotency

_Any = sa.ColumnElement[Any]


def _text(value: str) -> _Any:
    return sa.literal_column(f"'{value}'")


def _named(name: str) -> _Any:
    return sa.cast(idempotency.c.result[name].astext, sa.Uuid)


_each_exchanged = (
    sa.func.jsonb_array_elements_text(idempotency.c.result["coupon_ids"])
    .table_valued(sa.column("coupon_id", sa.Text))
    .render_derived(name="exchanged")
)
_PROMISED: Final = sa.union_all(
    sa.select(
        idempotency.c.mutation.label("by"),
        _named("member_id").label("member_id"),
        _named("coupon_id").label("coupon_id"),
    ).where(idempotency.c.mutation.in_([_text("claimCoupon"), _text("redeemCode")])),
    sa.select(idempotency.c.mutation, _named("member_id"), sa.cast(_each_exchanged.c.coupon_id, sa.Uuid))
    .select_from(idempotency.join(_each_exchanged, sa.true()))
    .where(idempotency.c.mutation == _text("exchangePoints")),
    sa.select(_text("issueCoupons"), issue_outcomes.c.recipient_id, issue_outcomes.c.coupon_id).where(
        issue_outcomes.c.coupon_id.is_not(None)
    ),
    sa.select(_text("code"), code_uses.c.member_id, code_uses.c.coupon_id).where(
        within_scope(member=code_uses.c.member_id)
    ),
).subquery()
LOST_PROMISES: Final = (
    sa.select(*_PROMISED.c)
    .select_from(
        _PROMISED.outerjoin(
            coupons,
            sa.and_(
                coupons.c.member_id == _PROMISED.c.member_id,
                coupons.c.id == _PROMISED.c.coupon_id,
                within_scope(member=coupons.c.member_id),
            ),
        )
    )
    .where(coupons.c.id.is_(None))
)
