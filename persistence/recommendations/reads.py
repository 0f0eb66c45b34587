"""Candidates for recommendations: what a member could take now, and how many members have."""

from collections.abc import Sequence

import sqlalchemy as sa

from domain.recommendations.model import Candidate, Placement
from domain.shared.ids import MemberId
from domain.shared.principal import Scope
from persistence.base import Statement, current_instant, scope_params, within_scope
from persistence.campaigns.reads import SHOWN
from persistence.campaigns.rows import campaign_of
from persistence.campaigns.tables import campaigns
from persistence.coupons.rows import campaign_runs, template_of
from persistence.coupons.standings import held_of_campaign
from persistence.coupons.tables import coupons, template_stock, templates
from persistence.rewards.tables import reward_stock, rewards
from persistence.rewards.writes import reward_of
from persistence.unit_of_work import Database

_NOW = current_instant()
_MEMBER = sa.bindparam("member_id", type_=sa.Uuid)
_LIMIT = sa.bindparam("limit", type_=sa.Integer)

_held = (
    sa.select(sa.func.count())
    .where(
        coupons.c.member_id == _MEMBER,
        coupons.c.template_id == templates.c.id,
        within_scope(member=coupons.c.member_id),
    )
    .scalar_subquery()
)
_taken = template_stock.c.total - template_stock.c.remaining
_open = (
    templates.c.state == "PUBLISHED",
    templates.c.claim_opens_at <= _NOW,
    templates.c.claim_closes_at > _NOW,
    templates.c.self_claim,
    campaign_runs(_NOW),
    template_stock.c.remaining > 0,
)
_FREE = sa.and_(
    sa.or_(templates.c.limit_per_member.is_(None), _held < templates.c.limit_per_member),
    sa.or_(
        templates.c.limit_per_member_in_campaign.is_(None),
        held_of_campaign(member_id=_MEMBER, campaign_id=templates.c.campaign_id)
        < templates.c.limit_per_member_in_campaign,
    ),
)
# Published templates are public: a scope that manages drafts adds nothing here, so it is not asked for.
CANDIDATE_TEMPLATES = Statement(
    "candidate_templates",
    sa.select(templates, _taken.label("taken"))
    .join_from(templates, template_stock, templates.c.id == template_stock.c.template_id)
    .where(*_open, _FREE, sa.or_(templates.c.state == "PUBLISHED", within_scope(merchant=templates.c.merchant_id)))
    .order_by(_taken.desc(), templates.c.id.desc())
    .limit(_LIMIT),
)
CANDIDATE_REWARDS = Statement(
    "candidate_rewards",
    sa.select(rewards, (reward_stock.c.total - reward_stock.c.remaining).label("taken"))
    .join_from(rewards, reward_stock, rewards.c.id == reward_stock.c.reward_id)
    .where(reward_stock.c.remaining > 0)
    .order_by((reward_stock.c.total - reward_stock.c.remaining).desc(), rewards.c.id.desc())
    .limit(_LIMIT),
)
_campaign_taken = (
    sa.select(sa.func.coalesce(sa.func.sum(_taken), 0))
    .join_from(templates, template_stock, templates.c.id == template_stock.c.template_id)
    .where(*_open, templates.c.campaign_id == campaigns.c.id)
    .correlate(campaigns)
    .scalar_subquery()
)
CANDIDATE_CAMPAIGNS = Statement(
    "candidate_campaigns",
    sa.select(*SHOWN, _campaign_taken.label("taken"))
    .where(
        sa.or_(campaigns.c.state == "SCHEDULED", campaigns.c.state == "RUNNING"),
        campaigns.c.starts_at <= _NOW,
        campaigns.c.ends_at > _NOW,
        sa.or_(campaigns.c.state != "DRAFT", within_scope(merchant=campaigns.c.merchant_id)),
    )
    .order_by(sa.desc("taken"), campaigns.c.id.desc())
    .limit(_LIMIT),
)


class SqlRecommendationReads:
    """Reads of candidates."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def candidates(
        self, member_id: MemberId, *, placement: Placement, limit: int, scope: Scope
    ) -> Sequence[Candidate]:
        """What the member could take now, the most taken first: coupons everywhere, rewards and campaigns at home."""
        params = {
            "member_id": member_id,
            "limit": limit,
            "now": self._database.set_now,
            **scope_params(scope),
        }
        async with self._database.read() as connection:
            found = [Candidate(template_of(r), r["taken"]) for r in await CANDIDATE_TEMPLATES.fetch(connection, params)]
            if placement is Placement.HOME:
                found += [
                    Candidate(reward_of(r), r["taken"]) for r in await CANDIDATE_REWARDS.fetch(connection, params)
                ]
                found += [
                    Candidate(campaign_of(r), int(r["taken"]))
                    for r in await CANDIDATE_CAMPAIGNS.fetch(connection, params)
                ]
        return found
