"""Campaigns read. A draft is its managers' alone; the state shown is that of the instant of the read."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.campaigns.model import Budget, Campaign, CampaignMetrics, CampaignQuery
from domain.shared.ids import CampaignId, MerchantId
from domain.shared.paging import Page, PageRequest
from domain.shared.principal import Scope
from persistence.base import Conn, Row, Statement, arrays, current_instant, scope_params, within_scope
from persistence.campaigns.rows import budgets_of, campaign_of
from persistence.campaigns.tables import budget_accounts, campaigns
from persistence.coupons.tables import redemptions, template_stock, templates
from persistence.orders import orders
from persistence.orders.tables import reservations, reserved_coupons
from persistence.paging import after_instant_and_id, page_of, pages_of
from persistence.unit_of_work import Database

_NOW = current_instant()
_IDS = sa.bindparam("ids", type_=pg.ARRAY(sa.Uuid))
_MANAGED = within_scope(merchant=campaigns.c.merchant_id)

# The same rule as domain.campaigns.rules.state_at, so that a list can be filtered by it; a test holds the two together.
_STATE = sa.case(
    (sa.and_(campaigns.c.state != "DRAFT", campaigns.c.ends_at <= _NOW), "ENDED"),
    (sa.and_(campaigns.c.state == "SCHEDULED", campaigns.c.starts_at <= _NOW), "RUNNING"),
    else_=campaigns.c.state,
)
SHOWN = (
    campaigns.c.id,
    campaigns.c.merchant_id,
    campaigns.c.name,
    campaigns.c.goal,
    _STATE.label("state"),
    campaigns.c.starts_at,
    campaigns.c.ends_at,
    campaigns.c.budget_minor,
    campaigns.c.budget_currency,
    campaigns.c.limit_per_member,
    campaigns.c.budget_remainder,
)
_VISIBLE = sa.or_(campaigns.c.state != "DRAFT", _MANAGED)


_STATES = sa.bindparam("states", type_=pg.ARRAY(sa.Text))
_GOAL = sa.bindparam("goal", type_=sa.Text)
_MERCHANT = sa.bindparam("merchant_id", type_=sa.Uuid)
_AFTER_AT = sa.bindparam("after_at", type_=sa.DateTime(timezone=True))
_AFTER_ID = sa.bindparam("after_id", type_=sa.Uuid)

CAMPAIGNS_BY_ID = Statement("campaigns_by_id", sa.select(*SHOWN).where(campaigns.c.id == sa.any_(_IDS), _VISIBLE))
_page = (
    sa.select(*SHOWN)
    .where(
        _VISIBLE,
        sa.or_(_STATES.is_(None), sa.any_(_STATES) == _STATE),
        sa.or_(_GOAL.is_(None), campaigns.c.goal == _GOAL),
        sa.or_(
            _AFTER_AT.is_(None),
            sa.tuple_(campaigns.c.starts_at, campaigns.c.id) < sa.tuple_(_AFTER_AT, _AFTER_ID),
        ),
    )
    .order_by(campaigns.c.starts_at.desc(), campaigns.c.id.desc())
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
CAMPAIGNS_PAGE = Statement(
    "campaigns_page", _page.where(sa.or_(_MERCHANT.is_(None), campaigns.c.merchant_id == _MERCHANT))
)
_wanted = arrays("wanted", {"merchant_ids": sa.Uuid()})
_of_each = _page.where(campaigns.c.merchant_id == _wanted.c.merchant_ids).lateral("page")
CAMPAIGNS_OF_MERCHANTS = Statement(
    "campaigns_of_merchants",
    sa.select(_of_each)
    .select_from(_wanted.join(_of_each, sa.true()))
    .order_by(_of_each.c.merchant_id, _of_each.c.starts_at.desc(), _of_each.c.id.desc()),
)
CAMPAIGN_BUDGETS = Statement(
    "campaign_budgets",
    sa.select(
        campaigns.c.id,
        campaigns.c.budget_minor,
        campaigns.c.budget_currency,
        campaigns.c.funder_budgets,
        campaigns.c.budget_remainder,
        budget_accounts.c.funder,
        sa.cast(sa.func.sum(budget_accounts.c.reserved_minor), sa.BigInteger).label("reserved_minor"),
        sa.cast(sa.func.sum(budget_accounts.c.redeemed_minor), sa.BigInteger).label("redeemed_minor"),
    )
    .select_from(campaigns.outerjoin(budget_accounts, campaigns.c.id == budget_accounts.c.campaign_id))
    .where(campaigns.c.id == sa.any_(_IDS), campaigns.c.budget_minor.is_not(None), _MANAGED)
    .group_by(campaigns.c.id, budget_accounts.c.funder)
    .order_by(campaigns.c.id, budget_accounts.c.funder),
)
# What reservations hold whose time is over and that were not swept yet: it is free, whoever asks.
LAPSED_HOLDS = Statement(
    "lapsed_holds",
    sa.select(campaigns.c.id, reserved_coupons.c.shares)
    .select_from(
        campaigns.join(reserved_coupons, reserved_coupons.c.campaign_id == campaigns.c.id).join(
            reservations,
            sa.and_(
                reservations.c.member_id == reserved_coupons.c.member_id,
                reservations.c.id == reserved_coupons.c.reservation_id,
            ),
        )
    )
    .where(
        campaigns.c.id == sa.any_(_IDS),
        reserved_coupons.c.held,
        reservations.c.state == sa.literal_column("'HELD'"),
        reservations.c.expires_at <= _NOW,
        _MANAGED,
    ),
)

_currency = sa.func.coalesce(campaigns.c.budget_currency, sa.bindparam("currency", type_=sa.Text))
_claimed = (
    sa.select(sa.func.coalesce(sa.func.sum(template_stock.c.total - template_stock.c.remaining), 0))
    .join_from(templates, template_stock, templates.c.id == template_stock.c.template_id)
    .where(templates.c.campaign_id == campaigns.c.id)
    .scalar_subquery()
)
_counted = (redemptions.c.campaign_id == campaigns.c.id, redemptions.c.reversed_at.is_(None))
_redeemed = (
    sa.select(
        sa.func.count().label("redeemed"),
        sa.func.coalesce(
            sa.func.sum(redemptions.c.discount_minor - redemptions.c.refunded_minor).filter(
                redemptions.c.currency == _currency
            ),
            0,
        ).label("discount_minor"),
    )
    .where(*_counted)
    .lateral("redeemed")
)
# An order counts once, however many coupons of the campaign it used.
_with_coupons = (
    sa.select(redemptions.c.member_id, redemptions.c.order_id).where(*_counted).distinct().correlate(campaigns)
).lateral("with_coupons")
_revenue = (
    sa.select(sa.func.coalesce(sa.func.sum(orders.c.paid_minor - orders.c.refunded_minor), 0))
    .select_from(
        _with_coupons.join(
            orders,
            sa.and_(orders.c.member_id == _with_coupons.c.member_id, orders.c.id == _with_coupons.c.order_id),
        )
    )
    .where(orders.c.currency == _currency)
    .scalar_subquery()
)
CAMPAIGN_METRICS = Statement(
    "campaign_metrics",
    sa.select(
        campaigns.c.id,
        _claimed.label("claimed"),
        _redeemed.c.redeemed,
        _redeemed.c.discount_minor,
        _revenue.label("revenue_minor"),
        _currency.label("currency"),
    )
    .select_from(campaigns.join(_redeemed, sa.true()))
    .where(campaigns.c.id == sa.any_(_IDS), _MANAGED),
)


async def read_budgets(
    connection: Conn, campaign_ids: Sequence[CampaignId], *, now: datetime | None, scope: Scope
) -> Mapping[CampaignId, Budget]:
    """The budgets of these campaigns, where the scope manages them and they have one; `now` None: the database's."""
    params = {"ids": list(campaign_ids), "now": now, **scope_params(scope)}
    rows = await CAMPAIGN_BUDGETS.fetch(connection, params)
    lapsed = await LAPSED_HOLDS.fetch(connection, params) if any(row["reserved_minor"] for row in rows) else []
    return budgets_of(rows, lapsed=lapsed)


