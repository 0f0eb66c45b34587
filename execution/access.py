"""How a field gets its value: what Strawberry's resolver chain does for it, as far as it is known beforehand."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

import strawberry
from graphql import (
    GraphQLArgument,
    GraphQLNonNull,
    NullValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    Visitor,
    is_required_argument,
    visit,
)
from graphql.execution.values import coerce_argument
from graphql.language import ArgumentNode
from strawberry.types.field import StrawberryField

from execution.composed import Composed, NotComposedError, composed
from execution.extensions import chain_of, waits
from execution.inputs import Convert, InputConverters, NotSimpleError
from execution.places import Batch, FieldPlace, Kept, Wraps
from execution.variables import UNCHANGING, VariableCoercer


class Way(Enum):
    """The ways to a field's value."""

    TYPENAME = "the type's name"
    EVENT = "the event of the subscription"
    ITSELF = "the parent itself"
    ATTRIBUTE = "an attribute of the parent"
    RESOLVER = "the resolver, called directly"
    CHAIN = "Strawberry's own resolver chain"


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a direct call: from a variable, or else a constant, or composed of both.

    An `optional` one is left to its fallback (Undefined: not passed) where the variable is missing. `refuses_null` says
    that the variable may be null where the argument may not: graphql-core then has the error.
    """

    python_name: str
    variable: str | None
    optional: bool
    fallback: Any
    convert: Convert
    refuses_null: bool = False

    @property
    def constant(self) -> bool:
        """Whether it is the same in every request."""
        return self.variable is None and not isinstance(self.fallback, Composed)


@dataclass(slots=True)
class Access:
    """What the writer must know to write the call.

    `is_async` says that a coroutine of the field's own calls it; `waits` that its value must be awaited, in one way or
    another. Of a `chained` function (extensions) the info is the second argument. `pure` is what the schema declares of
    a resolver whose value depends on the parent alone.
    """

    way: Way
    is_async: bool = False
    waits: bool = False
    attribute: str = ""
    function: Any = None
    chained: bool = False
    passes_self: bool = False
    parent_names: tuple[str, ...] = ()
    info_name: str | None = None
    arguments: list[Argument] | None = field(default_factory=list)
    handlers: Any = ()
    pure: bool = False


class Accesses:
    """Finds the access of fields, for one schema."""

    def __init__(self, schema: strawberry.Schema) -> None:
        self._converter = schema.schema_converter
        self._config = schema.config
        self._known_handlers: dict[int, tuple[StrawberryField, Any]] = {}
        self.converters: Final = InputConverters(schema)

    def of(self, place: FieldPlace, *, coercer: VariableCoercer, is_event: bool) -> Access:
        """The access of one field in one operation."""
        if place.name == "__typename":
            return Access(Way.TYPENAME)
        found = place.strawberry_field
        if is_event and place.definition.subscribe is not None:
            return Access(Way.EVENT)
        if found is None or place.definition.resolve is None:
            return Access(Way.CHAIN)
        handlers = self._handlers(found)
        if self._is_attribute(found) and not handlers:
            return Access(Way.ATTRIBUTE, attribute=found.python_name)
        reads = self._declared(place, "reads")
        if reads is not None and not found.is_async:
            return Access(Way.ATTRIBUTE, attribute=reads)
        return self._resolver(place, found, coercer, handlers)

    def _resolver(self, place: FieldPlace, found: StrawberryField, coercer: VariableCoercer, handlers: Any) -> Access:
        resolver = found.base_resolver
        chain = chain_of(found) if found.extensions else None
        unknown = type(found).get_result is not StrawberryField.get_result or (found.extensions and chain is None)
        if resolver is None or unknown or not callable(resolver.wrapped_func) or (handlers and not found.is_async):
            return Access(Way.CHAIN, is_async=found.is_async, waits=waits(found))
        parents = [parameter.name for parameter in (resolver.parent_parameter, resolver.root_parameter) if parameter]
        info_name = resolver.info_parameter.name if resolver.info_parameter else None
        arguments = self._arguments(place, found, coercer)
        constant = arguments is not None and all(argument.constant for argument in arguments)
        return Access(
            Way.RESOLVER,
            is_async=found.is_async,
            waits=waits(found),
            function=chain or resolver.wrapped_func,
            chained=chain is not None,
            passes_self=resolver.self_parameter is not None,
            parent_names=tuple(parents),
            info_name=None if chain is not None and info_name == "info" else info_name,
            arguments=arguments,
            handlers=handlers,
            pure=constant and bool(found.metadata.get("pure")) and not waits(found),
        )

    def _handlers(self, found: StrawberryField) -> Any:
        """The exception handlers of a field, as Strawberry finds them; its search is too slow for every plan."""
        known = self._known_handlers.get(id(found))
        if known is None:
            handlers = self._converter._get_field_exception_handlers(found)  # noqa: SLF001  (no other way to them)
            known = self._known_handlers[id(found)] = (found, handlers)
        return known[1]

    def _is_attribute(self, found: StrawberryField) -> bool:
        plain = type(found).get_result is StrawberryField.get_result
        return plain and found.is_basic_field and self._config.default_resolver is getattr

    def batch(self, place: FieldPlace) -> Batch | None:
        """How the field says it is loaded for many parents at once, when nothing stands between it and its loader."""
        declared = self._declared(place, "batch")
        return None if declared is None else Batch(*declared)

    def kept(self, place: FieldPlace) -> Kept | None:
        """Where the field says that its serialised value may stand, when its key alone tells its value there."""
        declared = self._declared(place, "kept")
        return None if declared is None else Kept(*declared)

    def wraps(self, place: FieldPlace) -> Wraps | None:
        """Which list of the parent's the items of the field's list wrap, where they are made for nothing else."""
        declared = self._declared(place, "wraps")
        return None if declared is None else Wraps(*declared)

    def columns(self, place: FieldPlace) -> str | None:
        """Which attribute of the parent has the items of the field's list by column; see README.md for the protocol."""
        declared: str | None = self._declared(place, "columns")
        return declared

    def _declared(self, place: FieldPlace, name: str) -> Any:
        """What the schema declares of a field, where nothing stands between the field and its resolver."""
        found = place.strawberry_field
        if found is None or found.extensions or place.definition.args or self._handlers(found):
            return None
        return found.metadata.get(name)

    def _arguments(self, place: FieldPlace, found: StrawberryField, coercer: VariableCoercer) -> list[Argument] | None:
        """The arguments of a direct call; None when only graphql-core and Strawberry can work them out."""
        given = {node.name.value: node for node in place.nodes[0].arguments or ()}
        arguments: list[Argument] = []
        try:
            for argument in found.arguments:
                name = self._config.name_converter.from_argument(argument)
                convert = self.converters.of_argument(argument)
                definition = place.definition.args[name]
                settled = _settle(name, definition, given.get(name), place, coercer)
                if settled is not None:
                    variable, optional, value = settled
                    refuses = variable is not None and _refuses_null(definition, variable, coercer)
                    arguments.append(Argument(argument.python_name, variable, optional, value, convert, refuses))
        except (NotSimpleError, _NotSettledError):
            return None
        return arguments


