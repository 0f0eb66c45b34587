"""Templates and coupons read. A wallet's page is one statement that walks one index from where the last page ended."""

from collections.abc import Coroutine, Mapping, Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.coupons.entries import MemberWithWallet, WalletEntry
from domain.coupons.facts import MemberFacts
from domain.coupons.model import (
    EXPIRING_SOON_DAYS,
    ClaimStanding,
    Coupon,
    CouponKey,
    CouponTemplate,
    Stock,
    StockLeft,
    TemplateQuery,
    WalletCounts,
    WalletQuery,
)
from domain.shared.events import WALLET, StoredEvent
from domain.shared.ids import CampaignId, MemberId, MerchantId, TemplateId
from domain.shared.paging import Page, PageRequest
from domain.shared.principal import Scope
from persistence.base import NOW, Row, Statement, arrays, current_instant, scope_params, within_scope
from persistence.coupons.facts import read_facts
from persistence.coupons.rows import (
    COUPON,
    campaign_runs,
    coupon_of,
    template_of,
)
from persistence.coupons.standings import CLAIM_STANDINGS, standing_of
from persistence.coupons.tables import coupons, template_stock, templates
from persistence.coupons.wallets import (
    BY_EXPIRY,
    IS_CLAIMED,
    IS_LIVE,
    OF_MERCHANT,
    wallet_page_of,
    wallet_params,
    wallet_statement,
)
from persistence.events import events, streams
from persistence.members.people import member_of
from persistence.paging import after_id, after_sequence, page_of, pages_of
from persistence.unit_of_work import Database

_NOW = current_instant()
_MEMBER = sa.bindparam("member_id", type_=sa.Uuid)
_MEMBERS = sa.bindparam("member_ids", type_=pg.ARRAY(sa.Uuid))
_MERCHANT = sa.bindparam("merchant_id", type_=sa.Uuid)
_CAMPAIGN = sa.bindparam("campaign_id", type_=sa.Uuid)
_IDS = sa.bindparam("ids", type_=pg.ARRAY(sa.Uuid))
_CLAIMABLE = sa.bindparam("claimable", type_=sa.Boolean)
_AFTER_ID = sa.bindparam("after_id", type_=sa.Uuid)
_LIMIT = sa.bindparam("limit", type_=sa.Integer)

_MANAGED = within_scope(merchant=templates.c.merchant_id)
_VISIBLE = sa.or_(templates.c.state == sa.literal_column("'PUBLISHED'"), _MANAGED)
_OWN = within_scope(member=coupons.c.member_id)
_IS_EXPIRED = sa.or_(
    coupons.c.state == sa.literal_column("'EXPIRED'"), sa.and_(IS_CLAIMED, coupons.c.valid_until <= _NOW)
)
_COUPON = (*COUPON, _NOW.label("read_at"))

TEMPLATES_BY_ID = Statement(
    "coupon_templates_by_id", sa.select(templates).where(templates.c.id == sa.any_(_IDS), _VISIBLE)
)
_claimable_now = sa.and_(
    templates.c.state == sa.literal_column("'PUBLISHED'"),
    templates.c.claim_opens_at <= _NOW,
    templates.c.claim_closes_at > _NOW,
    templates.c.self_claim,
    campaign_runs(_NOW),
    template_stock.c.remaining > sa.literal_column("0"),
)
TEMPLATES_PAGE = Statement(
    "coupon_templates_page",
    sa.select(templates)
    .join_from(templates, template_stock, templates.c.id == template_stock.c.template_id)
    .where(
        _VISIBLE,
        sa.or_(_CLAIMABLE.is_(None), _claimable_now == _CLAIMABLE),
        sa.or_(_MERCHANT.is_(None), templates.c.merchant_id == _MERCHANT),
        sa.or_(_CAMPAIGN.is_(None), templates.c.campaign_id == _CAMPAIGN),
        # Ids are ordered by time: the newest first.
        sa.or_(_AFTER_ID.is_(None), templates.c.id < _AFTER_ID),
    )
    .order_by(templates.c.id.desc())
    .limit(_LIMIT),
)
_campaigns = arrays("campaigns", {"campaign_ids": sa.Uuid()})
_templates_of = (
    sa.select(templates)
    .where(
        _VISIBLE,
        templates.c.campaign_id == _campaigns.c.campaign_ids,
        sa.or_(_AFTER_ID.is_(None), templates.c.id < _AFTER_ID),
    )
    .order_by(templates.c.id.desc())
    .limit(_LIMIT)
    .lateral("page")
)
TEMPLATES_OF_CAMPAIGNS = Statement(
    "coupon_templates_of_campaigns",
    sa.select(_templates_of)
    .select_from(_campaigns.join(_templates_of, sa.true()))
    .order_by(_templates_of.c.campaign_id, _templates_of.c.id.desc()),
)
STOCKS = Statement("template_stocks", sa.select(template_stock).where(template_stock.c.template_id == sa.any_(_IDS)))
STOCKS_LEFT = Statement(
    "template_stocks_left",
    sa.select(template_stock.c.template_id, template_stock.c.remaining, sa.func.now().label("read_at")).where(
        template_stock.c.template_id == sa.any_(_IDS)
    ),
)
_asked = arrays("asked", {"member_id": sa.Uuid(), "id": sa.Uuid()})
COUPONS_BY_KEY = Statement(
    "coupons_by_key",
    sa.select(*_COUPON)
    .join_from(_asked, coupons, sa.and_(coupons.c.member_id == _asked.c.member_id, coupons.c.id == _asked.c.id))
    .where(_OWN),
)

