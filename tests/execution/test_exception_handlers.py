"""Strawberry's exception handlers turn a refusal into a member of the field's union, compiled or not."""

from typing import Annotated, Any

import pytest
import strawberry
from strawberry.extensions import FieldExtension
from typing_extensions import override

from execution import Executor
from tests.execution.corner_schema import field_with
from tests.execution.sameness import Pair


class Refusal(Exception):
    pass


class Unlucky(Refusal):
    pass


@strawberry.type
class Done:
    number: int


@strawberry.type
class Problem:
    message: str


Outcome = Annotated[Done | Problem, strawberry.union("Outcome")]


class Handler(strawberry.ExceptionHandler[Refusal, Problem]):
    @override
    def handle(self, exception: Refusal, *, field: Any, info: strawberry.Info) -> Problem | None:
        if isinstance(exception, Unlucky):
            return None
        return Problem(message=f"{exception} {field.python_name} {info.path.as_list()} {info.context}")


class Around(FieldExtension):
    @override
    async def resolve_async(self, next_: Any, source: Any, info: strawberry.Info, **kwargs: Any) -> Any:
        if info.context == "closed":
            raise Refusal("closed")
        return await next_(source, info, **kwargs)


def act(number: int) -> Done:
    errors: dict[int, Exception] = {1: Refusal("refused"), 2: Unlucky("unlucky"), 3: ValueError("a bug")}
    if number in errors:
        raise errors[number]
    return Done(number=number)


@strawberry.input
class Act:
    number: int


@strawberry.type
class Query:
    @strawberry.field
    def now(self, number: int) -> Outcome:
        return act(number)

    @strawberry.field
    async def later(self, act_: Annotated[Act, strawberry.argument(name="act")]) -> Outcome | None:
        return act(act_.number)

    @strawberry.field
    async def without(self, number: int) -> Done | None:
        return act(number)

    @field_with(extensions=[Around()])
    async def guarded(self, info: strawberry.Info, act_: Annotated[Act, strawberry.argument(name="act")]) -> Outcome:
        assert info.field_name == "guarded"
        return act(act_.number)


SCHEMA = strawberry.Schema(Query, exception_handlers=[Handler()])
DOCUMENT = """query ($n: Int!) {
  later(act: {number: $n}) { ...O } guarded(act: {number: $n}) { ...O } without(number: $n) { number }
}
fragment O on Outcome { __typename ... on Done { number } ... on Problem { message } }"""


@pytest.mark.parametrize("number", [0, 1, 2, 3])
@pytest.mark.parametrize("context", ["open", "closed"])
async def test_refusals_become_members_of_the_union(number: int, context: str) -> None:
    pair = Pair.of(SCHEMA)
    (answer,) = await pair.same(DOCUMENT, {"n": number}, context=lambda: context)
    await pair.same("query ($n: Int!) { now(number: $n) { __typename } }", {"n": number}, context=lambda: context)
    if answer["data"] is not None:
        later = answer["data"]["later"]
        assert (later and later["__typename"]) == {0: "Done", 1: "Problem"}.get(number)
    else:
        assert number in {2, 3}
    assert pair.compiled.counters.fallbacks.total() == 0


def test_a_resolver_with_a_handler_and_extensions_is_called_directly() -> None:
    executor = Executor(SCHEMA)
    explained = executor.explain(executor.prepare(DOCUMENT))
    assert "handled(" in explained
    assert "Strawberry's own resolver chain" not in explained