class _NotSettledError(Exception):
    """The argument's value, or its error, is known only when the field is executed."""


def _settle(
    name: str, definition: GraphQLArgument, node: ArgumentNode | None, place: FieldPlace, coercer: VariableCoercer
) -> tuple[str | None, bool, Any] | None:
    """The variable that gives the argument, whether that may be missing, and the constant value without it.

    None stands for an argument that is simply not passed.
    """
    if node is not None and isinstance(node.value, VariableNode):
        return _settle_variable(node.value.name.value, definition, place, coercer)
    if node is not None and _has_variables(node.value):
        try:
            return None, False, composed(node.value, definition.type, coercer)
        except NotComposedError as error:
            raise _NotSettledError from error
    coerced: dict[str, Any] = {}
    try:
        coerce_argument(coerced, place.nodes[0], name, definition, node, None, None)
    except Exception as error:
        raise _NotSettledError from error
    if not coerced:
        return None
    (value,) = coerced.values()
    return None, False, _unchanging(value)


def _refuses_null(definition: GraphQLArgument, variable: str, coercer: VariableCoercer) -> bool:
    return isinstance(definition.type, GraphQLNonNull) and not coercer.never_null(variable)


def _settle_variable(
    variable: str, definition: GraphQLArgument, place: FieldPlace, coercer: VariableCoercer
) -> tuple[str | None, bool, Any]:
    if coercer.always_set(variable):
        return variable, False, Undefined
    if is_required_argument(definition):
        raise _NotSettledError
    coerced: dict[str, Any] = {}
    coerce_argument(coerced, place.nodes[0], "value", definition, None, None, None)
    value = next(iter(coerced.values()), Undefined)
    return variable, True, value if value is Undefined else _unchanging(value)


def _unchanging(value: Any) -> Any:
    """The value, if every request may share it: a converter makes its own copy of lists and objects of these."""
    if isinstance(value, dict):
        for part in value.values():
            _unchanging(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            _unchanging(part)
    elif not isinstance(value, UNCHANGING):
        raise _NotSettledError
    return value


class _VariableFinder(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def enter_variable(self, *_: object) -> None:
        self.found = True


def _has_variables(node: ValueNode) -> bool:
    if isinstance(node, NullValueNode):
        return False
    finder = _VariableFinder()
    visit(node, finder)
    return finder.found
