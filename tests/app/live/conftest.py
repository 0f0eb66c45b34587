"""The servers that tests of live push need, and may kill."""

from tests.live import database, valkey

__all__ = ["database", "valkey"]
