"""Completing values by their type (CompleteValue of the specification), for what generated code hands over."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from graphql import (
    GraphQLAbstractType,
    GraphQLError,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLOutputType,
    Undefined,
    default_type_resolver,
    is_object_type,
    located_error,
)
from graphql.pyutils import inspect, is_iterable
from strawberry.execution import optimized_is_awaitable
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.cast import get_strawberry_type_cast
from strawberry.types.union import StrawberryUnion

from execution.info import path_keys
from execution.places import Complete, PathTuple, Place
from execution.state import Coroutine, State, absent, fail, guard, join, odd

BACKREF: Final = "strawberry-definition"


def serializer(leaf: GraphQLLeafType) -> Callable[[Any], Any]:
    """What a scalar or an enum shows for a value; an error when that is nothing."""
    coerce = leaf.coerce_output_value

    def serialize(value: Any) -> Any:
        coerced = coerce(value)
        if coerced is None or coerced is Undefined:
            raise TypeError(
                f"Expected `{inspect(leaf)}.coerce_output_value({inspect(value)})`"
                f" to return non-nullable value, returned: {inspect(coerced)}"
            )
        return coerced

    return serialize


def leaf_completer(place: Place, leaf: GraphQLLeafType) -> Complete:
    """CompleteValue for scalars and enums."""
    serialize = serializer(leaf)

    def complete(value: Any, _path: PathTuple, _state: State) -> Any:
        return None if absent(place, value) else serialize(value)

    return complete


def object_completer(place: Place, object_type: GraphQLObjectType, select: Complete) -> Complete:
    """CompleteValue for an object type: check the value where the type says how, then its selected fields."""
    class_ = plain_class(object_type)

    def complete(value: Any, path: PathTuple, state: State) -> Any:
        if value.__class__ is class_ and get_strawberry_type_cast(value) is None:
            return select(value, path, state)
        if absent(place, value):
            return None
        return complete_object(place, object_type, select, value, path, state)

    return complete


def complete_object(
    place: Place, object_type: GraphQLObjectType, select: Complete, value: Any, path: PathTuple, state: State
) -> Any:
    """The selected fields of a value that must be of this object type."""
    if object_type.is_type_of:
        verdict = object_type.is_type_of(value, state.raw_info(place.field, _field_path(path)))
        if optimized_is_awaitable(verdict):
            return _after_verdict(place, object_type, select, value, path, state, verdict)
        if not verdict:
            raise _wrong_type(place, object_type, value)
    return select(value, path, state)


async def _after_verdict(
    place: Place,
    object_type: GraphQLObjectType,
    select: Complete,
    value: Any,
    path: PathTuple,
    state: State,
    verdict: Any,
) -> Any:
    if not await verdict:
        raise _wrong_type(place, object_type, value)
    completed = select(value, path, state)
    return await completed if completed.__class__ is Coroutine else completed


def _wrong_type(place: Place, object_type: GraphQLObjectType, value: Any) -> GraphQLError:
    return GraphQLError(f"Expected value of type '{object_type}' but got: {inspect(value)}.", place.field.nodes)


def _field_path(path: PathTuple) -> PathTuple:
    """The path of the field that an item of a list belongs to: items share their field's info."""
    while isinstance(path[1], int) and path[0] is not None:
        path = path[0]
    return path


class AbstractCompleter:
    """CompleteValue for an interface or a union.

    The runtime type is asked of Strawberry. Where its answer can depend on the value's class alone, it is remembered.
    """

    __slots__ = ("_abstract", "_learns", "_place", "_selects", "known")

    def __init__(self, place: Place, abstract: GraphQLAbstractType, selects: Mapping[str, Complete]) -> None:
        self._place = place
        self._abstract = abstract
        self._selects = selects
        self.known: dict[type, Complete] = {}
        self._learns = _decides_by_class(abstract)

    def __call__(self, value: Any, path: PathTuple, state: State) -> Any:
        """The selected fields of the value, by its runtime type."""
        known = self.known.get(value.__class__)
        if known is not None and get_strawberry_type_cast(value) is None:
            return known(value, path, state)
        if absent(self._place, value):
            return None
        resolve_type = self._abstract.resolve_type or default_type_resolver
        name = resolve_type(value, state.raw_info(self._place.field, _field_path(path)), self._abstract)
        if optimized_is_awaitable(name):
            return self._after_type(name, value, path, state)
        return self._complete(name, value, path, state)

    async def _after_type(self, name: Any, value: Any, path: PathTuple, state: State) -> Any:
        completed = self._complete(await name, value, path, state)
        return await completed if completed.__class__ is Coroutine else completed

    def _complete(self, name: Any, value: Any, path: PathTuple, state: State) -> Any:
        runtime_type = _valid_runtime_type(self._place, self._abstract, name, value, state)
        select = self._selects[runtime_type.name]
        completed = complete_object(self._place, runtime_type, select, value, path, state)
        if self._learns and _is_own_class(runtime_type, value) and _checks_by_class(runtime_type):
            self.known[value.__class__] = select
        return completed


