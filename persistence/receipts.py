"""Receipts read by their own caller, outside any write."""

from uuid import UUID

from domain.shared.idempotency import Receipt
from persistence.idempotency import LATEST_RECEIPT, receipt_of
from persistence.unit_of_work import Database


class SqlReceiptReads:
    """Reads of receipts. The caller's id is part of the key: there is no way to name another's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def latest_of_key(self, *, caller_id: UUID, key: str) -> Receipt | None:
        """The newest receipt under this caller's key, whatever its mutation."""
        async with self._database.read() as connection:
            row = await LATEST_RECEIPT.row(connection, {"caller_id": caller_id, "key": key})
        return None if row is None else receipt_of(row)
