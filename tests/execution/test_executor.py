import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import strawberry
from graphql import GraphQLError, OperationType
from strawberry.directive import DirectiveLocation, DirectiveValue
from strawberry.extensions import SchemaExtension
from strawberry.scalars import JSON
from strawberry.schema.config import StrawberryConfig

from execution import Executor, Mode, Result
from execution.compiled import COMPILER_FAILURE
from execution.tree import MOST_FIELDS
from execution.writer import Writer


@strawberry.type
class Thing:
    name: str

    @strawberry.field
    def fails(self) -> str | None:
        raise ValueError("secret")


@strawberry.type
class Query:
    @strawberry.field
    def thing(self, info: strawberry.Info, name: str = "t") -> Thing:
        return Thing(name=f"{name} of {info.context}")

    @strawberry.field
    def told(self, info: strawberry.Info, word: str = "w") -> str:
        raw = info._raw_info
        return " ".join(
            [
                info.field_name,
                info.python_name,
                str(info.path.as_list()),
                str(info.variable_values),
                str(info.root_value),
                str(info.selected_fields[0]),
                str(raw.parent_type),
                str(raw.return_type),
                str(info.operation.name and info.operation.name.value),
                str(sorted(raw.fragments)),
                str(raw.schema is SCHEMA._schema),
            ]
        )


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def things(self) -> AsyncIterator[Thing]:
        yield Thing(name="one")


SCHEMA = strawberry.Schema(Query, subscription=Subscription)


def test_a_document_is_parsed_once_and_counted() -> None:
    executor = Executor(SCHEMA)
    first = executor.prepare("{ thing { name } }")
    assert executor.prepare("{ thing { name } }") is first
    assert executor.prepare("{ thing { name } }", "Other") is not first
    assert executor.counters.misses == 2
    assert first.operation_type is OperationType.QUERY


@pytest.mark.parametrize("mode", ["compiled", "reference"])
async def test_an_operation_on_a_plan_that_was_run_before_is_a_hit_whoever_kept_the_plan(mode: Any) -> None:
    executor = Executor(SCHEMA, mode=mode, cache_size=1)
    kept = executor.prepare("{ thing { name } }")
    await executor.execute(kept)
    await executor.execute(executor.prepare("{ other: __typename }"))
    assert (executor.counters.hits, executor.counters.evictions) == (0, 1)
    await executor.execute(kept)
    stream = executor.prepare("subscription { things { name } }")
    for _ in range(2):
        opened = await executor.subscribe(stream)
        assert not isinstance(opened, Result)
        assert len([result async for result in opened]) == 1
    await executor.execute(executor.prepare("{ nothing }"))
    assert (executor.counters.hits, executor.counters.misses) == (2, 4)


def test_the_least_recently_used_plan_goes_first() -> None:
    executor = Executor(SCHEMA, cache_size=2)
    one, two = executor.prepare("{ a: __typename }"), executor.prepare("{ b: __typename }")
    executor.prepare("{ a: __typename }")
    executor.prepare("{ c: __typename }")
    assert executor.counters.evictions == 1
    assert executor.prepare("{ a: __typename }") is one
    assert executor.prepare("{ b: __typename }") is not two


def test_a_document_that_cannot_be_run_is_not_kept() -> None:
    executor = Executor(SCHEMA, cache_size=1)
    good = executor.prepare("{ thing { name } }")
    for bad in ("{", "{ nothing }", "{ a: thing }", "query A { __typename } query B { __typename }", ""):
        plan = executor.prepare(bad)
        assert plan.errors
        assert plan.operation_type is None
    assert executor.prepare("{ thing { name } }") is good


async def test_a_document_that_cannot_be_run_answers_with_its_errors_and_no_data() -> None:
    executor = Executor(SCHEMA)
    plan = executor.prepare("{ unknown }")
    for result in (await executor.execute(plan), await executor.subscribe(plan)):
        assert isinstance(result, Result)
        assert result.response == {
            "errors": [
                {
                    "message": "Cannot query field 'unknown' on type 'Query'.",
                    "locations": [{"line": 1, "column": 3}],
                }
            ]
        }


