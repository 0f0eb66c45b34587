"""Fields that say how they are loaded in batches: one call of the loader for each level, however many parents."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
import strawberry
from aiodataloader import DataLoader

from execution import Executor
from tests.execution.sameness import Pair

F = TypeVar("F")


def batched(*batch: object) -> Callable[[F], F]:
    decorator: Callable[[F], F] = strawberry.field(metadata={"batch": batch})
    return decorator


@dataclass
class Loads:
    """The context: loaders that remember what they were asked."""

    asked: list[tuple[str, list[Any]]] = field(default_factory=list)
    missing: frozenset[int] = frozenset()
    broken: bool = False
    in_one_call: bool = True

    def __post_init__(self) -> None:
        self.authors = self.loader("authors", lambda key: Author(id=key))
        self.shops = self.loader("shops", lambda key: {"shop": key})

    def loader(self, name: str, make: Callable[[int], Any]) -> Any:
        async def load(keys: Sequence[int]) -> list[Any]:
            self.asked.append((name, list(keys)))
            if self.broken:
                raise ConnectionError("no database")
            return [KeyError(f"no {name} {key}") if key in self.missing else make(key) for key in keys]

        return OneCall(load) if self.in_one_call else DataLoader(load)


class OneCall:
    """A loader that takes all keys of a level in one call, and serves single loads for the reference."""

    def __init__(self, load: Callable[[Sequence[int]], Any]) -> None:
        self.load_all = load
        self.load = DataLoader(load).load


@strawberry.type
class Shop:
    number: int


def make_shop(author: "Author", loaded: dict[str, int] | None, context: Loads) -> Shop | None:
    return None if loaded is None else Shop(number=loaded["shop"] + author.id * 10 + len(context.missing))


@strawberry.type
class Author:
    id: int

    @batched("id", lambda context: context.authors)
    async def self_again(self, info: strawberry.Info) -> "Author":
        return await info.context.authors.load(self.id)  # type: ignore[no-any-return]

    @batched("id", lambda context: context.shops, make_shop)
    async def shop(self, info: strawberry.Info) -> Shop | None:
        return make_shop(self, await info.context.shops.load(self.id), info.context)

    @strawberry.field
    async def slow(self) -> "Author":
        await asyncio.sleep(0)
        return self

    @strawberry.field
    def books(self) -> list["Book"]:
        return [Book(title=f"t{number}", author_id=number, holder=Holder(author_id=7)) for number in range(3)]


@dataclass
class Holder:
    author_id: int


@strawberry.type
class Book:
    title: str
    author_id: strawberry.Private[int | None]
    holder: strawberry.Private[Holder]

    @batched("author_id", lambda context: context.authors)
    async def author(self, info: strawberry.Info) -> Author:
        return await info.context.authors.load(self.author_id)  # type: ignore[no-any-return]

    @batched("author_id", lambda context: context.authors)
    async def maybe_author(self, info: strawberry.Info) -> Author | None:
        if self.author_id is None:
            return None
        return await info.context.authors.load(self.author_id)  # type: ignore[no-any-return]

    @batched("holder.author_id", lambda context: context.authors)
    async def held_by(self, info: strawberry.Info) -> Author | None:
        return await info.context.authors.load(self.holder.author_id)  # type: ignore[no-any-return]

    @batched(lambda book: len(book.title), lambda context: context.authors)
    async def by_length(self, info: strawberry.Info) -> Author | None:
        return await info.context.authors.load(len(self.title))  # type: ignore[no-any-return]


@strawberry.type
class Shelf:
    books: list[Book]
    maybe_books: list[Book | None]


def shelf(*author_ids: int | None) -> Shelf:
    made = [Book(title=f"t{number}", author_id=number, holder=Holder(author_id=9)) for number in author_ids]
    return Shelf(books=made, maybe_books=list(made))


@strawberry.type
class Query:
    @strawberry.field
    def shelves(self) -> list[Shelf]:
        return [shelf(1, 2, 1), shelf(), shelf(3, 2)]

    @strawberry.field
    async def slow_shelves(self) -> list[Shelf] | None:
        return [shelf(1, 2), shelf(3)]

    @strawberry.field
    async def slow_authors(self) -> list[Author]:
        return [Author(id=number) for number in range(4)]

    @strawberry.field
    def orphan(self) -> Shelf | None:
        return shelf(None)


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def reshelve(self) -> Shelf:
        return shelf(1, 2)


SCHEMA = strawberry.Schema(Query, Mutation)


async def asked(document: str, **loads: Any) -> tuple[Any, list[tuple[str, list[Any]]]]:
    executor, context = Executor(SCHEMA), Loads(**loads)
    result = await executor.execute(executor.prepare(document), {}, context)
    assert executor.counters.fallbacks.total() == 0
    return result.response, context.asked


async def test_one_level_is_one_call_with_every_key_once() -> None:
    response, loads = await asked("{ shelves { books { author { id } } } }")
    assert loads == [("authors", [1, 2, 3])]
    ids = [[book["author"]["id"] for book in one["books"]] for one in response["data"]["shelves"]]
    assert ids == [[1, 2, 1], [], [3, 2]]


async def test_each_further_level_is_one_call_more() -> None:
    document = "{ shelves { books { author { books { author { selfAgain { id } } } } } } }"
    _, loads = await asked(document)
    assert loads == [("authors", [1, 2, 3]), ("authors", [0, 1, 2]), ("authors", [0, 1, 2])]


async def test_two_fields_of_one_loader_share_the_call_and_two_loaders_are_asked_together() -> None:
    _, loads = await asked("{ shelves { books { author { shop { number } selfAgain { id } } heldBy { id } } } }")
    assert loads == [("authors", [1, 9, 2, 3]), ("shops", [1, 2, 3]), ("authors", [1, 2, 3])]


async def test_regions_side_by_side_ask_a_loader_together() -> None:
    document = "{ slowAuthors { slow { books { author { id shop { number } } } } } }"
    response, loads = await asked(document)
    assert loads == [("authors", [0, 1, 2]), ("shops", [0, 1, 2])]
    assert len(response["data"]["slowAuthors"]) == 4
    await Pair.of(SCHEMA).same(document, context=Loads)


async def test_a_resolver_that_waits_and_a_mutation_begin_regions_of_their_own() -> None:
    _, loads = await asked("{ slowShelves { books { author { id } } } shelves { books { author { id } } } }")
    assert {name for name, _ in loads} == {"authors"}
    assert {key for _, keys in loads for key in keys} == {1, 2, 3}
    assert len(loads) <= 2
    _, loads = await asked(
        "mutation { a: reshelve { books { author { id } } } b: reshelve { books { heldBy { id } } } }"
    )
    assert loads == [("authors", [1, 2]), ("authors", [9])]


DOCUMENTS = [
    "{ shelves { books { title author { id } maybeAuthor { id shop { number } } byLength { id } } } }",
    "{ slowShelves { books { author { books { author { id } title } } } } }",
    "{ slowShelves { maybeBooks { author { id } } } orphan { books { author { id } } } }",
    "{ orphan { books { maybeAuthor { id } } } shelves { maybeBooks { heldBy { id } author { id } } } }",
    "{ shelves { maybeBooks { author { selfAgain { selfAgain { shop { number } } } } } } }",
    "mutation { reshelve { maybeBooks { author { id shop { number } } heldBy { id } } } }",
]


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize(
    "loads", [{}, {"missing": frozenset({2})}, {"missing": frozenset({2, 9})}, {"broken": True}], ids=str
)
@pytest.mark.parametrize("in_one_call", [True, False])
async def test_answers_are_those_of_the_reference_also_where_loads_fail(
    document: str, loads: dict[str, Any], *, in_one_call: bool
) -> None:
    await Pair.of(SCHEMA).same(document, context=lambda: Loads(**loads, in_one_call=in_one_call))


async def test_a_null_where_none_may_be_rises_to_the_nearest_place_that_may_be_null() -> None:
    response, _ = await asked("{ shelves { maybeBooks { author { id } } } }", missing=frozenset({2}))
    assert [[book and book["author"]["id"] for book in one["maybeBooks"]] for one in response["data"]["shelves"]] == [
        [1, None, 1],
        [],
        [3, None],
    ]
    assert [error["path"] for error in response["errors"]] == [
        ["shelves", 0, "maybeBooks", 1, "author"],
        ["shelves", 2, "maybeBooks", 1, "author"],
    ]
    response, _ = await asked("{ shelves { books { author { id } } } }", missing=frozenset({2}))
    assert response["data"] is None
    assert len(response["errors"]) == 1


async def test_a_loader_that_fails_is_the_failure_of_each_field_that_asked_it() -> None:
    document = "{ shelves { books { maybeAuthor { id } heldBy { id } } } }"
    response, loads = await asked(document, broken=True)
    assert len(loads) == 1
    assert [error["message"] for error in response["errors"]] == ["no database"] * 10
    await Pair.of(SCHEMA).same(document, context=lambda: Loads(broken=True))


@strawberry.type
class Part:
    @batched(lambda _part: 1, lambda context: context)
    async def word(self, info: strawberry.Info) -> str:
        return await info.context.load(1)  # type: ignore[no-any-return]


@strawberry.type
class Item:
    number: int

    @strawberry.field
    async def part(self) -> Part:
        return Part()

    @strawberry.field
    async def failing(self) -> str:
        for _ in range(5):
            await asyncio.sleep(0)
        if self.number == 0:
            raise ValueError("while its sibling waits")
        return "fine"


@strawberry.type
class Items:
    @strawberry.field
    def items(self) -> list[Item | None]:
        return [Item(number=number) for number in range(2)]


async def test_a_load_that_parents_share_outlives_the_one_that_is_cancelled() -> None:
    async def load(keys: Sequence[int]) -> list[str]:
        await asyncio.sleep(0.01)
        return [f"word {key}" for key in keys]

    executor = Executor(strawberry.Schema(Items))
    plan = executor.prepare("{ items { part { word } failing } }")
    result = await executor.execute(plan, {}, DataLoader(load))
    assert result.data == {"items": [None, {"part": {"word": "word 1"}, "failing": "fine"}]}


async def test_the_plan_says_what_is_loaded_together() -> None:
    executor = Executor(SCHEMA)
    plan = executor.prepare("{ shelves { books { author { id } } } }")
    assert "loaded with those of all parents on this level" in executor.explain(plan)