class SqlCampaignReads:
    """Reads of campaigns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def campaigns_by_id(
        self, campaign_ids: Sequence[CampaignId], *, scope: Scope
    ) -> Mapping[CampaignId, Campaign]:
        """The campaigns of these ids that the scope may see."""
        params = {"ids": list(campaign_ids), "now": self._database.set_now, **scope_params(scope)}
        async with self._database.read() as connection:
            rows = await CAMPAIGNS_BY_ID.fetch(connection, params)
        return {row["id"]: campaign_of(row) for row in rows}

    async def campaigns_page(self, query: CampaignQuery, *, page: PageRequest, scope: Scope) -> Page[Campaign]:
        """A page of campaigns, newest start first."""
        params = {"merchant_id": query.merchant_id, **self._page_params(query, page=page, scope=scope)}
        async with self._database.read() as connection:
            rows = await CAMPAIGNS_PAGE.fetch(connection, params)
        return page_of(rows, request=page, item=campaign_of, key=_key)

    async def campaigns_of(
        self, merchant_ids: Sequence[MerchantId], *, query: CampaignQuery, page: PageRequest, scope: Scope
    ) -> Mapping[MerchantId, Page[Campaign]]:
        """The same page of each merchant's campaigns, newest start first."""
        params = {"merchant_ids": list(merchant_ids), **self._page_params(query, page=page, scope=scope)}
        async with self._database.read() as connection:
            rows = await CAMPAIGNS_OF_MERCHANTS.fetch(connection, params)
        return pages_of(
            rows,
            parents=merchant_ids,
            parent=lambda row: MerchantId(row["merchant_id"]),
            request=page,
            item=campaign_of,
            key=_key,
        )

    def _page_params(self, query: CampaignQuery, *, page: PageRequest, scope: Scope) -> dict[str, object]:
        after_at, after_id = after_instant_and_id(page)
        return {
            "now": self._database.set_now,
            "states": None if query.states is None else [s.value for s in query.states],
            "goal": query.goal and query.goal.value,
            "after_at": after_at,
            "after_id": after_id,
            "limit": page.first + 1,
            **scope_params(scope),
        }

    async def budgets(self, campaign_ids: Sequence[CampaignId], *, scope: Scope) -> Mapping[CampaignId, Budget]:
        """The budgets of these campaigns, where the scope manages them and they have one."""
        async with self._database.read() as connection:
            return await read_budgets(connection, campaign_ids, now=self._database.set_now, scope=scope)

    async def metrics(
        self, campaign_ids: Sequence[CampaignId], *, scope: Scope
    ) -> Mapping[CampaignId, CampaignMetrics]:
        """What these campaigns have done, where the scope manages them."""
        params = {
            "ids": list(campaign_ids),
            "currency": self._database.programme.currency,
            **scope_params(scope),
        }
        async with self._database.read() as connection:
            rows = await CAMPAIGN_METRICS.fetch(connection, params)
        return {
            row["id"]: CampaignMetrics(
                claimed=int(row["claimed"]),
                redeemed=row["redeemed"],
                discount_minor=int(row["discount_minor"]),
                revenue_minor=int(row["revenue_minor"]),
                currency=row["currency"],
            )
            for row in rows
        }


def _key(row: Row) -> tuple[str, ...]:
    return row["starts_at"].isoformat(), str(row["id"])
