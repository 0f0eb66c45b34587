"""The servers that tests of live push need, and may kill."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.live import EventDatabase, Valkey, event_database, valkey_server


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[EventDatabase]:
    """A database with streams of events."""
    async with event_database(database_url) as made:
        yield made


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    """A Valkey of the test's own."""
    with valkey_server() as server:
        yield server
