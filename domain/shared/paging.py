"""Keyset pages: a list continues after the key of its last entry, so that any page costs what the first one does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item", covariant=True)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The first so many entries after a key; a key is the sort columns' values as text, ending in the id."""

    first: int
    after: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Entries with their keys, in order."""

    items: Sequence[Item]
    keys: Sequence[tuple[str, ...]]
    has_next: bool
    has_previous: bool
