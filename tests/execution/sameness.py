"""Both ways of execution, side by side, compared byte by byte."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import orjson
import strawberry
from graphql import DocumentNode, GraphQLError, GraphQLSchema, parse, validate

from execution import Executor, Plan, Result, executor


def written(result: Result) -> bytes:
    """The response as it goes over the wire."""
    return orjson.dumps(result.response, default=repr)


def serialised(data: Mapping[str, object]) -> orjson.Fragment:
    """An object as it stands in the response: what may be kept."""
    return orjson.Fragment(orjson.dumps(data, default=repr))


@contextmanager
def read_once() -> Iterator[None]:
    """What one executor has parsed and validated is not parsed and validated again by the other.

    Both call the same two functions with the same document; only what they do with it is compared.
    """
    documents: dict[str, DocumentNode] = {}
    found: dict[int, list[GraphQLError]] = {}

    def parse_once(source: str, **options: Any) -> DocumentNode:
        if source not in documents:
            documents.clear()
            found.clear()
            documents[source] = parse(source, **options)
        return documents[source]

    def validate_once(schema: GraphQLSchema, document: DocumentNode, rules: Any) -> list[GraphQLError]:
        if id(document) not in found:
            found[id(document)] = validate(schema, document, rules)
        return found[id(document)]

    with patch.object(executor, "parse", parse_once), patch.object(executor, "validate", validate_once):
        yield


@dataclass(slots=True)
class Pair:
    """A compiling executor and the reference, on one schema."""

    reference: Executor
    compiled: Executor

    @classmethod
    def of(cls, schema: strawberry.Schema, **options: Any) -> "Pair":
        return cls(Executor(schema, mode="reference", **options), Executor(schema, **options))

    async def same(
        self,
        document: str,
        variables: Mapping[str, object] | None = None,
        *,
        before: Callable[[], object] = lambda: None,
        context: Callable[[], object] = lambda: None,
        root: object = None,
        operation_name: str | None = None,
    ) -> list[Any]:
        """Assert that both answer alike, each in a fresh context; returns the answers (one, but for a subscription).

        `before` runs before each of the two. The bytes must be equal. There is one exception: errors of fields that
        are loaded in batches may come in another order, for in the reference that depends on when each task wakes up.
        """
        answers: list[list[bytes]] = []
        plans: list[Plan] = []
        for way in (self.reference, self.compiled):
            before()
            plans.append(way.prepare(document, operation_name))
            answers.append(await all_answers(way, plans[-1], variables, context(), root))
        reference, compiled = answers
        if compiled != reference and loads_in_batches(plans[1]):
            reference, compiled = [in_any_order(one) for one in reference], [in_any_order(one) for one in compiled]
        assert compiled == reference, f"\n{document}\n{variables}\nreference {reference}\ncompiled  {compiled}"
        return [orjson.loads(one) for one in answers[1]]


async def all_answers(
    way: Executor, plan: Plan, variables: Mapping[str, object] | None, context: object, root: object
) -> list[bytes]:
    if plan.operation_type is None or plan.operation_type.value != "subscription":
        return [written(await way.execute(plan, variables, context, root))]
    stream = await way.subscribe(plan, variables, context, root)
    return [written(stream)] if isinstance(stream, Result) else await gathered(stream)


async def gathered(stream: AsyncIterator[Result]) -> list[bytes]:
    return [written(result) async for result in stream]


async def everything_settled() -> None:
    """Let what goes on in the background (siblings of a failed field) come to its end before the loop is closed."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.gather(*others, return_exceptions=True)


def loads_in_batches(plan: Plan) -> bool:
    return plan.compiled is not None and plan.compiled.loads_in_batches


def in_any_order(answer: bytes) -> bytes:
    """The answer with what may depend on timing left out.

    What stays: the data to the byte, every error whose own place shows its null, and of the errors under a null that
    came from below, that there is at least one.
    """
    response = orjson.loads(answer)
    data = response.get("data")
    shown, hidden = [], set()
    for error in response.pop("errors", ()):
        cut = nulled_above(data, error.get("path", []))
        if cut is None:
            shown.append(orjson.dumps(error, option=orjson.OPT_SORT_KEYS))
        else:
            hidden.add(orjson.dumps(cut))
    return orjson.dumps([response, sorted(map(bytes.decode, shown)), sorted(map(bytes.decode, hidden))])


def nulled_above(data: Any, path: list[Any]) -> list[Any] | None:
    """The path of the null that hides this place; None when the place itself is what is null."""
    for depth, key in enumerate(path):
        if data is None:
            return path[:depth]
        data = data[key]
    return None
