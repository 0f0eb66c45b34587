import asyncio
from collections.abc import Hashable
from typing import Annotated, Any
from weakref import WeakSet

import orjson
import strawberry

from execution import Executor
from tests.execution.sameness import everything_settled


@strawberry.type
class Shop:
    id: int
    name: str


@strawberry.type
class Campaign:
    id: int
    version: int
    title: str | None
    shop: Shop
    reads: strawberry.Private[list[str]]

    def fragment_key(self, context: Any) -> Hashable | None:
        return None if context == "fresh" else (self.id, self.version, context)

    @strawberry.field
    def stock(self) -> int:
        self.reads.append("stock")
        return 3

    @strawberry.field(metadata={"pure": True})  # type: ignore[untyped-decorator]
    def headline(self, info: strawberry.Info, length: int = 3) -> str:
        self.reads.append("headline")
        return f"{self.title} {info.context} {length}"


READS: list[str] = []
MADE: list[str] = []


class World:
    """What a catalogue shows at one time."""

    def __init__(self, name: str) -> None:
        self.name = name


WORLDS = {name: World(name) for name in ("old", "new")}


def world_of(context: Any) -> World:
    return context if isinstance(context, World) else WORLDS["old"]


@strawberry.type
class Shelf:
    number: strawberry.Private[int]

    @strawberry.field(metadata={"kept": ("number", world_of)})  # type: ignore[untyped-decorator]
    def campaign(self, info: strawberry.Info) -> Campaign:
        name = world_of(info.context).name
        MADE.append(name)
        return Campaign(id=self.number, version=1, title=name, shop=Shop(id=1, name=f"shop {self.number}"), reads=READS)


@strawberry.type
class Impostor:
    """Of another class, with the same key."""

    id: int
    title: str

    def fragment_key(self, context: Any) -> Hashable:
        return (self.id, 1, context)


class Loading:
    async def load(self, key: str) -> str:
        return f"loaded {key}"


LOADING = Loading()


@strawberry.type
class Shelved:
    label: str

    def fragment_key(self, _context: Any) -> Hashable:
        return self.label

    # It says that it depends on its parent alone, which is true, and that it is loaded in batches.
    @strawberry.field(metadata={"pure": True, "batch": ("label", lambda _context: LOADING)})  # type: ignore[untyped-decorator]
    def loaded(self) -> str:
        return f"loaded {self.label}"


@strawberry.type
class Window:
    @strawberry.field
    async def slow(self) -> Campaign:
        await asyncio.sleep(0)
        shown: Any = []
        return Campaign(id=1, version=1, title=shown, shop=Shop(id=1, name="é"), reads=READS)

    @strawberry.field
    def needed(self, breaks: bool) -> str:
        if breaks:
            raise ValueError("broken")
        return "whole"


@strawberry.type
class Query:
    @strawberry.field
    def shelves(self, from_: Annotated[int, strawberry.argument(name="from")]) -> list[Shelf]:
        return [Shelf(number=number) for number in range(from_, from_ + 3)]

    @strawberry.field
    def odd(self, other: bool) -> Campaign:
        if other:
            impostor: Any = Impostor(id=1, title="other")
            return impostor  # type: ignore[no-any-return]
        return Campaign(id=1, version=1, title="one", shop=Shop(id=1, name="é"), reads=READS)

    @strawberry.field
    def shelved(self) -> list[Shelved]:
        return [Shelved(label="a"), Shelved(label="b")]

    @strawberry.field
    def window(self) -> Window | None:
        return Window()

    @strawberry.field
    def campaigns(self, version: int = 1, title: str | None = "t") -> list[Campaign | None]:
        shown: Any = [] if title == "broken" else title
        return [
            Campaign(id=number, version=version, title=shown, shop=Shop(id=1, name="é"), reads=READS)
            for number in range(3)
        ]


SCHEMA = strawberry.Schema(Query)


def executor() -> Executor:
    READS.clear()
    return Executor(SCHEMA, fragments=lambda data: orjson.Fragment(orjson.dumps(data)))


async def answer(runner: Executor, document: str, variables: dict[str, object], context: object = "en") -> bytes:
    result = await runner.execute(runner.prepare(document), variables, context)
    plain = Executor(SCHEMA, mode="reference")
    reference = await plain.execute(plain.prepare(document), variables, context)
    written = orjson.dumps(result.response)
    assert written == orjson.dumps(reference.response)
    return written


PURE = "query ($v: Int!, $t: String) { campaigns(version: $v, title: $t) { id title shop { name } headline } }"