LIVE_COUPONS = Statement(
    "live_coupons",
    sa.select(*_COUPON)
    .where(coupons.c.member_id == _MEMBER, IS_LIVE, OF_MERCHANT, _OWN)
    .order_by(*BY_EXPIRY)
    .limit(_LIMIT),
)


def _count(name: str, *conditions: sa.ColumnElement[bool]) -> sa.Label[int]:
    return sa.func.count().filter(*conditions).label(name)


WALLET_COUNTS = Statement(
    "wallet_counts",
    sa.select(
        coupons.c.member_id,
        _count("claimed", IS_LIVE),
        _count("reserved", coupons.c.reserved_until > _NOW),
        _count("redeemed", coupons.c.state == sa.literal_column("'REDEEMED'")),
        _count("expired", _IS_EXPIRED),
        _count("expiring_soon", IS_LIVE, coupons.c.valid_until <= _NOW + timedelta(days=EXPIRING_SOON_DAYS)),
    )
    .where(coupons.c.member_id == sa.any_(_MEMBERS), _OWN)
    .group_by(coupons.c.member_id),
)
WALLET_SEQUENCES = Statement(
    "wallet_sequences",
    sa.select(streams.c.owner_id, streams.c.sequence).where(
        streams.c.owner_id == sa.any_(_MEMBERS),
        streams.c.stream == WALLET,
        within_scope(member=streams.c.owner_id),
    ),
)
_of_coupon = (
    sa.select(events)
    .where(
        events.c.owner_id == _asked.c.member_id,
        events.c.stream == WALLET,
        events.c.subject_id == _asked.c.id,
        events.c.sequence > sa.bindparam("after_sequence", type_=sa.BigInteger),
        within_scope(member=events.c.owner_id),
    )
    .order_by(events.c.sequence)
    .limit(_LIMIT)
    .lateral("page")
)
COUPON_EVENTS = Statement(
    "coupon_events",
    sa.select(_of_coupon)
    .select_from(_asked.join(_of_coupon, sa.true()))
    .order_by(_of_coupon.c.owner_id, _of_coupon.c.subject_id, _of_coupon.c.sequence),
)


