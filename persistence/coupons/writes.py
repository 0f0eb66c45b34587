"""Templates and coupons written: one plain statement per table, whatever the size of the set."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.coupons.model import ClaimedCount, CouponKey, CouponTemplate, Issue, LockedTemplate, Stock, code_of
from domain.coupons.offer import CouponState
from domain.coupons.ports import ClaimHistory
from domain.shared.idempotency import Once, Receipt
from domain.shared.ids import CouponId, MemberId, MerchantId, StoreId, TemplateId
from domain.shared.principal import Scope
from persistence.base import (
    Conn,
    Statement,
    array_text,
    arrays,
    columns_of,
    current_instant,
    first_of_month,
    insert_rows,
    monday_of,
    scope_params,
    within_scope,
)
from persistence.campaigns.tables import campaigns
from persistence.coupons.rows import (
    CAMPAIGN_STANDING,
    TEMPLATE_COLUMNS,
    campaign_standing_of,
    template_of,
    template_row,
)
from persistence.coupons.standings import held_of_campaign
from persistence.coupons.tables import coupons, template_stock, templates
from persistence.idempotency import ASKED_RECEIPTS, ONE_RECEIPT, RECEIPT, receipt_of
from persistence.merchants.tables import merchants, stores

_ID = sa.bindparam("template_id", type_=sa.Uuid)
_NOW = sa.bindparam("now", type_=sa.DateTime(timezone=True))
_CAMPAIGN = sa.bindparam("campaign_id", type_=sa.Uuid)
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

# The stock alone is locked: a template never changes once it can be claimed. Its campaign is read as it stood when this
# statement began, not when it got the lock: a claim that began before a pause was committed may pass, as one that was
# committed just before it. To lock the campaign too would have the claims of all its templates wait for each other.
LOCK_TEMPLATE_STOCK = Statement(
    "lock_template_stock",
    sa.select(
        templates,
        template_stock.c.total,
        template_stock.c.remaining,
        *CAMPAIGN_STANDING,
        current_instant().label("at"),
    )
    .select_from(
        templates.join(template_stock, templates.c.id == template_stock.c.template_id).outerjoin(
            campaigns, campaigns.c.id == templates.c.campaign_id
        )
    )
    .where(templates.c.id == _ID, sa.or_(_IS_PUBLISHED, _MANAGED))
    .with_for_update(of=template_stock),
)


_COUNTED: Final = ("total", "today", "last_ordinal")
_COUNTED_WIDELY: Final = (*_COUNTED, "this_week", "this_month", "in_campaign")


def _claim_history(counted_as: Sequence[str], *, with_stock: bool = False) -> sa.CompoundSelect[Any]:
    """One statement of three parts, so that a set pays one round trip: receipts, counts, and the instant.

    Each is asked for by itself (LATERAL), so that there is no plan but to look it up by its key: see `begin_set`.
    Weeks, months and the campaign are counted only where a limit asks for them, and what is left of the stock is told
    where it was not locked before.
    """
    left = sa.select(template_stock.c.remaining).where(template_stock.c.template_id == _ID).scalar_subquery()
    stock = [left.label("remaining")] if with_stock else []
    no_stock = [sa.cast(sa.null(), sa.BigInteger).label("remaining") for _ in stock]
    now = current_instant()
    kept = sa.select(
        *ONE_RECEIPT.c, *(sa.null().label(name) for name in counted_as), now.label("read_at"), *no_stock
    ).join_from(ASKED_RECEIPTS, ONE_RECEIPT, sa.true())
    members = arrays("members", {"member_id": sa.Uuid()})
    today = sa.cast(sa.func.timezone(sa.bindparam("zone", type_=sa.Text), now), sa.Date)
    counts = {
        "total": sa.func.count(),
        "today": sa.func.count().filter(coupons.c.claimed_on == today),
        "last_ordinal": sa.func.max(coupons.c.ordinal),
        "this_week": sa.func.count().filter(coupons.c.claimed_on >= monday_of(today)),
        "this_month": sa.func.count().filter(coupons.c.claimed_on >= first_of_month(today)),
        "in_campaign": held_of_campaign(member_id=members.c.member_id, campaign_id=_CAMPAIGN),
    }
    held = (
        sa.select(*(counts[name].label(name) for name in counted_as))
        .where(
            coupons.c.member_id == members.c.member_id,
            coupons.c.template_id == _ID,
            within_scope(member=coupons.c.member_id),
        )
        .lateral("held")
    )
    some = [held.c[name] > sa.literal_column("0") for name in counted_as if name in {"total", "in_campaign"}]
    counted = (
        sa.select(members.c.member_id, *(sa.null() for _ in RECEIPT[1:]), *held.c, now, *no_stock)
        .join_from(members, held, sa.true())
        .where(sa.or_(*some))
    )
    instant = sa.select(*(sa.null() for _ in (*RECEIPT, *counted_as)), now, *stock)
    return sa.union_all(kept, counted, instant)


CLAIM_HISTORY = Statement("claim_history", _claim_history(_COUNTED))
WIDE_CLAIM_HISTORY = Statement("wide_claim_history", _claim_history(_COUNTED_WIDELY))
SOLD_OUT_HISTORY = Statement("sold_out_history", _claim_history(_COUNTED, with_stock=True))
WIDE_SOLD_OUT_HISTORY = Statement("wide_sold_out_history", _claim_history(_COUNTED_WIDELY, with_stock=True))
# What all coupons of a set share, since they are of one template and one instant.
_SHARED = (
    "template_id", "merchant_id", "state", "kind", "terms", "claimed_at", "claimed_on", "valid_from", "valid_until",
    "balance_minor",
)  # fmt: skip
ADD_COUPONS = Statement(
    "add_coupons",
    insert_rows(
        coupons,
        ("member_id", "id", "ordinal", "code"),
        member="member_id",
        constants={name: sa.bindparam(name, type_=coupons.c[name].type) for name in _SHARED},
        as_text=("ordinal", "code"),
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
    """Coupons in one transaction, within one scope; `now` None is PostgreSQL's own instant of it."""

    def __init__(self, connection: Conn, *, scope: Scope, now: datetime | None, zone: ZoneInfo) -> None:
        self._connection = connection
        self._scope = scope_params(scope)
        self._now = now
        self._zone = zone

    async def lock_template_stock(self, template_id: TemplateId) -> LockedTemplate | None:
        """The template with its stock, which is locked until the transaction ends."""
        params = {"template_id": template_id, "now": self._now, **self._scope}
        row = await LOCK_TEMPLATE_STOCK.row(self._connection, params)
        if row is None:
            return None
        stock = Stock(total=row["total"], remaining=row["remaining"])
        return LockedTemplate(template_of(row), campaign_standing_of(row), stock, row["at"])

    async def claim_history(
        self,
        template_id: TemplateId,
        *,
        member_ids: Collection[MemberId],
        onces: Sequence[Once] = (),
        template: CouponTemplate | None = None,
        with_stock: bool = False,
    ) -> ClaimHistory:
        """What these members have of the template, and the receipts of these claims, which are of one mutation."""
        mutation = onces[0].mutation if onces else ""
        assert all(once.mutation == mutation for once in onces), "a set is of one mutation"
        params = {
            "template_id": template_id,
            "member_id": list(member_ids),
            "caller_id": [once.caller_id for once in onces],
            "key": array_text([once.key for once in onces]),
            "mutation": mutation,
            "zone": self._zone.key,
            "now": self._now,
            **self._scope,
        }
        wide = template is not None and template.counts_widely
        if template is not None and wide:
            params["campaign_id"] = template.campaign_id
        counted = _COUNTED_WIDELY if wide else _COUNTED
        if with_stock:
            statement = WIDE_SOLD_OUT_HISTORY if wide else SOLD_OUT_HISTORY
        else:
            statement = WIDE_CLAIM_HISTORY if wide else CLAIM_HISTORY
        *rows, last = await statement.fetch(self._connection, params)
        receipts: dict[tuple[UUID, str, str], Receipt] = {}
        counts: dict[MemberId, ClaimedCount] = {}
        for row in rows:
            if row["key"] is None:
                # Of a member that has coupons of the campaign and none of the template there is no ordinal.
                counts[row["caller_id"]] = ClaimedCount(*[row[name] or 0 for name in counted])
            else:
                receipts[row["caller_id"], mutation, row["key"]] = receipt_of(row)
        return ClaimHistory(receipts, counts, last["read_at"], last["remaining"] if with_stock else None)

    async def add(self, issue: Issue) -> None:
        """Stores coupons of one template and one instant."""
        template = issue.template
        params = {
            "member_id": issue.member_ids,
            "id": issue.ids,
            "ordinal": array_text(issue.ordinals),
            "code": array_text([code_of(coupon_id) for coupon_id in issue.ids]),
            "template_id": template.id,
            "merchant_id": template.merchant_id,
            "state": CouponState.CLAIMED.value,
            "kind": template.kind,
            "terms": template.coupon_kind.terms_to_json(template.terms),
            "claimed_at": issue.claimed_at,
            "claimed_on": issue.claimed_on,
            "valid_from": issue.period.starts_at,
            "valid_until": issue.period.ends_at,
            "balance_minor": template.coupon_kind.balance(template.terms),
            **self._scope,
        }
        stored = await ADD_COUPONS.execute(self._connection, params)
        assert stored == len(issue), "every coupon is stored: its member is within the scope"

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
