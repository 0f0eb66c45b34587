"""Receipts of writes that must happen once, committed with their effect. Kept for 180 days."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from asyncpg import UniqueViolationError

from domain.shared.events import JSON
from domain.shared.idempotency import Once, Receipt, ReceiptExists
from persistence.base import Conn, Row, Statement, arrays, columns_of, insert_rows, metadata
from persistence.columns import document, instant, key, sealed, text

idempotency = sa.Table(
    "idempotency",
    metadata,
    key("caller_id"),
    text("mutation", primary=True),
    text("key", primary=True),
    sealed("input_hash", null=False),
    document("result"),
    instant("committed_at"),
    # Keyed by the caller itself: there is no row of another caller that a statement could name.
    info={"owner": "caller"},
)

_PARAMS = {n: sa.bindparam(n, type_=idempotency.c[n].type) for n in idempotency.c.keys()}  # noqa: SIM118 - a collection

FIND_RECEIPT = Statement(
    "find_receipt",
    sa.select(idempotency).where(
        idempotency.c.caller_id == _PARAMS["caller_id"],
        idempotency.c.mutation == _PARAMS["mutation"],
        idempotency.c.key == _PARAMS["key"],
    ),
)
LATEST_RECEIPT = Statement(
    "latest_receipt_of_key",
    sa.select(idempotency)
    .where(idempotency.c.caller_id == _PARAMS["caller_id"], idempotency.c.key == _PARAMS["key"])
    .order_by(idempotency.c.committed_at.desc())
    .limit(1),
)
RECORD_RECEIPT = Statement("record_receipt", sa.insert(idempotency).values(_PARAMS))
_asked = arrays("asked", {name: idempotency.c[name].type for name in ("caller_id", "mutation", "key")})
FIND_RECEIPTS = Statement(
    "find_receipts",
    sa.select(idempotency).join_from(
        _asked,
        idempotency,
        sa.and_(
            idempotency.c.caller_id == _asked.c.caller_id,
            idempotency.c.mutation == _asked.c.mutation,
            idempotency.c.key == _asked.c.key,
        ),
    ),
)
_COLUMNS = ("caller_id", "mutation", "key", "input_hash", "result")
RECORD_RECEIPTS = Statement(
    "record_receipts", insert_rows(idempotency, _COLUMNS, constants={"committed_at": _PARAMS["committed_at"]})
)


class SqlReceipts:
    """Receipts in the transaction of their effect."""

    def __init__(self, connection: Conn, *, now: datetime) -> None:
        self._connection = connection
        self._now = now

    async def find(self, once: Once) -> Receipt | None:
        """The receipt under this caller, mutation and key, whatever its input."""
        row = await FIND_RECEIPT.row(
            self._connection, {"caller_id": once.caller_id, "mutation": once.mutation, "key": once.key}
        )
        return None if row is None else receipt_of(row)

    async def record(self, once: Once, *, result: Mapping[str, JSON]) -> None:
        """Stores the receipt; raises `ReceiptExists` when the key is taken."""
        params = {
            "caller_id": once.caller_id,
            "mutation": once.mutation,
            "key": once.key,
            "input_hash": once.input_hash,
            "result": dict(result),
            "committed_at": self._now,
        }
        try:
            await RECORD_RECEIPT.execute(self._connection, params)
        except UniqueViolationError as taken:
            raise ReceiptExists from taken

    async def find_all(self, onces: Sequence[Once]) -> Mapping[tuple[UUID, str, str], Receipt]:
        """The receipts of a set of writes, by `Once.place`."""
        asked = {once.place for once in onces}
        params = {
            "caller_id": [caller for caller, _, _ in asked],
            "mutation": [mutation for _, mutation, _ in asked],
            "key": [key for _, _, key in asked],
        }
        rows = await FIND_RECEIPTS.fetch(self._connection, params)
        return {(row["caller_id"], row["mutation"], row["key"]): receipt_of(row) for row in rows}

    async def record_all(self, results: Sequence[tuple[Once, Mapping[str, JSON]]]) -> None:
        """Stores the receipts of a set of writes; raises `ReceiptExists` when one of the keys is taken."""
        if not results:
            return
        # In the order of the key, so that two sets that share keys meet at the same one first.
        ordered = sorted(results, key=lambda pair: (pair[0].caller_id.int, pair[0].key))
        rows = [
            {
                "caller_id": once.caller_id,
                "mutation": once.mutation,
                "key": once.key,
                "input_hash": once.input_hash,
                "result": dict(result),
            }
            for once, result in ordered
        ]
        params = {**columns_of(rows, _COLUMNS), "committed_at": self._now}
        try:
            await RECORD_RECEIPTS.execute(self._connection, params)
        except UniqueViolationError as taken:
            raise ReceiptExists from taken


def receipt_of(row: Row) -> Receipt:
    """A row as a receipt."""
    result, at, digest = row["result"], row["committed_at"], row["input_hash"]
    assert isinstance(result, dict)
    assert isinstance(at, datetime)
    assert isinstance(digest, bytes)
    return Receipt(
        mutation=str(row["mutation"]), key=str(row["key"]), input_hash=digest, result=result, committed_at=at
    )
