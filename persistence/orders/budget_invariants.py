"""Looks for budgets that do not add up; see `persistence.orders.invariants`.

Every budget is looked at, whatever is left of its accounts: what should be there is said by the campaign.
"""

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.campaigns.model import ALL_FUNDERS
from domain.coupons.offer import Funder
from persistence.base import within_scope
from persistence.campaigns.tables import budget_accounts, campaigns
from persistence.coupons.tables import redemptions, templates
from persistence.orders.refund_tables import refund_discounts
from persistence.orders.tables import orders, reserved_coupons

_Any = sa.ColumnElement[Any]
_ZERO: Final[_Any] = sa.literal_column("0")
_WHOLE = sa.BigInteger
_ALL: Final[_Any] = sa.literal_column(f"'{ALL_FUNDERS}'")
_ACCOUNTS: Final = pg.array([_ALL, *(sa.literal_column(f"'{funder.value}'") for funder in Funder)])


def _funders(name: str) -> Any:
    """The names of all accounts that a budget may have."""
    return sa.func.unnest(_ACCOUNTS).table_valued(sa.column("funder", sa.Text)).render_derived(name=name)


def _borne(source: sa.FromClause, *where: sa.ColumnElement[bool], of: _Any, shares: _Any, whole: _Any) -> sa.Subquery:
    """What discounts `of` campaigns are on each account: the whole of them, or the funder's shares."""
    by = _funders("borne_by")
    share = sa.cast(shares.op("->>")(by.c.funder), _WHOLE)
    minor = sa.func.sum(sa.case((by.c.funder == _ALL, whole), else_=sa.func.coalesce(share, _ZERO)))
    return (
        sa.select(of.label("campaign_id"), by.c.funder, minor.label("minor"))
        .select_from(source.join(by, sa.true()))
        .where(of.is_not(None), *where)
        .group_by(of, by.c.funder)
        .subquery()
    )


_named = _funders("named")
_limit_minor = sa.case(
    (_named.c.funder == _ALL, campaigns.c.budget_minor),
    else_=sa.cast(campaigns.c.funder_budgets.op("->>")(_named.c.funder), _WHOLE),
)
_limits = (
    sa.select(campaigns.c.id.label("campaign_id"), _named.c.funder, _limit_minor.label("minor"))
    .select_from(campaigns.join(_named, sa.true()))
    .where(within_scope(merchant=campaigns.c.merchant_id), _limit_minor.is_not(None))
    .subquery()
)
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
_accounts = sa.join(
    _limits,
    _totals,
    sa.and_(_limits.c.campaign_id == _totals.c.campaign_id, _limits.c.funder == _totals.c.funder),
    full=True,
)
_CAMPAIGN = sa.func.coalesce(_limits.c.campaign_id, _totals.c.campaign_id)
_FUNDER = sa.func.coalesce(_limits.c.funder, _totals.c.funder)
_ACCOUNT: Final = (_CAMPAIGN.label("campaign_id"), _FUNDER.label("funder"))
_live = (
    redemptions.c.reversed_at.is_(None),
    within_scope(member=redemptions.c.member_id, merchant=redemptions.c.merchant_id),
)
_held = _borne(
    reserved_coupons,
    reserved_coupons.c.held,
    within_scope(member=reserved_coupons.c.member_id),
    of=reserved_coupons.c.campaign_id,
    shares=reserved_coupons.c.shares,
    whole=reserved_coupons.c.discount_minor,
)
_taken = _borne(
    redemptions,
    *_live,
    of=redemptions.c.campaign_id,
    shares=redemptions.c.shares,
    whole=redemptions.c.discount_minor,
)
# What refunds took back of redemptions that still stand.
_taken_back = _borne(
    sa.join(
        redemptions,
        refund_discounts,
        sa.and_(
            refund_discounts.c.member_id == redemptions.c.member_id,
            refund_discounts.c.redemption_id == redemptions.c.id,
        ),
    ),
    *_live,
    within_scope(member=refund_discounts.c.member_id),
    of=redemptions.c.campaign_id,
    shares=refund_discounts.c.shares,
    whole=refund_discounts.c.amount_minor,
)


def _with(*sums: sa.Subquery) -> sa.FromClause:
    """All accounts, those that should be and those that are, beside these sums."""
    source: sa.FromClause = _accounts
    for one in sums:
        source = source.outerjoin(one, sa.and_(one.c.campaign_id == _CAMPAIGN, one.c.funder == _FUNDER))
    return source


def _or_nothing(minor: _Any) -> _Any:
    return sa.func.coalesce(minor, _ZERO)


_applied = (
    sa.func.jsonb_array_elements(orders.c.quote["applied"])
    .table_valued(sa.column("value", pg.JSONB))
    .render_derived(name="cut")
)
_full_minor = sa.cast(_applied.c.value["fullMinor"].astext, _WHOLE)
# What took less than it would, with the campaign whose budget covered no more.
_cut = orders.join(_applied, sa.true()).outerjoin(
    redemptions.outerjoin(campaigns, campaigns.c.id == redemptions.c.campaign_id),
    sa.and_(
        redemptions.c.member_id == orders.c.member_id,
        redemptions.c.order_id == orders.c.id,
        redemptions.c.coupon_id == sa.cast(_applied.c.value["couponId"].astext, sa.Uuid),
    ),
)
_PARTIAL: Final[_Any] = sa.literal_column("'PARTIAL'")

BUDGETS_BROKEN: Final[Mapping[str, sa.Select[Any]]] = {
    "budgets_match_redemptions": sa.select(*_ACCOUNT, _totals.c.redeemed)
    .select_from(_with(_taken, _taken_back))
    .where(
        _or_nothing(_taken.c.minor) - _or_nothing(_taken_back.c.minor) != _or_nothing(_totals.c.redeemed),
    ),
    "budgets_match_reservations": sa.select(*_ACCOUNT, _totals.c.reserved)
    .select_from(_with(_held))
    .where(_or_nothing(_held.c.minor) != _or_nothing(_totals.c.reserved)),
    "budgets_within_limit": sa.select(
        *_ACCOUNT,
        _limits.c.minor.label("limit"),
        _totals.c.free,
        _totals.c.reserved,
        _totals.c.redeemed,
    )
    .select_from(_accounts)
    .where(
        sa.or_(
            # An account that is missing, and one that no campaign speaks of.
            _totals.c.funder.is_(None),
            _limits.c.funder.is_(None),
            _totals.c.reserved + _totals.c.redeemed > _limits.c.minor,
            _totals.c.free + _totals.c.reserved + _totals.c.redeemed != _limits.c.minor,
        ),
    ),
    "cuts_are_of_partial_budgets": sa.select(orders.c.member_id, orders.c.id, _full_minor.label("full_minor"))
    .select_from(_cut)
    .where(
        within_scope(member=orders.c.member_id),
        _full_minor.is_not(None),
        sa.or_(
            campaigns.c.budget_minor.is_(None),
            campaigns.c.budget_remainder.is_distinct_from(_PARTIAL),
            _full_minor <= redemptions.c.discount_minor,
        ),
    ),
    "remainders_are_published": sa.select(templates.c.id, templates.c.budget_remainder)
    .select_from(templates.join(campaigns, campaigns.c.id == templates.c.campaign_id))
    .where(
        within_scope(merchant=templates.c.merchant_id),
        templates.c.budget_remainder != campaigns.c.budget_remainder,
    ),
}
