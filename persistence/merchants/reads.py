"""Merchants and stores read, a batch at a time."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.merchants.model import Merchant, Store
from domain.shared.ids import MerchantId, StoreId
from domain.shared.paging import Page, PageRequest
from persistence.base import Row, Statement, arrays
from persistence.merchants.tables import merchants, stores
from persistence.paging import after_id, page_of
from persistence.unit_of_work import Database

_IDS = sa.bindparam("ids", type_=pg.ARRAY(sa.Uuid))
_AFTER = sa.bindparam("after", type_=sa.Uuid)
_LIMIT = sa.bindparam("limit", type_=sa.Integer)

MERCHANTS_BY_ID = Statement("merchants_by_id", sa.select(merchants).where(merchants.c.id == sa.any_(_IDS)))
STORES_BY_ID = Statement("stores_by_id", sa.select(stores).where(stores.c.id == sa.any_(_IDS)))
MERCHANTS_PAGE = Statement(
    "merchants_page",
    sa.select(merchants)
    .where(
        sa.or_(_IDS.is_(None), merchants.c.id == sa.any_(_IDS)),
        sa.or_(_AFTER.is_(None), merchants.c.id > _AFTER),
    )
    .order_by(merchants.c.id)
    .limit(_LIMIT),
)

_wanted = arrays("wanted", {"merchant_id": sa.Uuid()})
_page = (
    sa.select(stores)
    .where(stores.c.merchant_id == _wanted.c.merchant_id, sa.or_(_AFTER.is_(None), stores.c.id > _AFTER))
    .order_by(stores.c.id)
    .limit(_LIMIT)
    .lateral("page")
)
STORES_OF_MERCHANTS = Statement(
    "stores_of_merchants",
    sa.select(_page).select_from(_wanted.join(_page, sa.true())).order_by(_page.c.merchant_id, _page.c.id),
)


class SqlMerchantReads:
    """Reads of merchants and stores."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def merchants_by_id(self, merchant_ids: Sequence[MerchantId]) -> Mapping[MerchantId, Merchant]:
        """The merchants of these ids."""
        async with self._database.read() as connection:
            rows = await MERCHANTS_BY_ID.fetch(connection, {"ids": list(merchant_ids)})
        return {row["id"]: merchant_of(row) for row in rows}

    async def stores_by_id(self, store_ids: Sequence[StoreId]) -> Mapping[StoreId, Store]:
        """The stores of these ids."""
        async with self._database.read() as connection:
            rows = await STORES_BY_ID.fetch(connection, {"ids": list(store_ids)})
        return {row["id"]: store_of(row) for row in rows}

    async def stores_of(
        self, merchant_ids: Sequence[MerchantId], *, page: PageRequest
    ) -> Mapping[MerchantId, Page[Store]]:
        """The same page of each merchant's stores."""
        params = {"merchant_id": list(merchant_ids), "after": after_id(page), "limit": page.first + 1}
        async with self._database.read() as connection:
            rows = await STORES_OF_MERCHANTS.fetch(connection, params)
        by_merchant: defaultdict[MerchantId, list[Row]] = defaultdict(list)
        for row in rows:
            by_merchant[row["merchant_id"]].append(row)
        return {m: page_of(by_merchant[m], request=page, item=store_of, key=_key) for m in merchant_ids}

    async def merchants_within(self, merchant_ids: Sequence[MerchantId] | None, *, page: PageRequest) -> Page[Merchant]:
        """A page of these merchants; None means of all."""
        params = {
            "ids": None if merchant_ids is None else list(merchant_ids),
            "after": after_id(page),
            "limit": page.first + 1,
        }
        async with self._database.read() as connection:
            rows = await MERCHANTS_PAGE.fetch(connection, params)
        return page_of(rows, request=page, item=merchant_of, key=_key)


def _key(row: Row) -> tuple[str, ...]:
    return (str(row["id"]),)


def merchant_of(row: Row) -> Merchant:
    """A merchant from its row."""
    return Merchant(id=row["id"], external_ref=row["external_ref"], name=row["name"], created_at=row["created_at"])


def store_of(row: Row) -> Store:
    """A store from its row."""
    return Store(id=row["id"], merchant_id=row["merchant_id"], external_ref=row["external_ref"], name=row["name"])
