"""Looks for coupons whose validity neither their template nor a return by the merchant's fault explains."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa

from domain.coupons.model import WalletChange
from domain.orders.refund_model import RefundCause
from domain.shared.events import WALLET
from persistence.base import within_scope
from persistence.coupons.tables import coupons, redemptions, templates
from persistence.events import events
from persistence.orders.refund_tables import refund_discounts, refunds

_Any = sa.ColumnElement[Any]
_ZONE = sa.bindparam("zone", type_=sa.Text)


def local_day(instant: _Any) -> _Any:
    """The day of the programme that holds an instant."""
    return sa.cast(sa.func.timezone(_ZONE, instant), sa.Date)


def _instant(name: str) -> _Any:
    return sa.cast(templates.c.validity[name].astext, sa.DateTime(timezone=True))


def _ends_before(day: _Any) -> _Any:
    """Whether the coupon ends at the first instant of the day, which is no midnight where clocks leave that out."""
    last_moment = coupons.c.valid_until - sa.literal(timedelta(microseconds=1), sa.Interval)
    return sa.and_(local_day(coupons.c.valid_until) >= day, local_day(last_moment) < day)


# The day with which the latest grace ends. That the coupon came back with that refund its wallet tells: a voided one
# does not, and part of a balance does while the rest is held. Of its discount the refund has taken something back: one
# of the rest of an order, which gave the coupon back before, is no return of it.
_graces = (
    sa.select(
        redemptions.c.member_id,
        redemptions.c.coupon_id,
        sa.func.max(local_day(refunds.c.refunded_at) + redemptions.c.merchant_fault_grace_days).label("until"),
    )
    .select_from(
        redemptions.join(
            refunds,
            sa.and_(refunds.c.member_id == redemptions.c.member_id, refunds.c.order_id == redemptions.c.order_id),
        )
        .join(
            refund_discounts,
            sa.and_(
                refund_discounts.c.member_id == refunds.c.member_id,
                refund_discounts.c.refund_id == refunds.c.id,
                refund_discounts.c.redemption_id == redemptions.c.id,
            ),
        )
        .join(
            events,
            sa.and_(
                events.c.owner_id == redemptions.c.member_id,
                events.c.stream == WALLET,
                events.c.subject_id == redemptions.c.coupon_id,
                events.c.occurred_at == refunds.c.refunded_at,
            ),
        )
    )
    .where(
        redemptions.c.merchant_fault_grace_days > sa.literal_column("0"),
        refunds.c.cause == RefundCause.MERCHANT_FAULT.value,
        sa.or_(events.c.kind == WalletChange.RESTORED.value, events.c.kind == WalletChange.RESERVED.value),
        within_scope(member=redemptions.c.member_id, merchant=redemptions.c.merchant_id),
        within_scope(member=refunds.c.member_id),
        within_scope(member=refund_discounts.c.member_id),
        within_scope(member=events.c.owner_id),
    )
    .group_by(redemptions.c.member_id, redemptions.c.coupon_id)
    .subquery()
)
_grace_until = _graces.c.until
_days = sa.cast(templates.c.validity["daysAfterClaim"].astext, sa.Integer)
# The day of the claim is the first of so many. GREATEST passes over what is null: without grace it is as published.
_by_days = sa.and_(
    coupons.c.valid_from == coupons.c.claimed_at,
    _ends_before(sa.func.greatest(coupons.c.claimed_on + _days, _grace_until)),
)
_by_period = sa.and_(
    coupons.c.valid_from == _instant("from"),
    sa.case(
        (
            sa.func.coalesce(local_day(_instant("until")) < _grace_until, sa.false()),
            _ends_before(_grace_until),
        ),
        else_=coupons.c.valid_until == _instant("until"),
    ),
)
_valid = sa.case((_days.is_(None), _by_period), else_=_by_days)

VALIDITY_BROKEN: Final[Mapping[str, sa.Select[Any]]] = {
    "validity_is_the_templates": sa.select(
        coupons.c.member_id, coupons.c.id, coupons.c.claimed_on, coupons.c.valid_from, coupons.c.valid_until
    )
    .select_from(
        coupons.join(templates, coupons.c.template_id == templates.c.id).outerjoin(
            _graces, sa.and_(_graces.c.member_id == coupons.c.member_id, _graces.c.coupon_id == coupons.c.id)
        )
    )
    .where(within_scope(member=coupons.c.member_id), sa.not_(sa.func.coalesce(_valid, sa.false()))),
}
