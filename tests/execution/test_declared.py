"""What a field may declare so that its plan does less: which attribute it reads, which list its items wrap."""

from dataclasses import dataclass

import orjson
import strawberry

from execution import Executor


@dataclass
class Row:
    title: str


made: list["Edge"] = []


def never_called(self: "Book") -> str:
    raise AssertionError("the plan reads it")


@strawberry.type
class Book:
    row: strawberry.Private[Row]

    title: str = strawberry.field(resolver=never_called, metadata={"reads": "row.title"})


@strawberry.type
class Edge:
    node: Book
    cursor: str


def edges_of(self: "Shelf") -> list[Edge]:
    edges = [Edge(node=book, cursor=str(place)) for place, book in enumerate(self.books)]
    made.extend(edges)
    return edges


@strawberry.type
class Shelf:
    books: list[Book]
    edges: list[Edge] = strawberry.field(resolver=edges_of, metadata={"wraps": ("books", "node")})


@strawberry.type
class Query:
    @strawberry.field
    def shelf(self, *, tuples: bool = False) -> Shelf:
        books = [Book(row=Row("one")), Book(row=Row("two"))]
        return Shelf(books=tuple(books) if tuples else books)  # type: ignore[arg-type]


EXECUTOR = Executor(strawberry.Schema(Query))


async def answer(document: str) -> tuple[object, int]:
    """The data, and how many edges were made for it."""
    made.clear()
    result = await EXECUTOR.execute(EXECUTOR.prepare(document))
    assert not result.errors
    return orjson.loads(orjson.dumps(result.data)), len(made)


async def test_a_field_that_says_which_attribute_it_reads_is_read_without_its_resolver() -> None:
    data, _ = await answer("{ shelf { books { title } } }")
    assert data == {"shelf": {"books": [{"title": "one"}, {"title": "two"}]}}


async def test_items_that_are_asked_for_what_they_wrap_alone_are_not_made() -> None:
    data, edges = await answer("{ shelf { edges { __typename it: node { title } } } }")
    expected = [{"__typename": "Edge", "it": {"title": title}} for title in ("one", "two")]
    assert (data, edges) == ({"shelf": {"edges": expected}}, 0)


async def test_items_that_are_asked_for_more_are_made() -> None:
    data, edges = await answer("{ shelf { edges { cursor node { title } } } }")
    expected = [{"cursor": str(place), "node": {"title": title}} for place, title in enumerate(("one", "two"))]
    assert (data, edges) == ({"shelf": {"edges": expected}}, 2)


async def test_what_is_no_list_is_left_to_the_resolver() -> None:
    data, edges = await answer("{ shelf(tuples: true) { edges { node { title } } } }")
    assert data == {"shelf": {"edges": [{"node": {"title": "one"}}, {"node": {"title": "two"}}]}}
    assert edges == 2
