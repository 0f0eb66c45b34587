"""Trusted documents: the texts that production may be told to run alone, by their SHA-256."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import sqlalchemy as sa

from persistence.base import Statement, columns_of, insert_rows, metadata

if TYPE_CHECKING:
    from asyncpg import Pool, Record

documents = sa.Table(
    "documents",
    metadata,
    sa.Column("hash", sa.Text, primary_key=True, comment="SHA-256 of the text in UTF-8, 64 hexadecimal digits."),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("added_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.CheckConstraint("hash ~ '^[0-9a-f]{64}$'", name="hash_is_sha256"),
    info={"owner": "system"},
    comment="Documents that clients may name by their hash.",
)

DOCUMENT_BY_HASH = Statement(
    "document_by_hash", sa.select(documents.c.text).where(documents.c.hash == sa.bindparam("hash"))
)
ADD_DOCUMENTS = Statement(
    "add_documents",
    insert_rows(documents, ["hash", "text"])
    .on_conflict_do_nothing(index_elements=["hash"])
    .returning(documents.c.hash),
)


class SqlDocuments:
    """The table, behind the two questions that are asked of it."""

    def __init__(self, pool: "Pool[Record]") -> None:
        self._pool = pool

    async def find(self, digest: str) -> str | None:
        """The text of a hash, or None."""
        async with self._pool.acquire() as connection:
            found: str | None = await DOCUMENT_BY_HASH.value(connection, {"hash": digest})
        return found

    async def add(self, texts: Mapping[str, str]) -> int:
        """Adds texts by their hash; those already known stay as they are. How many were new."""
        rows = [{"hash": digest, "text": text} for digest, text in sorted(texts.items())]
        async with self._pool.acquire() as connection:
            added = await ADD_DOCUMENTS.fetch(connection, columns_of(rows, ["hash", "text"]))
        return len(added)
