"""Trusted documents in PostgreSQL."""

import asyncpg
import pytest

from app.documents import digest_of
from persistence.documents import SqlDocuments
from persistence.engine import open_pool

HELLO, BYE = "query Hello { hello }", "query Bye { bye }"


async def test_documents_are_found_by_their_hash_once_they_are_added(database_url: str) -> None:
    pool = await open_pool(database_url, size=1)
    documents = SqlDocuments(pool)
    assert await documents.find(digest_of(HELLO)) is None
    assert await documents.add({digest_of(HELLO): HELLO, digest_of(BYE): BYE}) == 2
    assert await documents.find(digest_of(HELLO)) == HELLO
    await pool.close()


async def test_a_document_that_is_known_already_stays_as_it_is(database_url: str) -> None:
    pool = await open_pool(database_url, size=1)
    documents = SqlDocuments(pool)
    await documents.add({digest_of(HELLO): HELLO})
    assert await documents.add({digest_of(HELLO): HELLO, digest_of(BYE): BYE}) == 1
    assert await documents.add({}) == 0
    await pool.close()


async def test_a_hash_that_is_none_is_refused_by_the_table(database_url: str) -> None:
    pool = await open_pool(database_url, size=1)
    with pytest.raises(asyncpg.CheckViolationError):
        await SqlDocuments(pool).add({"sha256:abc": HELLO})
    await pool.close()
