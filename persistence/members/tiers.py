"""Tiers as they stand: what was stored, and the metric of the window that ends today."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.members.tiers import DEFAULT_PROGRAMME, TierStanding
from persistence.base import Row, Statement, within_scope
from persistence.members.tables import member_tiers, tier_metric_days

TIERS_BY_CODE = {tier.code: tier for tier in DEFAULT_PROGRAMME.tiers}

_wanted = (
    sa.func.unnest(sa.bindparam("member_ids", type_=pg.ARRAY(sa.Uuid)))
    .table_valued(sa.column("member_id", sa.Uuid))
    .render_derived(name="wanted")
)
_metric = (
    sa.select(sa.func.coalesce(sa.func.sum(tier_metric_days.c.amount), 0))
    .where(
        tier_metric_days.c.member_id == _wanted.c.member_id,
        tier_metric_days.c.on_date >= sa.bindparam("since", type_=sa.Date),
        within_scope(member=tier_metric_days.c.member_id),
    )
    .scalar_subquery()
)
TIER_STANDINGS = Statement(
    "tier_standings",
    sa.select(
        _wanted.c.member_id, member_tiers.c.tier_code, member_tiers.c.keep_until, _metric.label("metric")
    ).select_from(
        _wanted.outerjoin(
            member_tiers,
            sa.and_(member_tiers.c.member_id == _wanted.c.member_id, within_scope(member=member_tiers.c.member_id)),
        )
    ),
)


def standing_of(row: Row | None) -> TierStanding:
    """What was stored of a member's tier; the lowest where nothing was."""
    if row is None or row["tier_code"] is None:
        return TierStanding(DEFAULT_PROGRAMME.lowest)
    return TierStanding(TIERS_BY_CODE[row["tier_code"]], row["keep_until"])