@pytest.mark.parametrize("mode", ["compiled", "reference"])
async def test_every_error_is_written_by_the_caller(mode: Any) -> None:
    seen: list[GraphQLError] = []

    def mask(error: GraphQLError) -> dict[str, object]:
        seen.append(error)
        return {"message": "masked", "path": error.path}

    executor = Executor(SCHEMA, mode=mode, on_error=mask)
    result = await executor.execute(executor.prepare("{ thing { fails } }"))
    assert result.response == {
        "data": {"thing": {"fails": None}},
        "errors": [{"message": "masked", "path": ["thing", "fails"]}],
    }
    assert isinstance(seen[0].original_error, ValueError)
    assert executor.prepare("{").formatted_errors == [{"message": "masked", "path": None}]


async def test_the_info_of_a_resolver_tells_what_the_reference_tells() -> None:
    document = 'query Q($w: String = "d") { a: told(word: $w) ...F } fragment F on Query { b: told }'
    answers = []
    modes: tuple[Mode, ...] = ("compiled", "reference")
    for mode in modes:
        executor = Executor(SCHEMA, mode=mode)
        result = await executor.execute(executor.prepare(document), {"w": "x"}, "context", "root")
        assert not result.errors
        answers.append(result.data)
    assert answers[0] == answers[1]


async def test_what_is_not_compiled_is_counted_with_its_reason() -> None:
    executor = Executor(SCHEMA)
    assert (await executor.execute(executor.prepare("{ __schema { queryType { name } } }"))).executed
    plan = executor.prepare("query ($a: Boolean = true) { __typename @skip(if: $a) }")
    await executor.execute(plan, {"a": None})
    await executor.execute(plan, {"a": False})
    assert executor.counters.fallbacks == {"introspection": 1, "condition without a value": 1}


async def test_conditions_beyond_the_bound_go_to_the_reference() -> None:
    executor = Executor(SCHEMA)
    names = "abcde"
    fields = " ".join(f"{name}: __typename @include(if: ${name})" for name in names)
    plan = executor.prepare(f"query ({' '.join(f'${name}: Boolean!' for name in names)}) {{ z: __typename {fields} }}")
    for number in range(2 ** len(names)):
        given = {name: bool(number >> index & 1) for index, name in enumerate(names)}
        result = await executor.execute(plan, given)
        assert result.data == {"z": "Query", **{name: "Query" for name in names if given[name]}}
    assert executor.counters.fallbacks == {"too many conditions": 16}


def test_the_plan_explains_itself_and_remembers_what_the_caller_puts_by_it() -> None:
    executor = Executor(SCHEMA)
    plan = executor.prepare("{ thing { name } }")
    explained = executor.explain(plan)
    assert "def Thing_" in explained
    assert "o.name" in explained
    compile(explained, "plan", "exec")
    plan.extras["cost"] = 3
    assert executor.prepare("{ thing { name } }").extras == {"cost": 3}
    assert "introspection" in executor.explain(executor.prepare("{ __schema { queryType { name } } }"))
    assert "cannot be run" in executor.explain(executor.prepare("{"))
    reference = Executor(SCHEMA, mode="reference")
    assert "reference" in reference.explain(reference.prepare("{ thing { name } }"))
    conditional = executor.prepare("query ($a: Boolean!) { __typename @skip(if: $a) }")
    assert "$a" in executor.explain(conditional) or "a are first met" in executor.explain(conditional)


def test_a_document_of_too_many_tokens_is_refused_before_it_is_read() -> None:
    executor = Executor(SCHEMA, max_tokens=5)
    assert not executor.prepare("{ __typename }").errors
    assert "token" in executor.prepare("{ a: __typename b: __typename }").errors[0].message


