"""What every slice needs of a transaction.

Each slice extends this with its own ports; one SQL unit of work satisfies them all.
"""

from datetime import datetime
from typing import Protocol

from domain.shared.events import Events
from domain.shared.idempotency import Receipts
from domain.shared.ids import Ids
from domain.shared.principal import Scope
from domain.shared.programme import Programme


class Transaction(Protocol):
    """One short database transaction under one scope. Leaving it by an exception rolls everything back."""

    @property
    def now(self) -> datetime:
        """The instant of this transaction, by the database's clock; the same for all that happens in it."""
        ...

    @property
    def scope(self) -> Scope:
        """Whose rows its statements may touch."""
        ...

    @property
    def programme(self) -> Programme:
        """Whose days and currency count."""
        ...

    @property
    def ids(self) -> Ids:
        """New identities."""
        ...

    @property
    def events(self) -> Events:
        """The streams of events."""
        ...

    @property
    def receipts(self) -> Receipts:
        """The receipts of writes that must happen once."""
        ...
