"""One test for each algorithm of the specification's execution section (6), each answered alike by both ways."""

import asyncio
from collections.abc import AsyncIterator
from enum import Enum
from typing import Annotated, Any

import pytest
import strawberry
from typing_extensions import override

from execution import Executor
from tests.execution.sameness import Pair


@strawberry.enum
class Kind(Enum):
    BIG = "big"
    SMALL = "small"


@strawberry.input
class Wish:
    name: str
    times: int = 2
    kind: Kind | None = None


@strawberry.interface
class Animal:
    name: str

    @strawberry.field
    def sound(self) -> str | None:
        return None


@strawberry.type
class Dog(Animal):
    barks: bool = True

    @strawberry.field
    @override
    def sound(self) -> str | None:
        return "woof"


@strawberry.type
class Cat(Animal):
    lives: int = 9


@strawberry.type
class Stone:
    weight: float


Found = Annotated[Dog | Cat | Stone, strawberry.union("Found")]


@strawberry.type
class Box:
    label: str | None = None

    @strawberry.field
    def inner(self) -> "Box":
        return Box(label=f"in {self.label}")

    @strawberry.field
    def maybe(self) -> "Box | None":
        return Box(label="maybe")

    @strawberry.field
    def required(self) -> str:
        raise ValueError("no value")

    @strawberry.field
    async def fails_later(self) -> str | None:
        await asyncio.sleep(0)
        raise ValueError("too late to be told")

    @strawberry.field
    async def required_later(self) -> str:
        await asyncio.sleep(0)
        return None  # type: ignore[return-value]

    @strawberry.field
    def numbers(self) -> list[list[int | None] | None] | None:
        return [[1, None], None, ["x"]]  # type: ignore[list-item]

    @strawberry.field
    def strict(self) -> list[list[int]]:
        return [[1], [2, None]]  # type: ignore[list-item]


@strawberry.type
class Query:
    @strawberry.field
    def hello(self, name: str = "you", times: int | None = None) -> str:
        return f"hello {name} {times}"

    @strawberry.field
    async def wish(self, wish: Wish, more: list[Wish] | None = None) -> str:
        return f"{wish} {more}"

    @strawberry.field
    def box(self) -> Box | None:
        return Box(label="b")

    @strawberry.field
    async def slow(self) -> str:
        for _ in range(5):
            await asyncio.sleep(0)
        return "slow"

    @strawberry.field
    def number(self, value: str) -> float | None:
        return float(value)

    @strawberry.field
    def strict_box(self) -> Box:
        return Box()

    @strawberry.field
    def animals(self) -> list[Animal]:
        return [Dog(name="Rex"), Cat(name="Tom")]

    @strawberry.field
    async def found(self, what: str) -> Found | None:
        things: dict[str, Any] = {"dog": Dog(name="Rex"), "stone": Stone(weight=1.5), "text": "text", "box": Box()}
        things["cast"] = strawberry.cast(Cat, Dog(name="as a cat"))
        things["hollow"] = object.__new__(Stone)  # without its weight
        return things.get(what)

    @strawberry.field
    def dog(self, what: str) -> Dog | None:
        things: dict[str, Any] = {"dog": Dog(name="Rex"), "box": Box(), "cast": strawberry.cast(Cat, Dog(name="cat"))}
        return things.get(what)

    @strawberry.field
    def kind(self, kind: Kind = Kind.BIG) -> Kind | None:
        return kind

    @strawberry.field
    def leaf(self, of: str) -> int | None:
        wrong: dict[str, Any] = {"text": "text", "float": 1.5, "whole": 3.0, "big": 2**31, "true": True, "none": None}
        return wrong[of]  # type: ignore[no-any-return]


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def add(self, info: strawberry.Info, number: int) -> int:
        log: list[str] = info.context
        log.append(f"start {number}")
        await asyncio.sleep(0)
        log.append(f"end {number}")
        if number < 0:
            raise ValueError("negative")
        return number


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, to: int, fail_at: int = -1) -> AsyncIterator[int]:
        for number in range(to):
            if number == fail_at:
                raise ValueError("broken")
            yield number

    @strawberry.subscription
    async def boxes(self) -> AsyncIterator[Box]:
        yield Box(label="one")
        yield None  # type: ignore[misc]
        yield Box(label="two")

    @strawberry.subscription
    async def refused(self) -> AsyncIterator[int]:
        for _ in ():
            yield 0
        raise PermissionError("not for you")


SCHEMA = strawberry.Schema(Query, Mutation, Subscription, types=[Dog, Cat])


@pytest.fixture
def pair() -> Pair:
    return Pair.of(SCHEMA)


async def test_execute_request_runs_the_only_operation(pair: Pair) -> None:
    assert await pair.same("{ hello }") == [{"data": {"hello": "hello you None"}}]


