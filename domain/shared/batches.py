"""A batch: one write of many rows, each in a transaction of its own, that goes on where it stopped.

Its key and its input are noted before the first row, in a transaction of their own, so that another batch under the key
is refused before it does anything. A row's outcome is kept in the transaction of its effect: of several that hand in
one batch at once, or one after the other, one decides a row, and the others find it decided.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from domain.shared.events import JSON
from domain.shared.idempotency import Once


class RowKept(Exception):
    """The row has an outcome already, or its batch is over: what this transaction did for it must go."""


@dataclass(frozen=True, slots=True)
class BegunBatch:
    """A batch as far as it is done: the outcomes of its first rows, in the order in which they were given."""

    input_hash: bytes
    outcomes: tuple[Mapping[str, JSON], ...] = ()


class Batches(Protocol):
    """Batches, each its caller's, under the key of its mutation."""

    async def start(self, once: Once, *, total: int) -> BegunBatch:
        """Notes a batch of which nothing is done; one that is noted already is answered as far as it is done."""
        ...

    async def keep(self, once: Once, *, place: int, outcome: Mapping[str, JSON]) -> None:
        """Keeps the outcome of the row at this place, which is the next; raises `RowKept` where that is not so."""
        ...

    async def end(self, once: Once) -> None:
        """Forgets the outcomes of a batch, which its receipt has from now on; the batch itself stays noted."""
        ...


class HasBatches(Protocol):
    """A transaction that can note batches."""

    @property
    def batches(self) -> Batches:
        """The batches."""
        ...
