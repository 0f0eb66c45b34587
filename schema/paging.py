"""Relay connections over keyset pages."""

import base64
from collections.abc import Sequence
from typing import Annotated, Any, Generic, Protocol, TypeVar

import orjson
import strawberry

from domain.shared.errors import BadUserInput
from domain.shared.paging import Page, PageRequest

PAGE_SIZE_DEFAULT = 20
PAGE_SIZE_MAX = 100

First = Annotated[int | None, strawberry.argument(description=f"How many at most, 1 to {PAGE_SIZE_MAX}.")]
After = Annotated[str | None, strawberry.argument(description="The endCursor of the page before.")]

_FIRST_PAGES = {first: PageRequest(first=first) for first in range(1, PAGE_SIZE_MAX + 1)}

NodeT = TypeVar("NodeT")


class Columns(Protocol[NodeT]):
    """The nodes of a page by column. What is asked of them alike can be had without making any."""

    def column(self, attribute: str) -> Sequence[Any] | None:
        """What that attribute is of each node, in order; dots lead further. None: ask the nodes."""
        ...

    def nodes(self) -> list[NodeT]:
        """The nodes themselves."""
        ...


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether there is more after this page.")
    has_previous_page: bool = strawberry.field(description="Whether this page was asked for by a cursor.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first edge.")
    end_cursor: str | None = strawberry.field(description="The cursor of the last edge: give it to `after`.")


# Cursors, edges and the page's place are made when they are asked for.


def _cursor_of(self: "Edge[NodeT]") -> str:
    return _cursor(self.page.keys[self.place])


@strawberry.type(description="One entry of a list, with its place.")
class Edge(Generic[NodeT]):
    page: strawberry.Private[Page[object]]
    place: strawberry.Private[int]
    cursor: str = strawberry.field(resolver=_cursor_of, description="The place of this entry.")
    node: NodeT = strawberry.field(description="The entry.")


def _edges_of(self: "Connection[NodeT]") -> list[Edge[NodeT]]:
    return [Edge(page=self.page, place=place, node=node) for place, node in enumerate(self.made)]


def _nodes_of(self: "Connection[NodeT]") -> list[NodeT]:
    return self.made


def _page_info_of(self: "Connection[NodeT]") -> PageInfo:
    page = self.page
    return PageInfo(
        has_next_page=page.has_next,
        has_previous_page=page.has_previous,
        start_cursor=_cursor(page.keys[0]) if page.keys else None,
        end_cursor=_cursor(page.keys[-1]) if page.keys else None,
    )


@strawberry.type(description="A page of a list.")
class Connection(Generic[NodeT]):
    page: strawberry.Private[Page[object]]
    columns: strawberry.Private[Columns[NodeT] | None]
    listed: strawberry.Private[list[NodeT] | None]
    edges: list[Edge[NodeT]] = strawberry.field(
        resolver=_edges_of,
        description="The entries with their places.",
        metadata={"wraps": ("made", "node"), "columns": "columns"},
    )
    nodes: list[NodeT] = strawberry.field(
        resolver=_nodes_of,
        description="The entries, as a shortcut.",
        metadata={"reads": "made", "columns": "columns"},
    )
    page_info: PageInfo = strawberry.field(resolver=_page_info_of, description="Where the page stands.")

    @property
    def made(self) -> list[NodeT]:
        """The nodes: those that are known by column are made when they are first looked at."""
        listed = self.listed
        if listed is None:
            assert self.columns is not None, "a page has its nodes, or their columns"
            listed = self.listed = self.columns.nodes()
        return listed


def page_request(first: int | None, after: str | None) -> PageRequest:
    """What a client asked for; BAD_USER_INPUT names the argument that is wrong."""
    first = PAGE_SIZE_DEFAULT if first is None else first
    if not 1 <= first <= PAGE_SIZE_MAX:
        raise BadUserInput(f"first must be 1 to {PAGE_SIZE_MAX}, not {first}", path=["first"])
    return _FIRST_PAGES[first] if after is None else PageRequest(first=first, after=_read_cursor(after))


def connection(page: Page[object], *, nodes: list[NodeT]) -> Connection[NodeT]:
    """A page of the domain as a connection; `nodes` are its items, translated, in order."""
    return Connection(page=page, columns=None, listed=nodes)


def connection_of_columns(page: Page[object], columns: Columns[NodeT]) -> Connection[NodeT]:
    """A page of the domain whose items, translated, are known by column."""
    return Connection(page=page, columns=columns, listed=None)


def _cursor(key: tuple[str, ...]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(key)).rstrip(b"=").decode()


def _read_cursor(text: str) -> tuple[str, ...]:
    try:
        parts = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        parts = None
    if not isinstance(parts, list) or not all(isinstance(p, str) for p in parts):
        raise BadUserInput("after is not a cursor of this list", path=["after"])
    return tuple(parts)