def _decides_by_class(abstract: GraphQLAbstractType) -> bool:
    definition = abstract.extensions.get(BACKREF)
    if isinstance(definition, StrawberryUnion):
        return type(definition) is StrawberryUnion
    return isinstance(definition, StrawberryObjectDefinition) and definition.resolve_type is None


def _checks_by_class(object_type: GraphQLObjectType) -> bool:
    """Whether the type's own check (`is_type_of`) is Strawberry's, which an instance of its class passes."""
    definition = object_type.extensions.get(BACKREF)
    return isinstance(definition, StrawberryObjectDefinition) and definition.is_type_of is None


def _is_own_class(object_type: GraphQLObjectType, value: Any) -> bool:
    definition = object_type.extensions.get(BACKREF)
    return (
        isinstance(definition, StrawberryObjectDefinition)
        and definition.origin is value.__class__
        and not definition.is_graphql_generic
        and definition.concrete_of is None
        and getattr(value.__class__, "__strawberry_definition__", None) is definition
        and plain_class(object_type) is not None
        and get_strawberry_type_cast(value) is None
    )


def plain_class(object_type: GraphQLObjectType) -> type | None:
    """The class whose instances are known to be values of this type: no need to look whether they are odd."""
    definition = object_type.extensions.get(BACKREF)
    if not isinstance(definition, StrawberryObjectDefinition) or not _checks_by_class(object_type):
        return None
    origin = definition.origin
    if definition.concrete_of is not None and not object_type.is_type_of:
        origin = definition.concrete_of.origin  # the specialised type has a class without values
    if issubclass(origin, BaseException) or hasattr(origin, "__await__") or "__class__" in vars(origin):
        return None
    return origin


def _valid_runtime_type(
    place: Place, abstract: GraphQLAbstractType, name: Any, value: Any, state: State
) -> GraphQLObjectType:
    """The object type of this name, or graphql-core's words for why it cannot be."""
    field, nodes = f"{place.field.parent}.{place.field.name}", place.field.nodes
    must = f"Abstract type '{abstract}' must resolve to an Object type at runtime for field '{field}'"
    if name is None:
        raise GraphQLError(
            f"{must}. Either the '{abstract}' type should provide a 'resolve_type' function"
            " or each possible type should provide an 'is_type_of' function.",
            nodes,
        )
    if not isinstance(name, str):
        raise GraphQLError(
            f"{must} with value {inspect(value)}, received '{inspect(name)}', which is not a valid Object type name.",
            nodes,
        )
    schema = state.operation.schema
    runtime_type = schema.get_type(name)
    if runtime_type is None:
        raise GraphQLError(
            f"Abstract type '{abstract}' was resolved to a type '{name}' that does not exist inside the schema.", nodes
        )
    if not is_object_type(runtime_type):
        raise GraphQLError(f"Abstract type '{abstract}' was resolved to a non-object type '{name}'.", nodes)
    if not schema.is_sub_type(abstract, runtime_type):
        raise GraphQLError(f"Runtime Object type '{runtime_type}' is not a possible type for '{abstract}'.", nodes)
    return runtime_type


def listed(place: Place, item: Place, value: Any, path: PathTuple, state: State) -> Any:
    """What to loop over for a list field: the value itself when it is iterable, None, or a coroutine of the list."""
    if absent(place, value):
        return None
    if hasattr(value, "__aiter__"):
        return _listed_async(item, aiter(value), path, state)
    if not is_iterable(value):
        field = place.field
        raise GraphQLError(f"Expected Iterable, but did not find one for field '{field.parent}.{field.name}'.")
    return value


async def _listed_async(item: Place, values: AsyncIterator[Any], path: PathTuple, state: State) -> Any:
    done: list[Any] = []
    waiting: list[int] = []
    try:
        while True:
            here: PathTuple = (path, len(done), None)
            try:
                value = await anext(values)
            except StopAsyncIteration:
                break
            except Exception as error:
                raise located_error(error, item.field.nodes, path_keys(path)) from error
            completed = complete_item(item, value, here, state)
            if completed.__class__ is Coroutine:
                waiting.append(len(done))
            done.append(completed)
    except Exception:
        aclose: Callable[[], Awaitable[None]] | None = getattr(values, "aclose", None)
        if aclose is not None:
            with suppress(Exception):
                await aclose()
        state.settle(done)
        raise
    return await join(done, waiting) if waiting else done


def complete_item(item: Place, value: Any, path: PathTuple, state: State) -> Any:
    """Complete one item of a list, keeping its failure to itself where it may be null."""
    try:
        completed = odd(item, value, path, state)
    except Exception as error:  # noqa: BLE001  (every failure of an item is an error of the response)
        return fail(item, error, path, state, None)
    return guard(item, completed, path, state) if completed.__class__ is Coroutine else completed


def named(output_type: GraphQLOutputType) -> str:
    """The type as the schema writes it, for the comments of generated code."""
    return str(output_type)
