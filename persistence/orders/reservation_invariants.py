"""Looks for rows that break an invariant of reservations and budgets; see `persistence.orders.invariants`."""

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from domain.campaigns.model import ALL_FUNDERS
from persistence.base import within_scope
from persistence.campaigns.tables import budget_accounts, campaigns
from persistence.coupons.tables import coupons, redemptions
from persistence.orders.refund_tables import refund_discounts
from persistence.orders.tables import reservations, reserved_coupons

_ZERO: Final[sa.ColumnElement[Any]] = sa.literal_column("0")
_WHOLE = sa.BigInteger
_ALL: Final[sa.ColumnElement[Any]] = sa.literal_column(f"'{ALL_FUNDERS}'")
_HELD = reservations.c.state == sa.literal_column("'HELD'")
_RESERVED = coupons.c.state == sa.literal_column("'RESERVED'")
_BUDGET_OWN = within_scope(merchant=campaigns.c.merchant_id)

_totals = (
    sa.select(
        budget_accounts.c.campaign_id,
        budget_accounts.c.funder,
        sa.func.sum(budget_accounts.c.free_minor).label("free"),
        sa.func.sum(budget_accounts.c.reserved_minor).label("reserved"),
        sa.func.sum(budget_accounts.c.redeemed_minor).label("redeemed"),
    )
    .where(within_scope(merchant=budget_accounts.c.merchant_id))
    .group_by(budget_accounts.c.campaign_id, budget_accounts.c.funder)
    .subquery()
)
_ACCOUNT = (_totals.c.campaign_id, _totals.c.funder)
_of_campaign = sa.join(_totals, campaigns, campaigns.c.id == _totals.c.campaign_id)


def _borne(shares: sa.ColumnElement[Any], *, whole: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """What of a discount is on the account: all of it, or the funder's share."""
    share = sa.cast(shares.op("->>")(_totals.c.funder), _WHOLE)
    part = sa.case((_totals.c.funder == _ALL, whole), else_=sa.func.coalesce(share, _ZERO))
    return sa.func.coalesce(sa.func.sum(part), _ZERO)


_reserved = (
    sa.select(_borne(reserved_coupons.c.shares, whole=reserved_coupons.c.discount_minor))
    .where(
        reserved_coupons.c.campaign_id == _totals.c.campaign_id,
        reserved_coupons.c.held,
        within_scope(member=reserved_coupons.c.member_id),
    )
    .correlate(_totals)
    .scalar_subquery()
)
_live = (
    redemptions.c.campaign_id == _totals.c.campaign_id,
    redemptions.c.reversed_at.is_(None),
    within_scope(member=redemptions.c.member_id, merchant=redemptions.c.merchant_id),
)
_taken = (
    sa.select(_borne(redemptions.c.shares, whole=redemptions.c.discount_minor))
    .where(*_live)
    .correlate(_totals)
    .scalar_subquery()
)
# What refunds took back of redemptions that still stand.
_taken_back = (
    sa.select(_borne(refund_discounts.c.shares, whole=refund_discounts.c.amount_minor))
    .select_from(
        sa.join(
            redemptions,
            refund_discounts,
            sa.and_(
                refund_discounts.c.member_id == redemptions.c.member_id,
                refund_discounts.c.redemption_id == redemptions.c.id,
            ),
        )
    )
    .where(*_live, within_scope(member=refund_discounts.c.member_id))
    .correlate(_totals)
    .scalar_subquery()
)
_limit = sa.case(
    (_totals.c.funder == _ALL, campaigns.c.budget_minor),
    else_=sa.cast(campaigns.c.funder_budgets.op("->>")(_totals.c.funder), _WHOLE),
)
_holds = sa.outerjoin(
    coupons,
    reserved_coupons,
    sa.and_(
        reserved_coupons.c.member_id == coupons.c.member_id,
        reserved_coupons.c.coupon_id == coupons.c.id,
        reserved_coupons.c.held,
    ),
)

RESERVATIONS_BROKEN: Final[Mapping[str, sa.Select[Any]]] = {
    "budgets_match_redemptions": sa.select(*_ACCOUNT, _totals.c.redeemed)
    .select_from(_of_campaign)
    .where(_BUDGET_OWN, _taken - _taken_back != _totals.c.redeemed),
    "budgets_match_reservations": sa.select(*_ACCOUNT, _totals.c.reserved)
    .select_from(_of_campaign)
    .where(_BUDGET_OWN, _reserved != _totals.c.reserved),
    "budgets_within_limit": sa.select(*_ACCOUNT, _totals.c.free, _totals.c.reserved, _totals.c.redeemed)
    .select_from(_of_campaign)
    .where(
        _BUDGET_OWN,
        sa.or_(
            _totals.c.reserved + _totals.c.redeemed > _limit,
            _totals.c.free + _totals.c.reserved + _totals.c.redeemed != _limit,
        ),
    ),
    "reserved_is_held": sa.select(coupons.c.member_id, coupons.c.id, coupons.c.state, coupons.c.reservation_id)
    .select_from(_holds)
    .where(
        within_scope(member=coupons.c.member_id),
        sa.or_(
            reserved_coupons.c.coupon_id.is_not(None) != _RESERVED,
            coupons.c.reservation_id.is_not(None) != _RESERVED,
            coupons.c.reserved_until.is_not(None) != _RESERVED,
            coupons.c.reservation_id != reserved_coupons.c.reservation_id,
        ),
    ),
    "holds_end_together": sa.select(reservations.c.member_id, reservations.c.id, reservations.c.state)
    .select_from(
        sa.join(
            reservations,
            reserved_coupons,
            sa.and_(
                reserved_coupons.c.member_id == reservations.c.member_id,
                reserved_coupons.c.reservation_id == reservations.c.id,
            ),
        )
    )
    .where(within_scope(member=reservations.c.member_id), reserved_coupons.c.held != _HELD),
}
