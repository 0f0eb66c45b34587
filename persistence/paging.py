"""Keyset pages from rows: one more row than asked for tells whether there is more."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar, overload
from uuid import UUID

from typing_extensions import override

from domain.shared.errors import BadUserInput
from domain.shared.paging import Page, PageRequest
from persistence.base import Row

Item = TypeVar("Item")
Of = TypeVar("Of")
Parent = TypeVar("Parent", bound=Hashable)


class Keys(Sequence[tuple[str, ...]], Generic[Of]):
    """The keys of a page's rows, each worked out when it is asked for."""

    __slots__ = ("_key", "_rows")

    def __init__(self, rows: Sequence[Of], key: Callable[[Of], tuple[str, ...]]) -> None:
        self._rows = rows
        self._key = key

    @overload
    def __getitem__(self, place: int) -> tuple[str, ...]: ...
    @overload
    def __getitem__(self, place: slice) -> "Keys[Of]": ...
    @override
    def __getitem__(self, place: int | slice) -> "tuple[str, ...] | Keys[Of]":
        if isinstance(place, slice):
            return Keys(self._rows[place], self._key)
        return self._key(self._rows[place])

    @override
    def __len__(self) -> int:
        return len(self._rows)


def page_of(
    rows: Sequence[Of],
    *,
    request: PageRequest,
    item: Callable[[Of], Item] | None,
    key: Callable[[Of], tuple[str, ...]],
) -> Page[Item]:
    """A page from up to `first + 1` rows in order; without `item` the rows are the items themselves."""
    shown: Any = rows[: request.first]
    return Page(
        items=shown if item is None else [item(row) for row in shown],
        keys=Keys(shown, key),
        has_next=len(rows) > request.first,
        has_previous=request.after is not None,
    )


def pages_of(
    rows: Sequence[Row],
    *,
    parents: Sequence[Parent],
    parent: Callable[[Row], Parent],
    request: PageRequest,
    item: Callable[[Row], Item],
    key: Callable[[Row], tuple[str, ...]],
) -> Mapping[Parent, Page[Item]]:
    """The same page of several parents, each parent's rows in order."""
    by_parent: defaultdict[Parent, list[Row]] = defaultdict(list)
    for row in rows:
        by_parent[parent(row)].append(row)
    return {p: page_of(by_parent[p], request=request, item=item, key=key) for p in parents}


def after_id(request: PageRequest) -> UUID | None:
    """The id that the page continues after, for lists ordered by id."""
    if request.after is None:
        return None
    try:
        (text,) = request.after
        return UUID(text)
    except ValueError:
        raise _foreign_cursor() from None


def after_instant_and_id(request: PageRequest) -> tuple[datetime | None, UUID | None]:
    """The instant and id that the page continues after, for lists ordered by time."""
    if request.after is None:
        return None, None
    try:
        instant, text = request.after
        at = datetime.fromisoformat(instant)
        if at.tzinfo is None:
            raise _foreign_cursor()
        return at, UUID(text)
    except ValueError:
        raise _foreign_cursor() from None


def after_number_and_id(request: PageRequest) -> tuple[int | None, UUID | None]:
    """The number and id that the page continues after, for lists ordered by a number."""
    if request.after is None:
        return None, None
    try:
        number, text = request.after
        return int(number), UUID(text)
    except ValueError:
        raise _foreign_cursor() from None


def _foreign_cursor() -> BadUserInput:
    return BadUserInput("after is not a cursor of this list", path=["after"])


def after_sequence(request: PageRequest) -> int:
    """The number that the page continues after, for streams of events; 0 is before the first."""
    if request.after is None:
        return 0
    try:
        (text,) = request.after
        return int(text)
    except ValueError:
        raise _foreign_cursor() from None
