"""Where members stand with templates: what is left, and what each has by day, week, month and campaign."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.coupons.model import ClaimedCount, ClaimStanding, Stock
from persistence.base import Row, Statement, current_instant, first_of_month, monday_of, within_scope
from persistence.campaigns.tables import campaigns
from persistence.coupons.rows import CAMPAIGN_STANDING, campaign_standing_of
from persistence.coupons.tables import coupons, template_stock, templates

_NOW = current_instant()
_MEMBER = sa.bindparam("member_id", type_=sa.Uuid)
_IDS = sa.bindparam("ids", type_=pg.ARRAY(sa.Uuid))
_VISIBLE = sa.or_(templates.c.state == sa.literal_column("'PUBLISHED'"), within_scope(merchant=templates.c.merchant_id))
_OWN = within_scope(member=coupons.c.member_id)


def held_of_campaign(*, member_id: sa.ColumnElement[Any], campaign_id: sa.ColumnElement[Any]) -> sa.ScalarSelect[Any]:
    """How many coupons of all templates of a campaign a member has."""
    held, of = coupons.alias("of_campaign"), templates.alias("in_campaign")
    return (
        sa.select(sa.func.count())
        .select_from(held.join(of, of.c.id == held.c.template_id))
        .where(held.c.member_id == member_id, of.c.campaign_id == campaign_id, within_scope(member=held.c.member_id))
        .correlate_except(held, of)
        .scalar_subquery()
    )


# The day in the programme's zone at the instant of the read.
_today = sa.cast(sa.func.timezone(sa.bindparam("zone", type_=sa.Text), _NOW), sa.Date)
_in_campaign = held_of_campaign(member_id=_MEMBER, campaign_id=templates.c.campaign_id)
CLAIM_STANDINGS = Statement(
    "claim_standings",
    sa.select(
        template_stock.c.template_id,
        template_stock.c.total,
        template_stock.c.remaining,
        sa.func.count(coupons.c.id).label("claimed"),
        sa.func.count(coupons.c.id).filter(coupons.c.claimed_on == _today).label("today"),
        sa.func.coalesce(sa.func.max(coupons.c.ordinal), sa.literal_column("0")).label("last_ordinal"),
        sa.func.count(coupons.c.id).filter(coupons.c.claimed_on >= monday_of(_today)).label("this_week"),
        sa.func.count(coupons.c.id).filter(coupons.c.claimed_on >= first_of_month(_today)).label("this_month"),
        sa.case(
            (templates.c.limit_per_member_in_campaign.is_not(None), _in_campaign), else_=sa.literal_column("0")
        ).label("in_campaign"),
        *CAMPAIGN_STANDING,
        _NOW.label("read_at"),
    )
    .select_from(
        template_stock.join(templates, templates.c.id == template_stock.c.template_id)
        .outerjoin(campaigns, campaigns.c.id == templates.c.campaign_id)
        .outerjoin(
            coupons,
            sa.and_(coupons.c.member_id == _MEMBER, coupons.c.template_id == template_stock.c.template_id, _OWN),
        )
    )
    .where(template_stock.c.template_id == sa.any_(_IDS), _VISIBLE)
    .group_by(template_stock.c.template_id, templates.c.id, campaigns.c.id),
)


def standing_of(row: Row) -> ClaimStanding:
    """Where a member stands with a template, from its row."""
    claimed = ClaimedCount(
        row["claimed"],
        row["today"],
        row["last_ordinal"],
        this_week=row["this_week"],
        this_month=row["this_month"],
        in_campaign=row["in_campaign"],
    )
    return ClaimStanding(Stock(row["total"], row["remaining"]), claimed, campaign_standing_of(row), row["read_at"])