def test_what_would_be_left_out_is_refused() -> None:
    class Nothing(SchemaExtension):
        pass

    with pytest.raises(ValueError, match="extensions"):
        Executor(strawberry.Schema(Query, extensions=[Nothing]))
    with pytest.raises(ValueError, match="incremental"):
        Executor(strawberry.Schema(Query, config=StrawberryConfig(enable_experimental_incremental_execution=True)))


async def test_a_cancelled_request_is_cancelled_not_answered() -> None:
    @strawberry.type
    class Slow:
        @strawberry.field
        async def wait(self) -> str:
            await asyncio.sleep(60)
            return "never"

    executor = Executor(strawberry.Schema(Slow))
    task = asyncio.ensure_future(executor.execute(executor.prepare("{ wait }")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_concurrent_requests_of_one_plan_do_not_meet() -> None:
    executor = Executor(SCHEMA)
    plan = executor.prepare("query ($n: String!) { thing(name: $n) { name fails } }")
    results = await asyncio.gather(*[executor.execute(plan, {"n": str(n)}, f"c{n}") for n in range(20)])
    for number, result in enumerate(results):
        assert result.data == {"thing": {"name": f"{number} of c{number}", "fails": None}}
        assert result.errors is not None
        assert len(result.errors) == 1


async def test_a_schema_with_directives_of_its_own_is_left_to_the_reference() -> None:
    @strawberry.directive(locations=[DirectiveLocation.FIELD])
    def loud(value: DirectiveValue[str]) -> str:
        return value.upper()

    executor = Executor(strawberry.Schema(Query, directives=[loud]))
    result = await executor.execute(executor.prepare("{ thing { name @loud } }"), {}, "x")
    assert result.data == {"thing": {"name": "T OF X"}}
    assert executor.counters.fallbacks == {"schema with operation directives": 1}


async def test_a_failure_of_the_compiler_costs_speed_and_no_answer(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Writer, "load", lambda _self, _label: 1 // 0)
    executor = Executor(SCHEMA)
    result = await executor.execute(executor.prepare("{ thing { name } }"))
    assert result.data == {"thing": {"name": "t of None"}}
    assert executor.counters.fallbacks == {COMPILER_FAILURE: 1}
    assert "could not be compiled" in caplog.text


async def test_a_document_of_too_many_fields_goes_to_the_reference() -> None:
    executor = Executor(SCHEMA)
    wide = "{ " + " ".join(f"a{number}: __typename" for number in range(MOST_FIELDS + 1)) + " }"
    result = await executor.execute(executor.prepare(wide))
    assert result.data is not None
    assert len(result.data) == MOST_FIELDS + 1
    assert executor.counters.fallbacks == {"too large": 1}


async def test_a_resolver_may_change_its_arguments_and_the_next_request_sees_nothing_of_it() -> None:
    @strawberry.type
    class Greedy:
        @strawberry.field
        def eat(self, food: JSON, more: list[list[int]]) -> JSON:
            eaten: Any = food
            eaten["eaten"].append(len(more[0]))
            more[0].append(0)
            return food

    executor = Executor(strawberry.Schema(Greedy))
    plan = executor.prepare("{ eat(food: {eaten: []}, more: [[1]]) }")
    for _ in range(3):
        assert (await executor.execute(plan)).data == {"eat": {"eaten": [1]}}


@pytest.mark.parametrize("mode", ["compiled", "reference"])
async def test_what_waits_in_a_list_that_failed_comes_to_its_end(mode: Any) -> None:
    ended: list[str] = []

    async def later(word: str) -> int:
        await asyncio.sleep(0)
        ended.append(word)
        return 1

    @strawberry.type
    class Lists:
        @strawberry.field
        def numbers(self) -> list[int] | None:
            return [later("before"), "no number", later("after")]  # type: ignore[list-item]

    executor = Executor(strawberry.Schema(Lists), mode=mode)
    result = await executor.execute(executor.prepare("{ numbers }"))
    assert result.data == {"numbers": None}
    for _ in range(3):
        await asyncio.sleep(0)
    assert ended == ["before", "after"]