class SqlCouponReads:
    """Reads of templates and coupons."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def templates_by_id(
        self, template_ids: Sequence[TemplateId], *, scope: Scope
    ) -> Mapping[TemplateId, CouponTemplate]:
        """The templates of these ids that the scope may see."""
        rows = await self._fetch(TEMPLATES_BY_ID, {"ids": list(template_ids)}, scope=scope)
        return {row["id"]: template_of(row) for row in rows}

    async def templates_page(self, query: TemplateQuery, *, page: PageRequest, scope: Scope) -> Page[CouponTemplate]:
        """A page of templates, the newest first."""
        params = {
            "claimable": query.claimable_now,
            "merchant_id": query.merchant_id,
            "campaign_id": query.campaign_id,
            "after_id": after_id(page),
            "limit": page.first + 1,
        }
        rows = await self._fetch(TEMPLATES_PAGE, params, scope=scope)
        return page_of(rows, request=page, item=template_of, key=lambda row: (str(row["id"]),))

    async def templates_of(
        self, campaign_ids: Sequence[CampaignId], *, page: PageRequest, scope: Scope
    ) -> Mapping[CampaignId, Page[CouponTemplate]]:
        """The same page of each campaign's templates, the newest first."""
        params = {"campaign_ids": list(campaign_ids), "after_id": after_id(page), "limit": page.first + 1}
        rows = await self._fetch(TEMPLATES_OF_CAMPAIGNS, params, scope=scope)
        return pages_of(
            rows,
            parents=campaign_ids,
            parent=lambda row: CampaignId(row["campaign_id"]),
            request=page,
            item=template_of,
            key=lambda row: (str(row["id"]),),
        )

    async def stocks_left(self, template_ids: Sequence[TemplateId]) -> Mapping[TemplateId, StockLeft]:
        """What is left of each at this moment, by the database's clock."""
        async with self._database.read() as connection:
            rows = await STOCKS_LEFT.fetch(connection, {"ids": list(template_ids)})
        return {row["template_id"]: StockLeft(row["remaining"], row["read_at"]) for row in rows}

    async def stocks(self, template_ids: Sequence[TemplateId]) -> Mapping[TemplateId, Stock]:
        """What is left of these templates."""
        async with self._database.read() as connection:
            rows = await STOCKS.fetch(connection, {"ids": list(template_ids)})
        return {row["template_id"]: Stock(row["total"], row["remaining"]) for row in rows}

    async def claim_standings(
        self, template_ids: Sequence[TemplateId], *, member_id: MemberId | None, scope: Scope
    ) -> Mapping[TemplateId, ClaimStanding]:
        """What is left of these templates, and what the member has of them."""
        params = {"ids": list(template_ids), "member_id": member_id, "zone": self._database.programme.zone.key}
        rows = await self._fetch(CLAIM_STANDINGS, params, scope=scope)
        return {row["template_id"]: standing_of(row) for row in rows}

    async def coupons_by_key(self, keys: Sequence[CouponKey], *, scope: Scope) -> Mapping[CouponKey, Coupon]:
        """The coupons of these keys that the scope reaches."""
        params = {"member_id": [key.member_id for key in keys], "id": [key.coupon_id for key in keys]}
        rows = await self._fetch(COUPONS_BY_KEY, params, scope=scope)
        return {CouponKey(row["member_id"], row["id"]): coupon_of(row) for row in rows}

    async def wallet_page(
        self,
        member_id: MemberId,
        *,
        query: WalletQuery,
        page: PageRequest,
        scope: Scope,
        names: frozenset[str] | None = None,
    ) -> Page[WalletEntry]:
        """A page of a wallet, ordered by expiry or by claim."""
        statement = wallet_statement(query).showing(names)
        rows = await self._fetch(statement, wallet_params(member_id, query=query, page=page), scope=scope)
        return wallet_page_of(rows, query=query, page=page)

    async def member_with_wallet(
        self,
        member_id: MemberId,
        *,
        query: WalletQuery,
        page: PageRequest,
        scope: Scope,
        names: frozenset[str] | None = None,
        personal: bool = True,
    ) -> MemberWithWallet | None:
        """A member and a page of its wallet in one read."""
        read = wallet_statement(query).showing_beside_member(names, personal=personal)
        rows = await self._fetch(read.statement, wallet_params(member_id, query=query, page=page), scope=scope)
        if not rows:
            return None
        member = member_of(read.member_row(rows[0]), personal_data=self._database.personal_data)
        return MemberWithWallet(member, read.page(rows, query=query, page=page))

    async def live_coupons(
        self, member_id: MemberId, *, merchant_id: MerchantId | None, limit: int, scope: Scope
    ) -> Sequence[Coupon]:
        """The claimed coupons that have not expired, soonest to expire first."""
        params = {"member_id": member_id, "merchant_id": merchant_id, "limit": limit}
        return [coupon_of(row) for row in await self._fetch(LIVE_COUPONS, params, scope=scope)]

    async def facts_of_members(self, member_ids: Sequence[MemberId], *, scope: Scope) -> Mapping[MemberId, MemberFacts]:
        """What conditions of use ask of these members now; one whom the scope may not see is not in it."""
        database = self._database
        async with database.read() as connection:
            return await read_facts(
                connection,
                member_ids,
                scope=scope,
                at=database.set_now or await NOW.value(connection, {}),
                zone=database.programme.zone,
                personal_data=database.personal_data,
            )

    async def wallet_counts(self, member_ids: Sequence[MemberId], *, scope: Scope) -> Mapping[MemberId, WalletCounts]:
        """The counts of these wallets; an empty wallet is not in it."""
        rows = await self._fetch(WALLET_COUNTS, {"member_ids": list(member_ids)}, scope=scope)
        return {
            row["member_id"]: WalletCounts(
                claimed=row["claimed"],
                reserved=row["reserved"],
                redeemed=row["redeemed"],
                expired=row["expired"],
                expiring_soon=row["expiring_soon"],
            )
            for row in rows
        }

    async def wallet_sequences(self, member_ids: Sequence[MemberId], *, scope: Scope) -> Mapping[MemberId, int]:
        """The last event of each of these wallets; one without events is not in it."""
        rows = await self._fetch(WALLET_SEQUENCES, {"member_ids": list(member_ids)}, scope=scope)
        return {row["owner_id"]: row["sequence"] for row in rows}

    async def coupon_events(
        self, keys: Sequence[CouponKey], *, page: PageRequest, scope: Scope
    ) -> Mapping[CouponKey, Page[StoredEvent]]:
        """The same page of what happened to each coupon, in order."""
        params = {
            "member_id": [key.member_id for key in keys],
            "id": [key.coupon_id for key in keys],
            "after_sequence": after_sequence(page),
            "limit": page.first + 1,
        }
        rows = await self._fetch(COUPON_EVENTS, params, scope=scope)
        return pages_of(
            rows,
            parents=keys,
            parent=lambda row: CouponKey(row["owner_id"], row["subject_id"]),
            request=page,
            item=_event_of,
            key=lambda row: (str(row["sequence"]),),
        )

    def _fetch(
        self, statement: Statement, params: Mapping[str, object], *, scope: Scope
    ) -> Coroutine[Any, Any, list[Row]]:
        return self._database.rows(statement, {**params, "now": self._database.set_now, **scope_params(scope)})


def _event_of(row: Row) -> StoredEvent:
    return StoredEvent(
        owner_id=row["owner_id"],
        stream=row["stream"],
        sequence=row["sequence"],
        kind=row["kind"],
        subject_id=row["subject_id"],
        facts=row["facts"],
        occurred_at=row["occurred_at"],
    )
