"""Batches in PostgreSQL: noted before their first row, and the outcomes of their rows until they have a receipt."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.shared.batches import BegunBatch, RowKept
from domain.shared.events import JSON
from domain.shared.idempotency import Once
from persistence.base import Conn, Statement, metadata, of_key, parameters
from persistence.columns import document, instant, key, sealed, text, whole


def progress() -> tuple[sa.schema.SchemaItem, ...]:
    """What is noted of any batch: its input, its rows, and how many of them are done.

    A batch is its caller's, who goes on with it under its key, as with a receipt.
    """
    return (
        sealed("input_hash", null=False),
        whole("total"),
        whole("done"),
        instant("started_at"),
        instant("changed_at"),
        sa.CheckConstraint("done >= 0 AND done <= total", name="done_within_total"),
    )


batches = sa.Table(
    "batches",
    metadata,
    key("caller_id"),
    text("mutation", primary=True),
    text("key", primary=True),
    *progress(),
    info={"owner": "caller"},
)
# What became of the row at each place of a batch that is not over.
batch_rows = sa.Table(
    "batch_rows",
    metadata,
    key("caller_id"),
    text("mutation", primary=True),
    text("key", primary=True),
    whole("place", primary=True),
    document("outcome"),
    info={"owner": "caller"},
)

BATCH_KEY: Final = ("caller_id", "mutation", "key")
_PLACE = sa.bindparam("place", type_=sa.BigInteger)
_NOW = sa.bindparam("now", type_=sa.DateTime(timezone=True))
_OF_BATCH = of_key(batches, *BATCH_KEY)
_ROWS_OF_BATCH = of_key(batch_rows, *BATCH_KEY)


def note(table: sa.Table) -> pg.Insert:
    """Notes a batch of which nothing is done; nothing happens where one is noted under its key."""
    given = {**parameters(table), "done": sa.literal_column("0"), "started_at": _NOW, "changed_at": _NOW}
    return pg.insert(table).values(given).on_conflict_do_nothing(index_elements=list(table.primary_key.columns.keys()))


START_BATCH = Statement("start_batch", note(batches))
BATCH = Statement("batch", sa.select(batches.c.input_hash).where(*_OF_BATCH))
ROWS_OF_BATCH = Statement(
    "rows_of_batch", sa.select(batch_rows.c.outcome).where(*_ROWS_OF_BATCH).order_by(batch_rows.c.place)
)
# Whoever keeps a row has the batch to itself until it commits; the next finds that the place is taken.
ADVANCE_BATCH = Statement(
    "advance_batch",
    sa.update(batches)
    .where(*_OF_BATCH, batches.c.done == _PLACE)
    .values(done=batches.c.done + sa.literal_column("1"), changed_at=_NOW),
)
ADD_BATCH_ROW = Statement("add_batch_row", sa.insert(batch_rows).values(parameters(batch_rows)))
END_BATCH = Statement("end_batch", sa.delete(batch_rows).where(*_ROWS_OF_BATCH))


class SqlBatches:
    """Batches in one transaction."""

    def __init__(self, connection: Conn, *, now: datetime) -> None:
        self._connection = connection
        self._now = now

    async def start(self, once: Once, *, total: int) -> BegunBatch:
        """Notes a batch of which nothing is done; one that is noted already is answered as far as it is done."""
        of_batch = _of(once)
        given = {"input_hash": once.input_hash, "total": total, "now": self._now}
        if await START_BATCH.execute(self._connection, {**of_batch, **given}):
            return BegunBatch(once.input_hash)
        batch = await BATCH.row(self._connection, of_batch)
        assert batch is not None, "a batch that stopped us is there to be read"
        rows = await ROWS_OF_BATCH.fetch(self._connection, of_batch)
        return BegunBatch(batch["input_hash"], tuple(row["outcome"] for row in rows))

    async def keep(self, once: Once, *, place: int, outcome: Mapping[str, JSON]) -> None:
        """Keeps the outcome of the row at this place, which is the next; raises `RowKept` where that is not so."""
        params = {**_of(once), "place": place}
        if await ADVANCE_BATCH.execute(self._connection, {**params, "now": self._now}) == 0:
            raise RowKept
        await ADD_BATCH_ROW.execute(self._connection, {**params, "outcome": dict(outcome)})

    async def end(self, once: Once) -> None:
        """Forgets the outcomes of a batch, which its receipt has from now on; the batch itself stays noted."""
        await END_BATCH.execute(self._connection, _of(once))


def _of(once: Once) -> dict[str, object]:
    return {"caller_id": once.caller_id, "mutation": once.mutation, "key": once.key}
