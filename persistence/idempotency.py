"""Receipts of writes that must happen once, committed with their effect. Kept for 180 days."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson
import sqlalchemy as sa
from asyncpg import LockNotAvailableError, UniqueViolationError

from domain.shared.errors import OperationInProgress
from domain.shared.events import JSON
from domain.shared.idempotency import PATIENCE_SECONDS, Once, Receipt, ReceiptExists, ReceiptUnderWay
from persistence.base import Conn, Row, Statement, array_text, arrays, insert_rows, metadata, of_key, parameters
from persistence.columns import document, instant, key, sealed, text
from persistence.sessions import lock_number

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

# What a receipt is made of, its caller first.
RECEIPT: Final = ("caller_id", "mutation", "key", "input_hash", "result", "committed_at")
_PARAMS = parameters(idempotency)

FIND_RECEIPT = Statement(
    "find_receipt", sa.select(idempotency).where(*of_key(idempotency, "caller_id", "mutation", "key"))
)
_LOCK = sa.bindparam("lock", type_=sa.BigInteger)
_key = sa.select(sa.func.pg_try_advisory_xact_lock(_LOCK).label("is_taken")).subquery("key_lock")
TAKE_KEY = Statement(
    "take_key",
    sa.select(_key.c.is_taken, *idempotency.c).select_from(
        _key.outerjoin(idempotency, sa.and_(*of_key(idempotency, "caller_id", "mutation", "key")))
    ),
)
_TIMEOUT: Final[sa.ColumnElement[str]] = sa.literal_column("'lock_timeout'")
_LOCAL: Final[sa.ColumnElement[bool]] = sa.literal_column("true")
_MOST = sa.bindparam("most", type_=sa.Text)
SET_PATIENCE = Statement(
    "set_patience",
    # What it is now is told before it is set: both stand in the order of the columns.
    sa.select(sa.func.current_setting(_TIMEOUT).label("before"), sa.func.set_config(_TIMEOUT, _MOST, _LOCAL)),
)
WAIT_FOR_KEY = Statement("wait_for_key", sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
LATEST_RECEIPT = Statement(
    "latest_receipt_of_key",
    sa.select(idempotency)
    .where(*of_key(idempotency, "caller_id", "key"))
    .order_by(idempotency.c.committed_at.desc())
    .limit(1),
)
ASKED_RECEIPTS = arrays("asked", {"caller_id": sa.Uuid(), "key": sa.Text()}, as_text=("key",))
# Each is asked for by itself (LATERAL), so that there is no plan but to look it up by its key.
ONE_RECEIPT = (
    sa.select(*(idempotency.c[name] for name in RECEIPT))
    .where(
        idempotency.c.caller_id == ASKED_RECEIPTS.c.caller_id,
        idempotency.c.mutation == _PARAMS["mutation"],
        idempotency.c.key == ASKED_RECEIPTS.c.key,
    )
    .limit(sa.literal_column("1"))
    .lateral("receipt")
)
FIND_RECEIPTS = Statement("find_receipts", sa.select(*ONE_RECEIPT.c).join_from(ASKED_RECEIPTS, ONE_RECEIPT, sa.true()))
_committed_at = sa.func.coalesce(_PARAMS["committed_at"], sa.func.now())
RECORD_RECEIPT = Statement("record_receipt", sa.insert(idempotency).values({**_PARAMS, "committed_at": _committed_at}))
RECORD_RECEIPTS = Statement(
    "record_receipts",
    insert_rows(
        idempotency,
        ("caller_id", "key", "input_hash", "result"),
        constants={"mutation": _PARAMS["mutation"], "committed_at": _committed_at},
        as_text=("key", "result"),
    ),
)


class SqlReceipts:
    """Receipts in the transaction of their effect; `now` None is PostgreSQL's own instant of it."""

    def __init__(self, connection: Conn, *, now: datetime | None) -> None:
        self._connection = connection
        self._now = now

    async def take(self, once: Once) -> Receipt | None:
        """The receipt; or None, and the key is this transaction's until it ends.

        The key of a write that is under way is waited for, for `PATIENCE_SECONDS`; the lock is no more than a place in
        the line: what makes a write happen once is the unique key of its receipt.
        """
        lock = lock_number(f"key {once.caller_id} {once.mutation} {once.key}")
        named = {"caller_id": once.caller_id, "mutation": once.mutation, "key": once.key, "lock": lock}
        row = await TAKE_KEY.row(self._connection, named)
        assert row is not None, "a row tells whether the lock was taken"
        if row["caller_id"] is not None:
            return receipt_of(row)
        if row["is_taken"]:
            return None
        patience = {"most": f"{round(PATIENCE_SECONDS * 1000)}ms"}
        before = await SET_PATIENCE.value(self._connection, patience)
        try:
            await WAIT_FOR_KEY.execute(self._connection, {"lock": lock})
        except LockNotAvailableError as late:
            raise OperationInProgress(once.key) from late
        await SET_PATIENCE.execute(self._connection, {"most": before})
        return await self.find(once)

    async def find(self, once: Once) -> Receipt | None:
        """The receipt under this caller, mutation and key, whatever its input."""
        row = await FIND_RECEIPT.row(
            self._connection, {"caller_id": once.caller_id, "mutation": once.mutation, "key": once.key}
        )
        return None if row is None else receipt_of(row)

    async def find_all(self, onces: Sequence[Once]) -> Mapping[tuple[UUID, str, str], Receipt]:
        """The receipts of a set of writes of one mutation, by `Once.place`."""
        if not onces:
            return {}
        mutation = onces[0].mutation
        assert all(once.mutation == mutation for once in onces), "a set is of one mutation"
        asked = {
            "caller_id": [once.caller_id for once in onces],
            "key": array_text([once.key for once in onces]),
            "mutation": mutation,
        }
        rows = await FIND_RECEIPTS.fetch(self._connection, asked)
        return {(row["caller_id"], mutation, row["key"]): receipt_of(row) for row in rows}

    async def record(self, once: Once, *, result: Mapping[str, JSON]) -> None:
        """Stores the receipt; raises `ReceiptExists` when the key is taken, `OperationInProgress` while it may be."""
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
        # Whoever has stored it without having taken the key, as another version of this programme.
        except LockNotAvailableError as late:
            raise OperationInProgress(once.key) from late

    async def record_all(self, results: Sequence[tuple[Once, Mapping[str, JSON]]]) -> None:
        """Stores the receipts of a set of writes of one mutation.

        Raises `ReceiptExists` when a key is taken, `ReceiptUnderWay` while it may be.
        """
        if not results:
            return
        mutation = results[0][0].mutation
        assert all(once.mutation == mutation for once, _ in results), "a set is of one mutation"
        # In the order of the key, so that two sets that share keys meet at the same one first.
        ordered = sorted(results, key=lambda pair: (pair[0].caller_id.int, pair[0].key))
        params = {
            "caller_id": [once.caller_id for once, _ in ordered],
            "key": array_text([once.key for once, _ in ordered]),
            "input_hash": [once.input_hash for once, _ in ordered],
            "result": array_text([orjson.dumps(result).decode() for _, result in ordered]),
            "mutation": mutation,
            "committed_at": self._now,
        }
        try:
            await RECORD_RECEIPTS.execute(self._connection, params)
        except UniqueViolationError as taken:
            raise ReceiptExists from taken
        except LockNotAvailableError as late:
            raise ReceiptUnderWay from late


def receipt_of(row: Row) -> Receipt:
    """A row as a receipt."""
    result, at, digest = row["result"], row["committed_at"], row["input_hash"]
    assert isinstance(result, dict)
    assert isinstance(at, datetime)
    assert isinstance(digest, bytes)
    return Receipt(
        mutation=str(row["mutation"]), key=str(row["key"]), input_hash=digest, result=result, committed_at=at
    )
