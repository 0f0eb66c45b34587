"""Rows that break an invariant of how coupons get to members: limits, issued batches, codes, uses in stores."""

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from persistence.base import first_of_month, monday_of, within_scope
from persistence.coupons.distribution_tables import code_uses, codes, issue_outcomes, issues
from persistence.coupons.tables import coupons, redemptions, templates

_count = sa.func.count()
_OWN = within_scope(member=coupons.c.member_id)
_with_template = coupons.join(templates, coupons.c.template_id == templates.c.id)


def _over(limit: sa.Column[Any], *by: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """Members who have more than a limit, counted by the template or campaign and by a period."""
    return (
        sa.select(coupons.c.member_id, *by, _count.label("coupons"), limit)
        .select_from(_with_template)
        .where(_OWN, limit.is_not(None))
        .group_by(coupons.c.member_id, *by, limit)
        .having(_count > limit)
    )


_answered = (
    sa.select(issue_outcomes.c.caller_id, issue_outcomes.c.key, _count.label("answers"))
    .group_by(issue_outcomes.c.caller_id, issue_outcomes.c.key)
    .subquery()
)
_answers = sa.func.coalesce(_answered.c.answers, sa.literal_column("0"))
_used = (
    sa.select(code_uses.c.code_id, _count.label("uses"))
    .where(within_scope(member=code_uses.c.member_id))
    .group_by(code_uses.c.code_id)
    .subquery()
)
_uses = sa.func.coalesce(_used.c.uses, sa.literal_column("0"))
BROKEN: Final[Mapping[str, sa.Select[Any]]] = {
    "limits_per_week_kept": _over(
        templates.c.limit_per_member_per_week, coupons.c.template_id, monday_of(coupons.c.claimed_on)
    ),
    "limits_per_month_kept": _over(
        templates.c.limit_per_member_per_month, coupons.c.template_id, first_of_month(coupons.c.claimed_on)
    ),
    "limits_per_campaign_kept": _over(templates.c.limit_per_member_in_campaign, templates.c.campaign_id),
    "limits_per_store_kept": sa.select(
        redemptions.c.template_id, redemptions.c.store_id, _count.label("uses"), templates.c.limit_per_store
    )
    .select_from(redemptions.join(templates, templates.c.id == redemptions.c.template_id))
    .where(
        within_scope(member=redemptions.c.member_id),
        redemptions.c.reversed_at.is_(None),
        redemptions.c.store_id.is_not(None),
        templates.c.limit_per_store.is_not(None),
    )
    .group_by(redemptions.c.template_id, redemptions.c.store_id, templates.c.limit_per_store)
    .having(_count > templates.c.limit_per_store),
    "issues_answer_every_row": sa.select(issues.c.caller_id, issues.c.key, issues.c.done, _answers.label("answers"))
    .select_from(
        issues.outerjoin(
            _answered, sa.and_(_answered.c.caller_id == issues.c.caller_id, _answered.c.key == issues.c.key)
        )
    )
    .where(issues.c.done != _answers),
    "codes_count_their_uses": sa.select(codes.c.id, codes.c.uses, _uses.label("counted"))
    .select_from(codes.outerjoin(_used, _used.c.code_id == codes.c.id))
    .where(within_scope(merchant=codes.c.merchant_id), codes.c.uses != _uses),
}
