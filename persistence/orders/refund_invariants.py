"""Looks for rows that break an invariant of refunds; see `persistence.orders.invariants`."""

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from persistence.base import within_scope
from persistence.coupons.tables import redemptions
from persistence.orders.refund_tables import receivables, refund_discounts, refund_lines, refunds
from persistence.orders.tables import order_lines, orders

_ZERO: Final[sa.ColumnElement[Any]] = sa.literal_column("0")
_ORDER = (orders.c.member_id, orders.c.id)
_OWN = within_scope(member=orders.c.member_id)
_WHOLE = sa.BigInteger
# What a coupon took off a line, or off the shipping fee, as the order's quote says.
_ON_LINE = "$.lines[*] ? (@.id == $line).allocations[*] ? (@.couponId == $bearer).amountMinor"
_ON_SHIPPING = '$.shippingAllocations[*] ? (@.couponId == $bearer && $line == "").amountMinor'


def _sum(column: sa.ColumnElement[Any], *of: sa.ColumnElement[bool], table: sa.Table) -> sa.ScalarSelect[Any]:
    """The sum of a column over rows of a table of refunds that belong to a row of the statement."""
    return (
        sa.select(sa.func.coalesce(sa.func.sum(column), _ZERO))
        .where(*of, within_scope(member=table.c.member_id))
        .correlate_except(table)
        .scalar_subquery()
    )


