"""Templates and coupons written: one plain statement per table, whatever the size of the set."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.coupons.model import ClaimedCount, Coupon, CouponKey, CouponTemplate, LockedTemplate, Stock
from domain.shared.ids import CouponId, MemberId, MerchantId, StoreId, TemplateId
from domain.shared.principal import Scope
from persistence.base import Conn, Statement, arrays, columns_of, insert_rows, scope_params, within_scope
from persistence.coupons.rows import TEMPLATE_COLUMNS, template_of, template_row
from persistence.coupons.tables import coupons, template_stock, templates
from persistence.merchants.tables import merchants, stores

_ID = sa.bindparam("template_id", type_=sa.Uuid)
_NOW = sa.bindparam("now", type_=sa.DateTime(timezone=True))
_COUNT = sa.bindparam("count", type_=sa.BigInteger)
_IDS = sa.bindparam("ids", type_=pg.ARRAY(sa.Uuid))
_MANAGED = within_scope(merchant=templates.c.merchant_id)
# Written out, since a partial index serves only a statement that says what the index says.
_IS_CLAIMED = coupons.c.state == sa.literal_column("'CLAIMED'")
_IS_PUBLISHED = templates.c.state == sa.literal_column("'PUBLISHED'")

ADD_TEMPLATE = Statement(
    "add_coupon_template",
    insert_rows(
        templates,
        TEMPLATE_COLUMNS,
        merchant="merchant_id",
        constants={"created_at": _NOW},
    ),
)
ADD_TEMPLATE_STOCK = Statement(
    "add_coupon_template_stock", sa.insert(template_stock).values(template_id=_ID, total=_COUNT, remaining=_COUNT)
)
LOCK_TEMPLATE = Statement(
    "lock_coupon_template", sa.select(templates).where(templates.c.id == _ID, _MANAGED).with_for_update()
)
PUBLISH_TEMPLATE = Statement(
    "publish_coupon_template",
    sa.update(templates)
    .where(templates.c.id == _ID, templates.c.state == sa.literal_column("'DRAFT'"), _MANAGED)
    .values(state=sa.literal_column("'PUBLISHED'"), published_at=_NOW),
)
KNOWN_MERCHANTS = Statement("known_merchants", sa.select(merchants.c.id).where(merchants.c.id == sa.any_(_IDS)))
MERCHANTS_OF_STORES = Statement(
    "merchants_of_stores", sa.select(stores.c.id, stores.c.merchant_id).where(stores.c.id == sa.any_(_IDS))
)

PLAN_AFRESH = Statement("plan_afresh", sa.text("SET LOCAL plan_cache_mode = force_custom_plan"))
# The stock alone is locked: a template never changes once it can be claimed.
LOCK_TEMPLATE_STOCK = Statement(
    "lock_template_stock",
    sa.select(templates, template_stock.c.total, template_stock.c.remaining)
    .join_from(templates, template_stock, templates.c.id == template_stock.c.template_id)
    .where(templates.c.id == _ID, sa.or_(_IS_PUBLISHED, _MANAGED))
    .with_for_update(of=template_stock),
)
CLAIMED_COUNTS = Statement(
    "claimed_counts",
    sa.select(
        coupons.c.member_id,
        sa.func.count().label("total"),
        sa.func.count().filter(coupons.c.claimed_on == sa.bindparam("today", type_=sa.Date)).label("today"),
        sa.func.max(coupons.c.ordinal).label("last_ordinal"),
    )
    .where(
        coupons.c.member_id == sa.any_(sa.bindparam("member_ids", type_=pg.ARRAY(sa.Uuid))),
        coupons.c.template_id == _ID,
        within_scope(member=coupons.c.member_id),
    )
    .group_by(coupons.c.member_id),
)
_OWN = ("member_id", "id", "ordinal", "code")
# What all coupons of a set share, since they are of one template and one instant.
_SHARED = (
    "template_id", "merchant_id", "state", "kind", "terms", "claimed_at", "claimed_on", "valid_from", "valid_until",
)  # fmt: skip
ADD_COUPONS = Statement(
    "add_coupons",
    insert_rows(
        coupons,
        _OWN,
        member="member_id",
        constants={name: sa.bindparam(name, type_=coupons.c[name].type) for name in _SHARED},
    ),
)
TAKE_FROM_STOCK = Statement(
    "take_from_stock",
    sa.update(template_stock)
    .where(template_stock.c.template_id == _ID, template_stock.c.remaining >= _COUNT)
    .values(remaining=template_stock.c.remaining - _COUNT),
)
OVERDUE_COUPONS = Statement(
    "overdue_coupons",
    sa.select(coupons.c.member_id, coupons.c.id)
    .where(_IS_CLAIMED, coupons.c.valid_until <= _NOW, within_scope(member=coupons.c.member_id))
    .order_by(coupons.c.valid_until)
    .limit(sa.bindparam("limit", type_=sa.Integer)),
)
_due = arrays("due", {"member_id": sa.Uuid(), "id": sa.Uuid()})
EXPIRE_COUPONS = Statement(
    "expire_coupons",
    sa.update(coupons)
    .where(
        coupons.c.member_id == _due.c.member_id,
        coupons.c.id == _due.c.id,
        _IS_CLAIMED,
        coupons.c.valid_until <= _NOW,
        within_scope(member=coupons.c.member_id),
    )
    .values(state=sa.literal_column("'EXPIRED'"))
    .returning(coupons.c.member_id, coupons.c.id),
)


class SqlTemplates:
    """Templates in one transaction, within one scope."""

    def __init__(self, connection: Conn, *, scope: Scope, now: datetime) -> None:
        self._connection = connection
        self._scope = scope_params(scope)
        self._now = now

    async def add(self, template: CouponTemplate, *, stock: int) -> None:
        """Stores a draft with its stock."""
        rows = columns_of([template_row(template)], TEMPLATE_COLUMNS)
        stored = await ADD_TEMPLATE.execute(self._connection, {**rows, "now": self._now, **self._scope})
        assert stored == 1, "who may write a merchant's templates was decided before"
        await ADD_TEMPLATE_STOCK.execute(self._connection, {"template_id": template.id, "count": stock})

    async def lock_or_none(self, template_id: TemplateId) -> CouponTemplate | None:
        """The template, locked; none when there is none that the scope manages."""
        row = await LOCK_TEMPLATE.row(self._connection, {"template_id": template_id, **self._scope})
        return None if row is None else template_of(row)

    async def publish(self, template_id: TemplateId) -> None:
        """Publishes a draft that was locked."""
        params = {"template_id": template_id, "now": self._now, **self._scope}
        published = await PUBLISH_TEMPLATE.execute(self._connection, params)
        assert published == 1, "the draft was locked under the same scope"

    async def known_merchants(self, merchant_ids: Collection[MerchantId]) -> frozenset[MerchantId]:
        """Those of the merchants that there are."""
        if not merchant_ids:
            return frozenset()
        rows = await KNOWN_MERCHANTS.fetch(self._connection, {"ids": list(merchant_ids)})
        return frozenset(MerchantId(row["id"]) for row in rows)

    async def merchants_of_stores(self, store_ids: Collection[StoreId]) -> Mapping[StoreId, MerchantId]:
        """Whose the stores are; a store that there is not is not in it."""
        rows = await MERCHANTS_OF_STORES.fetch(self._connection, {"ids": list(store_ids)})
        return {StoreId(row["id"]): MerchantId(row["merchant_id"]) for row in rows}


class SqlCoupons:
    """Coupons in one transaction, within one scope."""

    def __init__(self, connection: Conn, *, scope: Scope, now: datetime) -> None:
        self._connection = connection
        self._scope = scope_params(scope)
        self._now = now

    async def plan_afresh(self) -> None:
        """Has the statements of this transaction planned for their values."""
        await PLAN_AFRESH.execute(self._connection, {})

    async def lock_template_stock(self, template_id: TemplateId) -> LockedTemplate | None:
        """The template with its stock, which is locked until the transaction ends."""
        row = await LOCK_TEMPLATE_STOCK.row(self._connection, {"template_id": template_id, **self._scope})
        if row is None:
            return None
        return LockedTemplate(template_of(row), Stock(total=row["total"], remaining=row["remaining"]))

    async def claimed_counts(
        self, template_id: TemplateId, *, member_ids: Collection[MemberId], on: date
    ) -> Mapping[MemberId, ClaimedCount]:
        """What these members have of the template; one that has none is not in it."""
        params = {"template_id": template_id, "member_ids": list(member_ids), "today": on, **self._scope}
        rows = await CLAIMED_COUNTS.fetch(self._connection, params)
        return {row["member_id"]: ClaimedCount(row["total"], row["today"], row["last_ordinal"]) for row in rows}

    async def add(self, added: Sequence[Coupon]) -> None:
        """Stores coupons of one template and one instant."""
        first = added[0]
        assert all(c.template_id == first.template_id and c.claimed_at == first.claimed_at for c in added)
        params = {
            "member_id": [c.member_id for c in added],
            "id": [c.id for c in added],
            "ordinal": [c.ordinal for c in added],
            "code": [c.code for c in added],
            "template_id": first.template_id,
            "merchant_id": first.merchant_id,
            "state": "CLAIMED",
            "kind": first.kind,
            "terms": first.coupon_kind.terms_to_json(first.terms),
            "claimed_at": first.claimed_at,
            "claimed_on": first.claimed_on,
            "valid_from": first.valid_from,
            "valid_until": first.valid_until,
            **self._scope,
        }
        stored = await ADD_COUPONS.execute(self._connection, params)
        assert stored == len(added), "every coupon is stored: its member is within the scope"

    async def take_from_stock(self, template_id: TemplateId, *, count: int) -> None:
        """Takes so many from a stock that is locked and has them."""
        taken = await TAKE_FROM_STOCK.execute(self._connection, {"template_id": template_id, "count": count})
        assert taken == 1, "the stock was locked and had as many"

    async def overdue(self, *, limit: int) -> Sequence[CouponKey]:
        """Claimed coupons whose time is over, the longest overdue first, not locked."""
        params = {"now": self._now, "limit": limit, **self._scope}
        rows = await OVERDUE_COUPONS.fetch(self._connection, params)
        return [CouponKey(MemberId(row["member_id"]), CouponId(row["id"])) for row in rows]

    async def expire(self, keys: Sequence[CouponKey]) -> Sequence[CouponKey]:
        """Moves those that are still claimed and overdue to EXPIRED; returns them."""
        params = {
            "member_id": [key.member_id for key in keys],
            "id": [key.coupon_id for key in keys],
            "now": self._now,
            **self._scope,
        }
        rows = await EXPIRE_COUPONS.fetch(self._connection, params)
        return [CouponKey(MemberId(row["member_id"]), CouponId(row["id"])) for row in rows]
