"""Keyset pages from rows: one more row than asked for tells whether there is more."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from domain.shared.errors import BadUserInput
from domain.shared.paging import Page, PageRequest
from persistence.base import Row

Item = TypeVar("Item")


def page_of(
    rows: Sequence[Row],
    *,
    request: PageRequest,
    item: Callable[[Row], Item],
    key: Callable[[Row], tuple[str, ...]],
) -> Page[Item]:
    """A page from up to `first + 1` rows in order."""
    shown = rows[: request.first]
    return Page(
        items=[item(row) for row in shown],
        keys=[key(row) for row in shown],
        has_next=len(rows) > request.first,
        has_previous=request.after is not None,
    )


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
