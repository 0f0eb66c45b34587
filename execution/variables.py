"""Variables coerced by functions made once per operation; whatever is not plainly right is left to graphql-core."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from math import isfinite
from typing import Any, Final
from uuid import UUID

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLError,
    GraphQLFloat,
    GraphQLID,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    GraphQLString,
    OperationDefinitionNode,
    Undefined,
    is_required_input_field,
)
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import (
    VariableValues,
    VariableValueSource,
    get_variable_values,
    input_is_nested_too_deeply,
)
from graphql.utilities.coerce_input_value import coerce_default_value, coerce_input_value

Coerce = Callable[[Any], Any]
MAX_ERRORS: Final = 50  # as graphql-core's execute
SMALLEST_INT: Final = -(2**31)
LARGEST_INT: Final = 2**31 - 1
UNCHANGING: Final = (str, int, float, bool, type(None), Enum, date, time, timedelta, UUID, Decimal)


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of an operation."""

    name: str
    signature: GraphQLVariableSignature
    nullable: bool
    has_default: bool
    default: Any
    coerce: Coerce


class VariableCoercer:
    """Coerces the variables of one operation; the same values and errors as graphql-core's get_variable_values."""

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._nodes = tuple(operation.variable_definitions or ())
        self._variables: list[Variable] = []
        for node in self._nodes:
            signature = get_variable_signature(schema, node)
            if isinstance(signature, GraphQLError):
                raise TypeError(signature.message)
            self._variables.append(
                Variable(
                    name=signature.name,
                    signature=signature,
                    nullable=not isinstance(signature.type, GraphQLNonNull),
                    has_default=node.default_value is not None,
                    default=_unchanging_default(signature),
                    coerce=coercer(signature.type),
                )
            )

    def __call__(self, given: Mapping[str, object]) -> dict[str, Any] | list[GraphQLError]:
        """The coerced values by name, or the errors that refuse the request."""
        coerced: dict[str, Any] = {}
        for variable in self._variables:
            value = given.get(variable.name, Undefined)
            if value is Undefined:
                if variable.default is not Undefined:
                    coerced[variable.name] = variable.default
                    continue
                if variable.nullable and not variable.has_default:
                    continue
                return self._by_graphql_core(given)
            if value is None:
                if not variable.nullable:
                    return self._by_graphql_core(given)
                coerced[variable.name] = None
                continue
            fit = _attempt(variable.coerce, value)
            if fit is Undefined:
                return self._by_graphql_core(given)
            coerced[variable.name] = fit
        return coerced

    def _by_graphql_core(self, given: Mapping[str, object]) -> dict[str, Any] | list[GraphQLError]:
        values = get_variable_values(self._schema, self._nodes, dict(given), max_errors=MAX_ERRORS)
        return values if isinstance(values, list) else values.coerced

    def with_sources(self, given: Mapping[str, object], coerced: dict[str, Any]) -> VariableValues:
        """The values as graphql-core carries them: beside each the input it came from."""
        sources = {
            variable.name: VariableValueSource(variable.signature, given[variable.name])
            if variable.name in given
            else VariableValueSource(variable.signature)
            for variable in self._variables
        }
        return VariableValues(sources, coerced)

    def always_set(self, name: str) -> bool:
        """Whether the variable has a value in every execution (perhaps null)."""
        return any(
            variable.name == name and (variable.has_default or not variable.nullable) for variable in self._variables
        )

    def never_null(self, name: str) -> bool:
        """Whether the variable is declared non-null."""
        return any(variable.name == name and not variable.nullable for variable in self._variables)


def _attempt(coerce: Coerce, value: object) -> Any:
    try:
        return coerce(value)
    except Exception:  # noqa: BLE001  (graphql-core will say what is wrong)
        return Undefined


def _unchanging_default(signature: GraphQLVariableSignature) -> Any:
    """The variable's default when every request may share it; Undefined when there is none or it could be changed."""
    default = _attempt(coerce_default_value, signature)
    return default if isinstance(default, UNCHANGING) else Undefined


def _string(value: Any) -> Any:
    return value if value.__class__ is str else Undefined


