"""Lists whose items are known by column: the answer is that of the items, which are made only where they are needed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import orjson
import pytest
import strawberry

from execution import Executor

TITLES = ("one", "two", "three")
DAY = datetime(2026, 1, 1, tzinfo=UTC)


@strawberry.enum
class Binding(Enum):
    CLOTH = 1
    PAPER = 2
    LEATHER = strawberry.enum_value(3, name="HIDE")


@dataclass
class World:
    """What there is in each column, which columns are there, and how many books were made."""

    columns: dict[str, Sequence[Any]]
    made: int = 0
    publisher_calls: int = 0
    edition: Any = field(default_factory=type("Edition", (), {}))


@strawberry.type
class Publisher:
    name: str

    def fragment_key(self, _context: World) -> str:
        return self.name


@strawberry.type
class Book:
    row: strawberry.Private[dict[str, Any]]
    publisher_id: strawberry.Private[str]

    @property
    def values(self) -> Any:
        return type("Values", (), self.row)

    title: str = strawberry.field(resolver=lambda self: self.row["title"], metadata={"reads": "values.title"})
    pages: int | None = strawberry.field(resolver=lambda self: self.row["pages"], metadata={"reads": "values.pages"})
    lent: bool = strawberry.field(resolver=lambda self: self.row["lent"], metadata={"reads": "values.lent"})
    since: datetime = strawberry.field(resolver=lambda self: self.row["since"], metadata={"reads": "values.since"})
    binding: Binding = strawberry.field(resolver=lambda self: self.row["binding"], metadata={"reads": "values.binding"})
    subtitle: str | None = strawberry.field(
        resolver=lambda self: self.row["subtitle"], metadata={"reads": "values.subtitle"}
    )

    @strawberry.field
    def shout(self) -> str:
        return str(self.row["title"]).upper()

    @strawberry.field(metadata={"kept": ("publisher_id", lambda world: world.edition)})  # type: ignore[untyped-decorator]
    def publisher(self, info: strawberry.Info[World, None]) -> Publisher:
        info.context.publisher_calls += 1
        return Publisher(name=self.publisher_id)


@strawberry.type
class Edge:
    node: Book


class ByColumn:
    def __init__(self, world: World) -> None:
        self.world = world

    def column(self, attribute: str) -> Sequence[Any] | None:
        return self.world.columns.get(attribute.removeprefix("values."))


@strawberry.type
class Shelf:
    world: strawberry.Private[World]

    @property
    def columns(self) -> ByColumn | None:
        return ByColumn(self.world) if self.world.columns else None

    @property
    def made(self) -> list[Book]:
        world = self.world
        world.made += 1
        names = ("title", "pages", "lent", "since", "binding", "subtitle")
        rows = zip(*(world.columns.get(name, COLUMNS[name]) for name in names), strict=True)
        publishers = COLUMNS["publisher_id"]
        return [
            Book(row=dict(zip(names, row, strict=True)), publisher_id=publisher)
            for row, publisher in zip(rows, publishers, strict=False)
        ]

    books: list[Book] = strawberry.field(
        resolver=lambda self: self.made,
        metadata={"reads": "made", "columns": "columns"},
    )
    edges: list[Edge] = strawberry.field(
        resolver=lambda self: [Edge(node=book) for book in self.made],
        metadata={"wraps": ("made", "node"), "columns": "columns"},
    )


@strawberry.type
class Query:
    @strawberry.field
    def shelf(self, info: strawberry.Info[World, None]) -> Shelf:
        return Shelf(world=info.context)


COLUMNS: dict[str, Sequence[Any]] = {
    "title": TITLES,
    "pages": (100, None, 300),
    "lent": (True, False, True),
    "since": (DAY, DAY, DAY),
    "binding": (Binding.CLOTH, Binding.PAPER, Binding.LEATHER),
    "subtitle": (None, "sub", None),
    "publisher_id": ("a", "b", "a"),
}
SCHEMA = strawberry.Schema(Query)
COMPILED = Executor(SCHEMA, fragments=lambda data: orjson.Fragment(orjson.dumps(data)))
REFERENCE = Executor(SCHEMA, mode="reference")


async def both(document: str, world: World) -> tuple[bytes, int]:
    """The answer, the same from both executors, and how often the items were made for the compiled one."""
    compiled = await COMPILED.execute(COMPILED.prepare(document), context=world)
    made = world.made
    reference = await REFERENCE.execute(REFERENCE.prepare(document), context=world)
    answer = orjson.dumps(compiled.response)
    assert answer == orjson.dumps(reference.response)
    return answer, made


@pytest.mark.parametrize(
    "document",
    [
        "{ shelf { books { title } } }",
        "{ shelf { books { __typename it: title also: title lent since binding } } }",
        "{ shelf { edges { node { title subtitle } } } }",
        "{ shelf { edges { __typename node { __typename title } again: node { since } } } }",
        "query($w: Boolean = true) { shelf { ... on Shelf { books { lent title @include(if: $w) } } } }",
    ],
)
async def test_what_is_asked_of_each_alike_is_had_without_the_items(document: str) -> None:
    _, made = await both(document, World(COLUMNS))
    assert made == 0


@pytest.mark.parametrize("document", ["{ shelf { books { shout } } }", "{ shelf { edges { node { title shout } } } }"])
async def test_what_only_an_item_can_tell_is_had_of_the_items(document: str) -> None:
    _, made = await both(document, World(COLUMNS))
    assert made == 1


async def test_without_columns_the_items_are_asked() -> None:
    _, made = await both("{ shelf { books { title } } }", World({}))
    assert made == 1


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("title", ("one", 2, "three")),
        ("title", ("one", None, "three")),
        ("title", ("one", ValueError("broken"), "three")),
        ("since", (DAY, None, DAY)),
        ("since", (DAY, "yesterday", DAY)),
        ("pages", (1, 2**40, 3)),
        ("pages", (1, None, 3)),
        ("binding", (Binding.CLOTH, None, "x")),
        ("lent", (1, True, False)),
        ("subtitle", (None, 5, "x")),
    ],
)
async def test_a_column_with_an_odd_value_is_answered_as_its_items_are(name: str, values: Sequence[Any]) -> None:
    for document in (f"{{ shelf {{ books {{ title {name} }} }} }}", f"{{ shelf {{ edges {{ node {{ {name} }} }} }} }}"):
        _, made = await both(document, World({**COLUMNS, name: values}))
        assert made == 1


async def test_a_column_that_is_not_there_is_had_of_the_items() -> None:
    columns = {name: values for name, values in COLUMNS.items() if name != "title"}
    _, made = await both("{ shelf { books { title lent } } }", World(columns))
    assert made == 1


async def test_columns_of_different_lengths_are_not_trusted() -> None:
    columns = {**COLUMNS, "publisher_id": ("a", "b")}
    document = "{ shelf { books { title publisher { name } } } }"
    world = World(columns)
    for _ in range(2):
        await COMPILED.execute(COMPILED.prepare(document), context=world)
    assert world.made == 2


async def test_a_list_of_nothing_is_a_list_of_nothing() -> None:
    answer, made = await both("{ shelf { books { title since } } }", World(dict.fromkeys(COLUMNS, ())))
    assert (orjson.loads(answer), made) == ({"data": {"shelf": {"books": []}}}, 0)


async def test_what_is_kept_serialised_is_found_by_its_column_once_it_is_kept() -> None:
    world = World(COLUMNS)
    for made in (1, 1, 1):
        result = await COMPILED.execute(
            COMPILED.prepare("{ shelf { edges { node { title publisher { name } } } } }"), context=world
        )
        nodes = [edge["node"] for edge in orjson.loads(orjson.dumps(result.response))["data"]["shelf"]["edges"]]
        assert [node["publisher"]["name"] for node in nodes] == ["a", "b", "a"]
        assert (world.made, world.publisher_calls) == (made, 2)
