"""Merchants and stores written. They are catalogue: read by all; who may write is decided in the use-case and above."""

from datetime import datetime

import sqlalchemy as sa

from domain.merchants.model import Merchant, Store
from domain.shared.ids import MerchantId
from persistence.base import Conn, Statement, columns_of, insert_rows
from persistence.merchants.tables import merchants, stores

_MERCHANT = ("id", "external_ref", "name", "created_at")
_STORE = ("id", "merchant_id", "external_ref", "name", "created_at")

ADD_MERCHANT = Statement(
    "add_merchant", insert_rows(merchants, _MERCHANT).on_conflict_do_nothing(index_elements=["external_ref"])
)
ADD_STORE = Statement(
    "add_store", insert_rows(stores, _STORE).on_conflict_do_nothing(index_elements=["merchant_id", "external_ref"])
)
MERCHANT_EXISTS = Statement(
    "merchant_exists", sa.select(sa.literal(1)).where(merchants.c.id == sa.bindparam("id", type_=sa.Uuid))
)


class SqlMerchants:
    """Merchants in one transaction."""

    def __init__(self, connection: Conn, *, now: datetime) -> None:
        self._connection = connection
        self._now = now

    async def add(self, merchant: Merchant) -> bool:
        """Stores a merchant; False when its external reference is taken."""
        row = {
            "id": merchant.id,
            "external_ref": merchant.external_ref,
            "name": merchant.name,
            "created_at": merchant.created_at,
        }
        return await ADD_MERCHANT.execute(self._connection, columns_of([row], _MERCHANT)) == 1

    async def add_store(self, store: Store) -> bool:
        """Stores a store; False when its merchant has one of this external reference."""
        row = {
            "id": store.id,
            "merchant_id": store.merchant_id,
            "external_ref": store.external_ref,
            "name": store.name,
            "created_at": self._now,
        }
        return await ADD_STORE.execute(self._connection, columns_of([row], _STORE)) == 1

    async def exists(self, merchant_id: MerchantId) -> bool:
        """Whether there is such a merchant."""
        return await MERCHANT_EXISTS.value(self._connection, {"id": merchant_id}) is not None