def _boolean(value: Any) -> Any:
    return value if value.__class__ is bool else Undefined


def _int(value: Any) -> Any:
    return value if value.__class__ is int and SMALLEST_INT <= value <= LARGEST_INT else Undefined


def _float(value: Any) -> Any:
    return value if value.__class__ is float and isfinite(value) else Undefined


PLAIN: Final[Mapping[str, tuple[GraphQLInputType, Coerce]]] = {
    "String": (GraphQLString, _string),
    "ID": (GraphQLID, _string),
    "Boolean": (GraphQLBoolean, _boolean),
    "Int": (GraphQLInt, _int),
    "Float": (GraphQLFloat, _float),
}


def coercer(type_: GraphQLInputType) -> Coerce:
    """A function from a value that is not null to what graphql-core coerces it to.

    Undefined stands for what graphql-core must look at itself, be it wrong or only unusual.
    """
    return _coercer(type_, ()) or _general(type_)


def _general(type_: GraphQLInputType) -> Coerce:
    def coerce(value: Any) -> Any:
        return Undefined if input_is_nested_too_deeply(value, type_) else coerce_input_value(value, type_)

    return coerce


def _coercer(type_: Any, within: tuple[str, ...]) -> Coerce | None:
    """The coercer of a type; None for an input type that contains itself, where only graphql-core bounds the depth."""
    if isinstance(type_, GraphQLNonNull):
        return _coercer(type_.of_type, within)
    if isinstance(type_, GraphQLList):
        return _list_coercer(type_, within)
    if isinstance(type_, GraphQLInputObjectType):
        return None if type_.name in within else _object_coercer(type_, (*within, type_.name))
    core, plain = PLAIN.get(type_.name, (None, None))
    if plain is not None and core is type_:
        return plain
    return _leaf_coercer(type_)


def _leaf_coercer(type_: Any) -> Coerce:
    coerce_value = type_.coerce_input_value
    only_strings = isinstance(type_, GraphQLEnumType)

    def coerce(value: Any) -> Any:
        return Undefined if only_strings and value.__class__ is not str else _attempt(coerce_value, value)

    return coerce


def _list_coercer(type_: GraphQLList[Any], within: tuple[str, ...]) -> Coerce | None:
    item = _coercer(type_.of_type, within)
    if item is None:
        return None
    nullable = not isinstance(type_.of_type, GraphQLNonNull)

    def coerce(value: Any) -> Any:
        if value.__class__ is not list:
            return Undefined
        coerced = []
        for one in value:
            fit = (None if nullable else Undefined) if one is None else item(one)
            if fit is Undefined:
                return Undefined
            coerced.append(fit)
        return coerced

    return coerce


@dataclass(frozen=True, slots=True)
class _InputField:
    name: str
    out_name: str
    required: bool
    nullable: bool
    default: Callable[[], Any]
    coerce: Coerce


def _object_coercer(type_: GraphQLInputObjectType, within: tuple[str, ...]) -> Coerce | None:
    if type_.is_one_of:
        return _general(type_)
    fields: list[_InputField] = []
    for name, field in type_.fields.items():
        coerce_field = _coercer(field.type, within)
        if coerce_field is None:
            return None
        fields.append(
            _InputField(
                name=name,
                out_name=field.out_name or name,
                required=is_required_input_field(field),
                nullable=not isinstance(field.type, GraphQLNonNull),
                default=partial(coerce_default_value, field),
                coerce=coerce_field,
            )
        )
    names = frozenset(type_.fields)

    def coerce(value: Any) -> Any:
        if value.__class__ is not dict or not names.issuperset(value):
            return Undefined
        coerced: dict[str, Any] = {}
        for field in fields:
            fit = _field_value(field, value)
            if fit is Undefined:
                if field.required or field.name in value:
                    return Undefined
                continue
            coerced[field.out_name] = fit
        return type_.out_type(coerced)

    return coerce


def _field_value(field: _InputField, value: dict[str, Any]) -> Any:
    one = value.get(field.name, Undefined)
    if one is Undefined:
        return Undefined if field.required else field.default()
    if one is None:
        return None if field.nullable else Undefined
    return field.coerce(one)
