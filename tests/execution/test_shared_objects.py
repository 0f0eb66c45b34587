import asyncio
from collections.abc import Hashable
from typing import Any

import orjson
import pytest
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


@pytest.mark.parametrize("count", [3, 1200])
async def test_what_is_kept_is_bounded(count: int) -> None:
    runner = executor()
    for version in range(count // 3):
        await runner.execute(runner.prepare(PURE), {"v": version}, "en")
    assert b"t en 3" in await answer(runner, PURE, {"v": 1, "t": "t"})
