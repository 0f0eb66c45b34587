"""Orders, redemptions and what quotes are made of, read."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.campaigns.model import Budget
from domain.coupons.model import Coupon, CouponKey, CouponTemplate
from domain.coupons.wallet import MAX_CONSIDERED, HeldCoupon
from domain.orders.model import Order, OrderKey, Quotable, Redemption, RedemptionKey
from domain.orders.room import Room
from domain.shared.ids import CampaignId, CouponId, MemberId, MerchantId, RedemptionId, StoreId, TemplateId
from domain.shared.paging import Page, PageRequest
from domain.shared.principal import Scope
from persistence.base import Conn, Row, Statement, arrays, current_instant, scope_params, within_scope
from persistence.campaigns.reads import read_budgets
from persistence.coupons.facts import read_facts
from persistence.coupons.rows import coupon_of, template_of
from persistence.coupons.tables import coupons, redemptions
from persistence.members.tables import members
from persistence.members.tiers import TIER_STANDINGS
from persistence.orders.redemptions import TEMPLATES_OF_COUPONS
from persistence.orders.rows import order_of, redemption_of
from persistence.orders.store_uses import uses_in_store
from persistence.orders.tables import orders
from persistence.orders.writes import bonus_of, tier_params
from persistence.paging import after_instant_and_id, page_of
from persistence.points.reads import read_accounts
from persistence.unit_of_work import Database

_NOW = current_instant()
_MEMBER = sa.bindparam("member_id", type_=sa.Uuid)
_AFTER_AT = sa.bindparam("after_at", type_=sa.DateTime(timezone=True))
_AFTER_ID = sa.bindparam("after_id", type_=sa.Uuid)
_STORES = sa.bindparam("store_ids", type_=pg.ARRAY(sa.Uuid))

BUYER_INSTANT = Statement(
    "buyer_instant",
    sa.select(_NOW).where(sa.exists().where(members.c.member_id == _MEMBER, within_scope(member=members.c.member_id))),
)
QUOTED_COUPONS = Statement(
    "quoted_coupons",
    sa.select(*coupons.c, sa.bindparam("at", type_=sa.DateTime(timezone=True)).label("read_at")).where(
        coupons.c.member_id == _MEMBER,
        coupons.c.id == sa.any_(sa.bindparam("coupon_ids", type_=pg.ARRAY(sa.Uuid))),
        within_scope(member=coupons.c.member_id),
    ),
)
_AT = sa.bindparam("at", type_=sa.DateTime(timezone=True))
QUOTED_WALLET = Statement(
    "quoted_wallet",
    sa.select(*coupons.c, _AT.label("read_at"))
    .where(
        coupons.c.member_id == _MEMBER,
        # One that an order holds no more is as free as any.
        sa.or_(coupons.c.state == sa.literal_column("'CLAIMED'"), coupons.c.reserved_until <= _AT),
        coupons.c.valid_from <= _AT,
        coupons.c.valid_until > _AT,
        within_scope(member=coupons.c.member_id),
    )
    .order_by(coupons.c.valid_until, coupons.c.id)
    .limit(sa.bindparam("limit", type_=sa.Integer)),
)
ORDER_BY_KEY = Statement(
    "order_by_key",
    sa.select(orders).where(
        orders.c.member_id == _MEMBER,
        orders.c.id == sa.bindparam("order_id", type_=sa.Uuid),
        within_scope(member=orders.c.member_id),
    ),
)
_keys = arrays("keys", {"member_id": sa.Uuid(), "id": sa.Uuid()})
REDEMPTIONS_BY_KEY = Statement(
    "redemptions_by_key",
    sa.select(redemptions)
    .join_from(
        _keys, redemptions, sa.and_(redemptions.c.member_id == _keys.c.member_id, redemptions.c.id == _keys.c.id)
    )
    .where(within_scope(member=redemptions.c.member_id, merchant=redemptions.c.merchant_id)),
)
_wanted = arrays("wanted", {"merchant_id": sa.Uuid()})
_page = (
    sa.select(redemptions)
    .where(
        redemptions.c.merchant_id == _wanted.c.merchant_id,
        within_scope(merchant=redemptions.c.merchant_id),
        sa.or_(_STORES.is_(None), redemptions.c.store_id == sa.any_(_STORES)),
        sa.or_(
            _AFTER_AT.is_(None),
            sa.tuple_(redemptions.c.redeemed_at, redemptions.c.id) < sa.tuple_(_AFTER_AT, _AFTER_ID),
        ),
    )
    .order_by(redemptions.c.redeemed_at.desc(), redemptions.c.id.desc())
    .limit(sa.bindparam("limit", type_=sa.Integer))
    .lateral("page")
)
REDEMPTIONS_OF_MERCHANTS = Statement(
    "redemptions_of_merchants",
    sa.select(_page)
    .select_from(_wanted.join(_page, sa.true()))
    .order_by(_page.c.merchant_id, _page.c.redeemed_at.desc(), _page.c.id.desc()),
)
# A merchant's staff see a coupon when it was redeemed at theirs, and only then.
_redeemed_at_theirs = sa.exists().where(
    redemptions.c.member_id == coupons.c.member_id,
    redemptions.c.coupon_id == coupons.c.id,
    within_scope(merchant=redemptions.c.merchant_id),
)
REDEEMED_COUPONS = Statement(
    "redeemed_coupons",
    sa.select(*coupons.c, _NOW.label("read_at"))
    .join_from(_keys, coupons, sa.and_(coupons.c.member_id == _keys.c.member_id, coupons.c.id == _keys.c.id))
    .where(sa.or_(within_scope(member=coupons.c.member_id), _redeemed_at_theirs)),
)


class SqlOrderReads:
    """Reads of orders and redemptions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def quotable(
        self,
        member_id: MemberId,
        *,
        coupon_ids: Sequence[CouponId] | None,
        store_id: StoreId | None = None,
        with_points: bool = False,
        scope: Scope,
    ) -> Quotable | None:
        """What a quote for this member is made of, at one instant; None: there is no such member within the scope."""
        params: dict[str, object] = {"member_id": member_id, **scope_params(scope)}
        zone = self._database.programme.zone
        async with self._database.read() as connection:
            at = await BUYER_INSTANT.value(connection, {**params, "now": self._database.set_now})
            if at is None:
                return None
            rows: list[Row] = []
            found: list[Row] = []
            if coupon_ids is None:
                rows = await QUOTED_WALLET.fetch(connection, {**params, "limit": MAX_CONSIDERED, "at": at})
            elif coupon_ids:
                rows = await QUOTED_COUPONS.fetch(connection, {**params, "coupon_ids": list(coupon_ids), "at": at})
            if rows:
                ids = {row["template_id"] for row in rows}
                found = await TEMPLATES_OF_COUPONS.fetch(connection, {**params, "ids": list(ids)})
            by_id = {row["id"]: template_of(row) for row in found}
            room = await _room(connection, list(by_id.values()), store_id=store_id, at=at)
            owner = None
            if any(template.asks_of_member for template in by_id.values()):
                owner = (
                    await read_facts(
                        connection,
                        [member_id],
                        scope=scope,
                        at=at,
                        zone=zone,
                        personal_data=self._database.personal_data,
                    )
                )[member_id]
            tier = await TIER_STANDINGS.row(connection, {**params, **tier_params(member_id, now=at, zone=zone)})
            account = None
            if with_points:
                account = next(
                    iter(await read_accounts(connection, {**params, "member_ids": [member_id], "now": at})), None
                )
        held = {row["id"]: HeldCoupon(coupon_of(row), by_id[row["template_id"]], owner) for row in rows}
        return Quotable(
            at=at,
            held=held,
            bonus_basis_points=bonus_of(tier, now=at, zone=zone),
            points_available=0 if account is None else int(account["available"]),
            points_debt=0 if account is None else account["debt"],
            room=room,
        )

    async def order_by_key(self, key: OrderKey, *, scope: Scope) -> Order | None:
        """An order with its quote."""
        params = {"member_id": key.member_id, "order_id": key.order_id, **scope_params(scope)}
        async with self._database.read() as connection:
            row = await ORDER_BY_KEY.row(connection, params)
        return None if row is None else order_of(row)

    async def redemptions_by_key(
        self, keys: Sequence[RedemptionKey], *, scope: Scope
    ) -> Mapping[RedemptionKey, Redemption]:
        """These redemptions."""
        params = {
            "member_id": [key.member_id for key in keys],
            "id": [key.redemption_id for key in keys],
            **scope_params(scope),
        }
        async with self._database.read() as connection:
            rows = await REDEMPTIONS_BY_KEY.fetch(connection, params)
        return {RedemptionKey(row["member_id"], RedemptionId(row["id"])): redemption_of(row) for row in rows}

    async def redemptions_of_merchants(
        self,
        merchant_ids: Sequence[MerchantId],
        *,
        store_ids: frozenset[StoreId],
        page: PageRequest,
        scope: Scope,
    ) -> Mapping[MerchantId, Page[Redemption]]:
        """The same page of what was redeemed at each merchant, in these stores (none named: anywhere), newest first."""
        after_at, after_id = after_instant_and_id(page)
        params = {
            "merchant_id": list(merchant_ids),
            "store_ids": list(store_ids) or None,
            "after_at": after_at,
            "after_id": after_id,
            "limit": page.first + 1,
            **scope_params(scope),
        }
        async with self._database.read() as connection:
            rows = await REDEMPTIONS_OF_MERCHANTS.fetch(connection, params)
        by_merchant: defaultdict[MerchantId, list[Row]] = defaultdict(list)
        for row in rows:
            by_merchant[row["merchant_id"]].append(row)
        return {m: page_of(by_merchant[m], request=page, item=redemption_of, key=_key) for m in merchant_ids}

    async def redeemed_coupons(self, keys: Sequence[CouponKey], *, scope: Scope) -> Mapping[CouponKey, Coupon]:
        """Those of the coupons that were redeemed at a merchant within the scope, or are the scope's own."""
        params = {
            "member_id": [key.member_id for key in keys],
            "id": [key.coupon_id for key in keys],
            "now": self._database.set_now,
            **scope_params(scope),
        }
        async with self._database.read() as connection:
            rows = await REDEEMED_COUPONS.fetch(connection, params)
        return {CouponKey(row["member_id"], row["id"]): coupon_of(row) for row in rows}


async def _room(
    connection: Conn, templates: Sequence[CouponTemplate], *, store_id: StoreId | None, at: datetime
) -> Room:
    """What shared limits have left for coupons of these templates; whoever asks, as the limits are not the member's."""
    limited = [one.id for one in templates if one.limit_per_store is not None]
    campaign_ids = {one.campaign_id for one in templates if one.campaign_id is not None}
    uses: Mapping[TemplateId, int] = {}
    budgets: Mapping[CampaignId, Budget] = {}
    if limited and store_id is not None:
        uses = await uses_in_store(connection, limited, store_id=store_id, now=at)
    if campaign_ids:
        budgets = await read_budgets(connection, sorted(campaign_ids), now=at, scope=Scope.system())
    return Room(uses, budgets)


def _key(row: Row) -> tuple[str, ...]:
    return row["redeemed_at"].isoformat(), str(row["id"])
