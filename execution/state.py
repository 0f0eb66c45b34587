"""The state of one execution, and what generated code does when a value is not the plain one it was made for."""

from asyncio import Future, gather
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import CoroutineType
from typing import Any, Final

from graphql import (
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    Undefined,
    located_error,
)
from graphql.execution.values import VariableValues, get_argument_values
from strawberry.execution import optimized_is_awaitable
from strawberry.types.info import Info

from execution.gathering import gather_or_cancel
from execution.info import ResolveInfo, path_keys
from execution.places import FieldPlace, PathTuple, Place
from execution.sharing import Gatherings
from execution.variables import VariableCoercer

Coroutine: Final = CoroutineType
Pending = list[Any] | dict[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """What every execution of an operation shares."""

    schema: GraphQLSchema
    node: OperationDefinitionNode
    fragments: dict[str, FragmentDefinitionNode]
    coercer: VariableCoercer
    info_class: type[Info[Any, Any]]
    background: set[Future[Any]]


class State:
    """One execution: what the request brought, and the errors so far."""

    __slots__ = (
        "context",
        "error_positions",
        "errors",
        "gatherings",
        "given",
        "hidden_errors",
        "operation",
        "root",
        "variables",
    )

    def __init__(
        self,
        operation: Operation,
        *,
        given: Mapping[str, object],
        variables: dict[str, Any],
        context: object,
        root: object,
    ) -> None:
        self.operation = operation
        self.given = given
        self.variables = variables
        self.context = context
        self.root = root
        self.errors: list[GraphQLError] = []
        self.error_positions: set[PathTuple | None] = set()
        self.hidden_errors: list[GraphQLError] = []
        self.gatherings = Gatherings(operation.background)

    def info(self, place: FieldPlace, path: PathTuple) -> Info[Any, Any]:
        """What Strawberry hands to a resolver that asks for `info`."""
        raw: Any = ResolveInfo(self, place, path)
        field: Any = place.strawberry_field
        return self.operation.info_class(_raw_info=raw, _field=field)

    def raw_info(self, place: FieldPlace, path: PathTuple) -> Any:
        """What graphql-core hands to a resolver."""
        return ResolveInfo(self, place, path)

    def arguments(self, place: FieldPlace) -> dict[str, Any]:
        """The field's arguments as graphql-core coerces them, for those the compiler could not settle before."""
        return get_argument_values(place.definition, place.nodes[0], self.variable_values)

    @property
    def variable_values(self) -> VariableValues:
        """The variables as graphql-core carries them."""
        return self.operation.coercer.with_sources(self.given, self.variables)

    def add(self, error: GraphQLError, position: PathTuple | None) -> None:
        """Report an error whose null stops at this position, unless a null above it hides it already."""
        here = position
        while here is not None and here not in self.error_positions:
            here = here[0]
        if here is not None or None in self.error_positions:
            self.hidden_errors.append(error)
            return
        self.error_positions.add(position)
        self.errors.append(error)

    @property
    def errors_met(self) -> int:
        """How many errors there were so far: those that are reported, and those that a null above them hides."""
        return len(self.errors) + len(self.hidden_errors)

    def settle(self, values: Sequence[Any]) -> None:
        """Let the coroutines among these values end in the background: a sibling's failure made them pointless."""
        coroutines = [value for value in values if value.__class__ is Coroutine]
        if coroutines:
            self.track(coroutines)

    def track(self, awaitables: Sequence[Awaitable[Any]]) -> None:
        """Await these in the background, whatever becomes of them."""
        background = self.operation.background
        future: Future[Any] = gather(*awaitables, return_exceptions=True)
        background.add(future)
        future.add_done_callback(background.discard)


def fail(place: Place, error: Exception, path: PathTuple, state: State, siblings: Pending | None) -> None:
    """A field or an item failed: report the error where the value may be null, pass it upwards where it may not."""
    located = located_error(error, place.field.nodes, path_keys(path))
    if place.non_null:
        if siblings:
            state.settle(list(siblings.values()) if isinstance(siblings, dict) else siblings)
        raise located
    state.add(located, path)


def odd(place: Place, value: Any, path: PathTuple, state: State) -> Any:
    """Complete a value of another kind than expected: null, an error, an awaitable, or one that must be converted."""
    if optimized_is_awaitable(value):
        return later(place, value, path, state)
    return place.complete(value, path, state)


async def later(place: Place, awaitable: Awaitable[Any], path: PathTuple, state: State) -> Any:
    """Complete a value that must be awaited first."""
    try:
        value = place.complete(await awaitable, path, state)
        return await value if value.__class__ is Coroutine else value
    except Exception as error:  # noqa: BLE001  (every failure of a field is an error of the response)
        return fail(place, error, path, state, None)


async def guard(place: Place, completing: Awaitable[Any], path: PathTuple, state: State) -> Any:
    """Await a value whose completion goes on, and take its failure as the field's."""
    try:
        return await completing
    except Exception as error:  # noqa: BLE001  (as above)
        return fail(place, error, path, state, None)


async def join(done: Pending, waiting: Sequence[Any]) -> Pending:
    """Await the values that stand at these keys, together, and put the results in their places."""
    values: Any = done
    if len(waiting) == 1:
        key = waiting[0]
        values[key] = await values[key]
        return done
    results = await gather_or_cancel([values[key] for key in waiting])
    for key, result in zip(waiting, results, strict=True):
        values[key] = result
    return done


def abandon(done: Sequence[Any], rest: Iterable[Any], state: State) -> None:
    """A list failed: let what waits in it, done or still to come, end in the background."""
    waiting = list(done)
    with suppress(Exception):
        waiting.extend(later_item(value) for value in rest if optimized_is_awaitable(value))
    state.settle(waiting)


async def later_item(awaitable: Awaitable[Any]) -> Any:
    """An awaitable as a coroutine."""
    return await awaitable


def null(place: Place) -> None:
    """A null came for this place: an error where it may not be."""
    if place.non_null:
        field = place.field
        raise TypeError(f"Cannot return null for non-nullable field {field.parent}.{field.name}.")


def absent(place: Place, value: Any) -> bool:
    """Whether the value is null; raises what is an error rather than a value."""
    if isinstance(value, Exception):
        raise value
    if value is None or value is Undefined:
        null(place)
        return True
    return False
