"""Looks for rows that break an invariant of reservations; see `persistence.orders.invariants`."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.orders.reserving import TTL_SECONDS_MAX
from persistence.base import within_scope
from persistence.coupons.tables import coupons, templates
from persistence.orders.refund_tables import refunds
from persistence.orders.tables import orders, reservations, reserved_coupons
from persistence.points.tables import entries

_Any = sa.ColumnElement[Any]
_ZERO: Final[_Any] = sa.literal_column("0")
_WHOLE = sa.BigInteger
_HELD = reservations.c.state == sa.literal_column("'HELD'")
_REDEEMED = reservations.c.state == sa.literal_column("'REDEEMED'")
_RESERVED = coupons.c.state == sa.literal_column("'RESERVED'")
_RESERVATION = (reservations.c.member_id, reservations.c.id, reservations.c.state)
_OWN = within_scope(member=reservations.c.member_id)
_LONGEST: Final = sa.literal(timedelta(seconds=TTL_SECONDS_MAX), sa.Interval)

_holds = sa.outerjoin(
    coupons,
    reserved_coupons,
    sa.and_(
        reserved_coupons.c.member_id == coupons.c.member_id,
        reserved_coupons.c.coupon_id == coupons.c.id,
        reserved_coupons.c.held,
    ),
).outerjoin(
    reservations,
    sa.and_(reservations.c.member_id == coupons.c.member_id, reservations.c.id == coupons.c.reservation_id),
)
_of_reservation = sa.and_(
    reserved_coupons.c.member_id == reservations.c.member_id,
    reserved_coupons.c.reservation_id == reservations.c.id,
)

# ── what was promised ────────────────────────────────────────────────────────────────────────────────────────────────

_one = (
    sa.func.jsonb_array_elements(reservations.c.quote["applied"])
    .table_valued(sa.column("value", pg.JSONB))
    .render_derived(name="applied")
)
_quoted = (
    sa.select(
        reservations.c.member_id,
        reservations.c.id.label("reservation_id"),
        sa.cast(_one.c.value["couponId"].astext, sa.Uuid).label("coupon_id"),
        sa.cast(_one.c.value["amountMinor"].astext, _WHOLE).label("discount_minor"),
        _one.c.value["shares"].label("shares"),
    )
    .select_from(reservations.join(_one, sa.true()))
    .where(_OWN)
    .subquery()
)
_as_quoted = (
    sa.join(
        reserved_coupons,
        _quoted,
        sa.and_(
            reserved_coupons.c.member_id == _quoted.c.member_id,
            reserved_coupons.c.reservation_id == _quoted.c.reservation_id,
            reserved_coupons.c.coupon_id == _quoted.c.coupon_id,
        ),
        full=True,
    )
    .outerjoin(
        coupons,
        sa.and_(coupons.c.member_id == reserved_coupons.c.member_id, coupons.c.id == reserved_coupons.c.coupon_id),
    )
    .outerjoin(templates, templates.c.id == coupons.c.template_id)
)
_with_order = reservations.outerjoin(
    orders, sa.and_(orders.c.member_id == reservations.c.member_id, orders.c.id == reservations.c.order_id)
)
_in_store = sa.cast(reservations.c.cart["storeId"].astext, sa.Uuid)
_points_quoted = sa.func.coalesce(sa.cast(reservations.c.quote["pointsUsed"].astext, _WHOLE), _ZERO)

# ── points ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _points_of(table: sa.Table, points: _Any, order_id: _Any, *where: sa.ColumnElement[bool]) -> sa.Select[Any]:
    own = within_scope(member=table.c.member_id)
    return sa.select(table.c.member_id, order_id.label("order_id"), points.label("points")).where(
        points != _ZERO, own, *where
    )


def _in_all(parts: sa.CompoundSelect[Any]) -> sa.Subquery:
    part = parts.subquery()
    total = sa.func.sum(part.c.points).label("points")
    return sa.select(part.c.member_id, part.c.order_id, total).group_by(part.c.member_id, part.c.order_id).subquery()


_spent = _in_all(
    sa.union_all(
        *(
            _points_of(
                entries,
                -entries.c.delta,
                entries.c.order_id,
                entries.c.order_id.is_not(None),
                entries.c.kind == sa.literal_column(f"'{kind}'"),
            )
            for kind in ("SPEND", "REFUND")
        )
    )
)
# Paid with and not returned, or held by what has not ended.
_owned = _in_all(
    sa.union_all(
        _points_of(orders, orders.c.points_used, orders.c.id),
        _points_of(refunds, -refunds.c.points_returned, refunds.c.order_id),
        _points_of(reservations, reservations.c.points, reservations.c.order_id, _HELD),
    )
)

RESERVATIONS_BROKEN: Final[Mapping[str, sa.Select[Any]]] = {
    "reserved_is_held": sa.select(coupons.c.member_id, coupons.c.id, coupons.c.state, coupons.c.reservation_id)
    .select_from(_holds)
    .where(
        within_scope(member=coupons.c.member_id),
        sa.or_(
            reserved_coupons.c.coupon_id.is_not(None) != _RESERVED,
            coupons.c.reservation_id.is_not(None) != _RESERVED,
            coupons.c.reserved_until.is_not(None) != _RESERVED,
            coupons.c.reservation_id != reserved_coupons.c.reservation_id,
            sa.and_(_RESERVED, coupons.c.reserved_until.is_distinct_from(reservations.c.expires_at)),
        ),
    ),
    "holds_end_together": sa.select(*_RESERVATION)
    .select_from(reservations.join(reserved_coupons, _of_reservation))
    .where(_OWN, reserved_coupons.c.held != _HELD),
    "reservations_hold_as_quoted": sa.select(
        sa.func.coalesce(reserved_coupons.c.member_id, _quoted.c.member_id).label("member_id"),
        sa.func.coalesce(reserved_coupons.c.reservation_id, _quoted.c.reservation_id).label("reservation_id"),
        sa.func.coalesce(reserved_coupons.c.coupon_id, _quoted.c.coupon_id).label("coupon_id"),
    )
    .select_from(_as_quoted)
    .where(
        within_scope(member=reserved_coupons.c.member_id),
        sa.or_(
            reserved_coupons.c.discount_minor.is_distinct_from(_quoted.c.discount_minor),
            reserved_coupons.c.shares.is_distinct_from(_quoted.c.shares),
            reserved_coupons.c.campaign_id.is_distinct_from(templates.c.campaign_id),
        ),
    ),
    "reservations_fit_their_orders": sa.select(*_RESERVATION, reservations.c.order_id)
    .select_from(_with_order)
    .where(
        _OWN,
        sa.or_(
            orders.c.id.is_not(None) != _REDEEMED,
            orders.c.order_ref != reservations.c.order_ref,
            orders.c.currency != reservations.c.currency,
            # Where the cart names a store; otherwise whoever is paid does.
            sa.and_(orders.c.id.is_not(None), _in_store.is_not(None), orders.c.store_id.is_distinct_from(_in_store)),
            orders.c.quote["lines"] != reservations.c.quote["lines"],
            orders.c.quote["applied"] != reservations.c.quote["applied"],
            reservations.c.points != _points_quoted,
            reservations.c.late_capture != sa.and_(_REDEEMED, reservations.c.ended_at >= reservations.c.expires_at),
            reservations.c.expires_at > reservations.c.reserved_at + _LONGEST,
        ),
    ),
    "points_spent_are_owned": sa.select(
        sa.func.coalesce(_spent.c.member_id, _owned.c.member_id).label("member_id"),
        sa.func.coalesce(_spent.c.order_id, _owned.c.order_id).label("order_id"),
        _spent.c.points.label("spent"),
        _owned.c.points.label("owned"),
    )
    .select_from(
        sa.join(
            _spent,
            _owned,
            sa.and_(_spent.c.member_id == _owned.c.member_id, _spent.c.order_id == _owned.c.order_id),
            full=True,
        )
    )
    .where(sa.func.coalesce(_spent.c.points, _ZERO) != sa.func.coalesce(_owned.c.points, _ZERO)),
}
