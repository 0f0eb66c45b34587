"""Looks for rows that break an invariant of orders; each statement answers with the rows that do."""

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.orders.invariants import INVARIANTS
from persistence.base import within_scope
from persistence.coupons.rows import KEEPS_BALANCE
from persistence.coupons.tables import coupons, redemptions
from persistence.invariants import checks
from persistence.orders.budget_invariants import BUDGETS_BROKEN
from persistence.orders.refund_invariants import REFUNDS_BROKEN
from persistence.orders.reservation_invariants import RESERVATIONS_BROKEN
from persistence.orders.tables import order_directory, order_lines, orders
from persistence.orders.till_invariants import TILLS_BROKEN
from persistence.points.tables import pending

_OWN = within_scope(member=orders.c.member_id)
_ORDER = (orders.c.member_id, orders.c.id)
_ZERO: Final[sa.ColumnElement[Any]] = sa.literal_column("0")


def _sum(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.func.coalesce(sa.func.sum(column), _ZERO)


_lines = (
    sa.select(
        order_lines.c.member_id,
        order_lines.c.order_id,
        _sum(order_lines.c.subtotal_minor).label("subtotal"),
        _sum(order_lines.c.discount_minor).label("discount"),
        _sum(order_lines.c.payable_minor).label("payable"),
        _sum(order_lines.c.points_minor).label("points"),
    )
    .where(within_scope(member=order_lines.c.member_id))
    .group_by(order_lines.c.member_id, order_lines.c.order_id)
    .subquery()
)
# Shipping has no line: its part of the discount stands in the quote.
_off_shipping = sa.func.jsonb_array_elements(
    sa.func.coalesce(orders.c.quote["shippingAllocations"], sa.func.jsonb_build_array())
).table_valued(sa.column("value", pg.JSONB))
_off_shipping_minor = sa.select(
    _sum(sa.cast(_off_shipping.c.value["amountMinor"].astext, sa.BigInteger))
).scalar_subquery()
_of_order = (redemptions.c.member_id == orders.c.member_id, redemptions.c.order_id == orders.c.id)
_redeemed_minor = (
    sa.select(_sum(redemptions.c.discount_minor))
    .where(*_of_order, within_scope(member=redemptions.c.member_id))
    .correlate(orders)
    .scalar_subquery()
)
_half_reversed = (
    sa.select(sa.literal_column("1"))
    .where(
        *_of_order,
        orders.c.cancelled_at.is_not(None),
        redemptions.c.reversed_at.is_(None),
        within_scope(member=redemptions.c.member_id),
    )
    .correlate(orders)
    .exists()
)
_shares = (
    sa.select(_sum(sa.cast(sa.column("value", sa.Text), sa.BigInteger)))
    .select_from(
        sa.func.jsonb_each_text(redemptions.c.shares).table_valued("key", "value").render_derived(name="share")
    )
    .scalar_subquery()
)
_live = (
    sa.select(
        redemptions.c.member_id,
        redemptions.c.coupon_id,
        sa.func.count().label("uses"),
        _sum(redemptions.c.discount_minor - redemptions.c.refunded_minor).label("taken_minor"),
    )
    .where(redemptions.c.reversed_at.is_(None), within_scope(member=redemptions.c.member_id))
    .group_by(redemptions.c.member_id, redemptions.c.coupon_id)
    .subquery()
)
_with_uses = coupons.outerjoin(
    _live, sa.and_(_live.c.member_id == coupons.c.member_id, _live.c.coupon_id == coupons.c.id)
)
_uses = sa.func.coalesce(_live.c.uses, _ZERO)
_taken_minor = sa.func.coalesce(_live.c.taken_minor, _ZERO)
# What a coupon that keeps a balance began with; CASH is the kind that does.
_face_minor = sa.cast(coupons.c.terms["faceMinor"].astext, sa.BigInteger)
_IS_REDEEMED = coupons.c.state == sa.literal_column("'REDEEMED'")

_BROKEN: Final[Mapping[str, sa.Select[Any]]] = {
    "lines_sum_to_order": sa.select(*_ORDER, _lines.c.subtotal, _lines.c.discount, _lines.c.payable)
    .select_from(
        orders.outerjoin(_lines, sa.and_(orders.c.member_id == _lines.c.member_id, orders.c.id == _lines.c.order_id))
    )
    .where(
        _OWN,
        sa.or_(
            _lines.c.subtotal.is_distinct_from(orders.c.subtotal_minor),
            _lines.c.discount + _off_shipping_minor != orders.c.discount_minor,
            _lines.c.points != orders.c.points_minor,
            _lines.c.payable != _lines.c.subtotal - _lines.c.discount - _lines.c.points,
        ),
    ),
    "orders_add_up": sa.select(*_ORDER, orders.c.paid_minor).where(
        _OWN,
        orders.c.paid_minor
        != orders.c.subtotal_minor + orders.c.shipping_minor - orders.c.discount_minor - orders.c.points_minor,
    ),
    # Orders that were brought in from elsewhere have no quote, and discounts that were no coupons.
    "redemptions_sum_to_order": sa.select(*_ORDER, orders.c.discount_minor).where(
        _OWN, orders.c.quote.is_not(None), sa.or_(_redeemed_minor != orders.c.discount_minor, _half_reversed)
    ),
    "shares_sum_to_discount": sa.select(redemptions.c.member_id, redemptions.c.id).where(
        within_scope(member=redemptions.c.member_id, merchant=redemptions.c.merchant_id),
        _shares != redemptions.c.discount_minor,
    ),
    "redeemed_once_each": sa.select(coupons.c.member_id, coupons.c.id, coupons.c.state, _uses.label("uses"))
    .select_from(_with_uses)
    .where(
        within_scope(member=coupons.c.member_id),
        ~KEEPS_BALANCE,
        _uses != sa.case((_IS_REDEEMED, 1), else_=0),
    ),
    "balances_match_redemptions": sa.select(
        coupons.c.member_id, coupons.c.id, coupons.c.kind, coupons.c.balance_minor, _taken_minor.label("taken_minor")
    )
    .select_from(_with_uses)
    .where(
        within_scope(member=coupons.c.member_id),
        sa.or_(
            # Whoever may be used in parts is said by its kind alone.
            coupons.c.balance_minor.is_not(None) != KEEPS_BALANCE,
            _face_minor - coupons.c.balance_minor != _taken_minor,
            (coupons.c.balance_minor == _ZERO) != _IS_REDEEMED,
        ),
    ),
    **BUDGETS_BROKEN,
    **RESERVATIONS_BROKEN,
    **REFUNDS_BROKEN,
    **TILLS_BROKEN,
    "pending_matches_orders": sa.select(*_ORDER, orders.c.points_pending, pending.c.points)
    .select_from(
        orders.outerjoin(pending, sa.and_(pending.c.member_id == orders.c.member_id, pending.c.order_id == orders.c.id))
    )
    .where(_OWN, sa.func.coalesce(pending.c.points, _ZERO) != orders.c.points_pending),
    "directory_names_each_order": sa.select(
        order_directory.c.source_id, order_directory.c.order_ref, orders.c.member_id, orders.c.id
    )
    .select_from(
        sa.join(
            order_directory,
            orders,
            sa.and_(
                order_directory.c.member_id == orders.c.member_id,
                order_directory.c.order_id == orders.c.id,
                order_directory.c.source_id == orders.c.source_id,
                order_directory.c.order_ref == orders.c.order_ref,
            ),
            full=True,
        )
    )
    .where(
        sa.or_(orders.c.id.is_(None), order_directory.c.order_id.is_(None)),
        within_scope(member=orders.c.member_id),
    ),
}
CHECKS: Final = checks(_BROKEN, promised=INVARIANTS)