async def test_get_operation_needs_a_name_where_there_are_several_and_knows_no_other(pair: Pair) -> None:
    several = "query A { a: hello } query B { b: hello }"
    (answer,) = await pair.same(several)
    assert answer["errors"][0]["message"].startswith("Must provide operation name")
    assert (await pair.same(several, operation_name="B"))[0]["data"] == {"b": "hello you None"}
    (answer,) = await pair.same(several, operation_name="C")
    assert answer == {"errors": [{"message": "Unknown operation named 'C'."}]}
    (answer,) = await pair.same("fragment F on Query { hello }")
    assert "data" not in answer


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"w": {"name": "a"}},
        {"w": {"name": "a", "times": None}},
        {"w": {"name": "a", "kind": "BIG", "unknown": 1}},
        {"w": {"name": "a", "kind": "big"}},
        {"w": {"times": 1}},
        {"w": None},
        {"w": [], "n": "x"},
        {"w": {"name": "a"}, "n": 2**31},
        {"w": {"name": "a"}, "n": None},
        {"w": {"name": "a"}, "m": [{"name": "b"}, {"name": 3}]},
        {"w": {"name": "a"}, "m": {"name": "b"}},
    ],
)
async def test_coerce_variable_values_takes_defaults_and_refuses_what_is_wrong(
    pair: Pair, variables: dict[str, object]
) -> None:
    document = "query ($w: Wish!, $n: Int = 7, $m: [Wish!]) { wish(wish: $w, more: $m) hello(times: $n) }"
    (answer,) = await pair.same(document, variables)
    assert ("data" in answer) == (not answer.get("errors"))


async def test_execute_query_gives_data_in_the_order_of_the_document(pair: Pair) -> None:
    (answer,) = await pair.same("{ z: hello box { label } a: kind }")
    assert list(answer["data"]) == ["z", "box", "a"]


@pytest.mark.parametrize("executor", ["reference", "compiled"])
async def test_execute_mutation_runs_its_fields_in_series(pair: Pair, executor: str) -> None:
    log: list[str] = []
    chosen: Executor = getattr(pair, executor)
    result = await chosen.execute(chosen.prepare("mutation { a: add(number: 1) b: add(number: 2) }"), {}, log)
    assert result.data == {"a": 1, "b": 2}
    assert log == ["start 1", "end 1", "start 2", "end 2"]


@pytest.mark.parametrize("executor", ["reference", "compiled"])
async def test_execute_mutation_stops_where_a_failure_takes_the_whole_answer(pair: Pair, executor: str) -> None:
    log: list[str] = []
    chosen: Executor = getattr(pair, executor)
    result = await chosen.execute(chosen.prepare("mutation { a: add(number: -1) b: add(number: 2) }"), {}, log)
    assert result.data is None
    assert result.executed
    assert log == ["start -1", "end -1"]


async def test_subscribe_answers_each_event(pair: Pair) -> None:
    assert await pair.same("subscription { count(to: 3) }") == [{"data": {"count": number}} for number in range(3)]


async def test_create_source_event_stream_refuses_wrong_variables_before_any_event(pair: Pair) -> None:
    (answer,) = await pair.same("subscription ($n: Int!) { count(to: $n) }", {"n": "x"})
    assert "data" not in answer


async def test_resolve_field_event_stream_passes_the_arguments(pair: Pair) -> None:
    assert len(await pair.same("subscription ($n: Int!) { count(to: $n) }", {"n": 4})) == 4


async def test_map_source_to_response_event_ends_with_the_source_and_with_its_failure(pair: Pair) -> None:
    answers = await pair.same("subscription { count(to: 3, failAt: 1) }")
    assert answers == [{"data": {"count": 0}}, {"data": None, "errors": [{"message": "broken"}]}]
    (answer,) = await pair.same("subscription { refused }")
    assert answer["errors"][0]["message"] == "not for you"


async def test_execute_subscription_event_keeps_one_event_s_failure_to_that_event(pair: Pair) -> None:
    first, second, third = await pair.same("subscription { boxes { label } }")
    assert (first["data"], second["data"], third["data"]) == (
        {"boxes": {"label": "one"}},
        None,
        {"boxes": {"label": "two"}},
    )


@pytest.mark.parametrize("mode", ["reference", "compiled"])
async def test_unsubscribe_closes_the_source(mode: Any) -> None:
    closed: list[str] = []

    async def events() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append("closed")

    @strawberry.type
    class Endless:
        @strawberry.subscription
        async def ones(self) -> AsyncIterator[int]:
            async for one in (source := events()):
                try:
                    yield one
                except GeneratorExit:
                    await source.aclose()  # type: ignore[attr-defined]
                    raise

    executor = Executor(strawberry.Schema(Query, subscription=Endless), mode=mode)
    stream: Any = await executor.subscribe(executor.prepare("subscription { ones }"))
    assert (await anext(stream)).data == {"ones": 1}
    await stream.aclose()
    assert closed == ["closed"]