def _of_order(table: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
    return (table.c.member_id == orders.c.member_id, table.c.order_id == orders.c.id)


_kept = sa.exists().where(
    order_lines.c.member_id == orders.c.member_id,
    order_lines.c.order_id == orders.c.id,
    order_lines.c.refunded_quantity < order_lines.c.quantity,
    within_scope(member=order_lines.c.member_id),
)
_promised = sa.cast(orders.c.quote["pointsEarned"].astext, _WHOLE)


def _total(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.func.sum(column).label(column.name)


# Summed up once and joined: orders and lines are many, refunds are few.
_of_orders = (
    sa.select(
        refunds.c.member_id,
        refunds.c.order_id,
        _total(refunds.c.amount_minor),
        _total(refunds.c.points_returned),
        _total(refunds.c.points_clawed_back),
    )
    .where(within_scope(member=refunds.c.member_id))
    .group_by(refunds.c.member_id, refunds.c.order_id)
    .subquery()
)
_with_refunds = orders.outerjoin(
    _of_orders, sa.and_(_of_orders.c.member_id == orders.c.member_id, _of_orders.c.order_id == orders.c.id)
)
_refunded = _of_orders.c.order_id.is_not(None)
_of_lines = (
    sa.select(
        refund_lines.c.member_id,
        refund_lines.c.order_id,
        refund_lines.c.line_id,
        _total(refund_lines.c.quantity),
        _total(refund_lines.c.amount_minor),
    )
    .where(within_scope(member=refund_lines.c.member_id))
    .group_by(refund_lines.c.member_id, refund_lines.c.order_id, refund_lines.c.line_id)
    .subquery()
)
_with_units = order_lines.outerjoin(
    _of_lines,
    sa.and_(
        _of_lines.c.member_id == order_lines.c.member_id,
        _of_lines.c.order_id == order_lines.c.order_id,
        _of_lines.c.line_id == order_lines.c.line_id,
    ),
)

_of_redemption = (
    refund_discounts.c.member_id == redemptions.c.member_id,
    refund_discounts.c.redemption_id == redemptions.c.id,
)
_taken_back = _sum(refund_discounts.c.amount_minor, *_of_redemption, table=refund_discounts)
_was_refunded = sa.exists().where(*_of_redemption, within_scope(member=refund_discounts.c.member_id))
_due = _sum(
    receivables.c.amount_minor,
    receivables.c.member_id == redemptions.c.member_id,
    receivables.c.redemption_id == redemptions.c.id,
    table=receivables,
)
_share = sa.func.jsonb_each_text(redemptions.c.shares).table_valued("funder", "minor").render_derived(name="share")
_share_minor = sa.cast(_share.c.minor, _WHOLE)
_share_taken_back = _sum(
    sa.cast(refund_discounts.c.shares.op("->>")(_share.c.funder), _WHOLE), *_of_redemption, table=refund_discounts
)
_shares_sum = (
    sa.select(sa.func.coalesce(sa.func.sum(sa.cast(sa.column("value", sa.Text), _WHOLE)), _ZERO))
    .select_from(
        sa.func.jsonb_each_text(refund_discounts.c.shares).table_valued("key", "value").render_derived(name="borne")
    )
    .scalar_subquery()
)


def _allocated(path: str) -> sa.ScalarSelect[Any]:
    named = sa.func.jsonb_build_object("line", refund_discounts.c.line_id, "bearer", refund_discounts.c.bearer)
    found = (
        sa.func.jsonb_path_query(orders.c.quote, sa.cast(path, pg.JSONPATH), named)
        .table_valued(sa.column("value", pg.JSONB))
        .render_derived(name="found")
    )
    return sa.select(sa.func.coalesce(sa.func.sum(sa.cast(found.c.value, _WHOLE)), _ZERO)).scalar_subquery()


REFUNDS_BROKEN: Final[Mapping[str, sa.Select[Any]]] = {
    "refunds_sum_to_order": sa.select(*_ORDER, orders.c.refunded_minor, orders.c.paid_minor)
    .select_from(_with_refunds)
    .where(
        _OWN,
        sa.or_(
            orders.c.refunded_minor != sa.func.coalesce(_of_orders.c.amount_minor, _ZERO),
            ~orders.c.refunded_minor.between(_ZERO, orders.c.paid_minor),
            sa.and_(_refunded, ~_kept, orders.c.refunded_minor != orders.c.paid_minor),
        ),
    ),
    "refund_lines_sum_to_refund": sa.select(refunds.c.member_id, refunds.c.id, refunds.c.amount_minor).where(
        within_scope(member=refunds.c.member_id),
        refunds.c.amount_minor
        != _sum(
            refund_lines.c.amount_minor,
            refund_lines.c.member_id == refunds.c.member_id,
            refund_lines.c.refund_id == refunds.c.id,
            table=refund_lines,
        ),
    ),
    "refunded_units_sum_to_line": sa.select(
        order_lines.c.member_id, order_lines.c.order_id, order_lines.c.line_id, order_lines.c.refunded_quantity
    )
    .select_from(_with_units)
    .where(
        within_scope(member=order_lines.c.member_id),
        sa.or_(
            order_lines.c.refunded_quantity != sa.func.coalesce(_of_lines.c.quantity, _ZERO),
            order_lines.c.refunded_quantity > order_lines.c.quantity,
            sa.and_(
                order_lines.c.refunded_quantity == order_lines.c.quantity,
                _of_lines.c.amount_minor != order_lines.c.payable_minor,
            ),
        ),
    ),
    "taken_back_sums_to_redemption": sa.select(redemptions.c.member_id, redemptions.c.id).where(
        within_scope(member=redemptions.c.member_id, merchant=redemptions.c.merchant_id),
        sa.or_(
            redemptions.c.reversed_at.is_not(None) != (redemptions.c.refunded_minor == redemptions.c.discount_minor),
            redemptions.c.refunded_minor > redemptions.c.discount_minor,
            sa.and_(_was_refunded, redemptions.c.refunded_minor != _taken_back),
        ),
    ),
    "taken_back_is_borne_as_it_was": sa.select(redemptions.c.member_id, redemptions.c.id, _share.c.funder)
    .select_from(redemptions.join(_share, sa.true()))
    .where(
        within_scope(member=redemptions.c.member_id, merchant=redemptions.c.merchant_id),
        _was_refunded,
        sa.or_(
            _share_taken_back > _share_minor,
            sa.and_(redemptions.c.reversed_at.is_not(None), _share_taken_back != _share_minor),
        ),
    ),
    "taken_back_is_shared_out": sa.select(
        refund_discounts.c.member_id, refund_discounts.c.refund_id, refund_discounts.c.line_id
    ).where(
        within_scope(member=refund_discounts.c.member_id),
        refund_discounts.c.redemption_id.is_not(None),
        _shares_sum != refund_discounts.c.amount_minor,
    ),
    "taken_back_within_allocation": sa.select(*_ORDER, refund_discounts.c.line_id, refund_discounts.c.bearer)
    .select_from(orders.join(refund_discounts, sa.and_(*_of_order(refund_discounts))))
    .where(
        _OWN,
        within_scope(member=refund_discounts.c.member_id),
        refund_discounts.c.redemption_id.is_not(None),
    )
    .group_by(*_ORDER, refund_discounts.c.line_id, refund_discounts.c.bearer)
    .having(sa.func.sum(refund_discounts.c.amount_minor) > _allocated(_ON_LINE) + _allocated(_ON_SHIPPING)),
    "receivables_within_discount": sa.select(redemptions.c.member_id, redemptions.c.id).where(
        within_scope(member=redemptions.c.member_id, merchant=redemptions.c.merchant_id),
        ~_due.between(_ZERO, redemptions.c.discount_minor - redemptions.c.refunded_minor),
    ),
    "points_of_refunds_match": sa.select(*_ORDER, orders.c.points_pending, orders.c.points_earned)
    .select_from(_with_refunds)
    .where(
        _OWN,
        _refunded,
        sa.or_(
            orders.c.points_pending + orders.c.points_earned + _of_orders.c.points_clawed_back != _promised,
            _of_orders.c.points_returned > orders.c.points_used,
            sa.and_(~_kept, _of_orders.c.points_returned != orders.c.points_used),
            sa.and_(~_kept, _of_orders.c.points_clawed_back != _promised),
        ),
    ),
}