async def test_an_object_is_serialised_once_for_each_version_and_context() -> None:
    runner = executor()
    for version, context in ((1, "en"), (1, "en"), (2, "en"), (2, "zh"), (2, "zh")):
        await answer(runner, PURE, {"v": version}, context)
    by_reference = 3 * 5
    assert len(READS) - by_reference == 3 * 3


async def test_a_selection_that_depends_on_more_than_the_object_is_never_kept() -> None:
    runner = executor()
    documents = [
        "query { campaigns { id stock } }",
        "query ($n: Int!) { campaigns { headline(length: $n) } }",
    ]
    for document in documents:
        READS.clear()
        for number in range(3):
            await answer(runner, document, {"n": number})
        assert len(READS) == 2 * 3 * 3, document
        assert "_shared" not in runner.explain(runner.prepare(document))


async def test_an_object_without_a_key_is_not_kept() -> None:
    runner = executor()
    for title in ("a", "b"):
        assert title.encode() in await answer(runner, PURE, {"v": 1, "t": title}, "fresh")


async def test_what_met_an_error_is_not_kept() -> None:
    runner = executor()
    document = "query ($t: String) { campaigns(title: $t) { id shop { id } title } }"
    assert b"String cannot represent" in await answer(runner, document, {"t": "broken"})
    assert b"errors" not in await answer(runner, document, {"t": "whole"})


async def test_what_met_an_error_is_not_kept_either_when_a_null_above_hides_it() -> None:
    runner = executor()
    document = "query ($breaks: Boolean!) { window { slow { title } needed(breaks: $breaks) } }"
    # `needed` fails at once and nulls the window; `slow` goes on in the background, and meets its error there.
    assert b"title" not in await answer(runner, document, {"breaks": True})
    await everything_settled()
    assert b"String cannot represent" in await answer(runner, document, {"breaks": False})


class Piece:
    """What was serialised, and for how long it is kept."""

    def __init__(self, data: dict[str, object]) -> None:
        self.contents = orjson.dumps(data, default=lambda piece: orjson.Fragment(piece.contents))


async def test_what_is_kept_is_bounded_and_what_was_put_away_is_made_again() -> None:
    most, pieces = 4_000, WeakSet[Piece]()

    def serialise(data: dict[str, object]) -> Piece:
        piece = Piece(data)
        pieces.add(piece)
        return piece

    def kept_bytes() -> int:
        return sum(len(piece.contents) for piece in pieces)

    runner = Executor(SCHEMA, fragments=serialise, fragments_bytes=most)
    plan = runner.prepare(PURE)
    largest = 0
    for version in range(200):
        READS.clear()
        await runner.execute(plan, {"v": version}, "en")
        assert len(READS) == 3, "new ones are made"
        largest = max(largest, kept_bytes())
    assert most / 2 < largest <= most
    READS.clear()
    await runner.execute(plan, {"v": 199}, "en")
    assert READS == [], "the newest is kept"
    await runner.execute(plan, {"v": 0}, "en")
    assert len(READS) == 3, "the oldest is not"


async def test_what_is_found_by_a_fields_own_key_is_bounded_too() -> None:
    most, pieces = 4_000, WeakSet[Piece]()

    def serialise(data: dict[str, object]) -> Piece:
        piece = Piece(data)
        pieces.add(piece)
        return piece

    runner = Executor(SCHEMA, fragments=serialise, fragments_bytes=most)
    plan = runner.prepare("query ($from: Int!) { shelves(from: $from) { campaign { id title shop { name } } } }")
    assert ".get(k)" in runner.explain(plan)
    for start in range(0, 600, 3):
        await runner.execute(plan, {"from": start}, "en")
        assert sum(len(piece.contents) for piece in pieces) <= most


async def test_what_is_found_by_a_fields_own_key_lives_as_long_as_its_world() -> None:
    runner = executor()
    document = "query { shelves(from: 0) { campaign { id title } } }"
    for world, made in (("old", 3), ("old", 0), ("new", 3), ("old", 0)):
        MADE.clear()
        result = await runner.execute(runner.prepare(document), {}, WORLDS[world])
        assert [MADE, orjson.loads(orjson.dumps(result.response))["data"]] == [
            [world] * made,
            {"shelves": [{"campaign": {"id": number, "title": world}} for number in range(3)]},
        ]


async def test_two_classes_that_give_the_same_key_are_not_taken_for_one_another() -> None:
    runner = executor()
    document = "query ($other: Boolean!) { odd(other: $other) { id title } }"
    for other in (False, True, False, True):
        assert (b"other" in await answer(runner, document, {"other": other})) is other


async def test_a_field_that_is_loaded_for_many_parents_is_never_kept_with_its_parent() -> None:
    runner = executor()
    document = "query { shelved { label loaded } }"
    for _ in range(2):
        assert b"loaded" in await answer(runner, document, {})
