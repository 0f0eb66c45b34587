"""The source text that completes a scalar or an enum, for values of the expected kind."""

from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum, Flag
from typing import Final
from uuid import UUID

from graphql import (
    GraphQLBoolean,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLNamedOutputType,
    GraphQLString,
)
from strawberry.schema.schema_converter import CustomGraphQLEnumType

from execution.completion import serializer

Bind = Callable[[str, object], str]

# Of these classes a value is never an error, nor to be awaited: it can be serialised at once.
PLAIN: Final = frozenset({str, int, float, bool, dict, list, tuple, bytes, date, datetime, time, Decimal, UUID})

READY: Final[tuple[tuple[GraphQLLeafType, str], ...]] = (
    (GraphQLString, "v.__class__ is not str"),
    (GraphQLID, "v.__class__ is not str"),
    (GraphQLBoolean, "v.__class__ is not bool"),
    (GraphQLInt, "(v.__class__ is not int or not -2147483648 <= v <= 2147483647)"),
    (GraphQLFloat, "(v.__class__ is not float or not isfinite(v))"),
)


def leaf_lines(leaf: GraphQLNamedOutputType, otherwise: list[str], *, non_null: bool, bind: Bind) -> list[str]:
    """Statements that serialise `v` where it is of the expected kind, and do `otherwise` where it is not."""
    nested = [f"    {line}" for line in otherwise]
    for known, unready in READY:
        if leaf is known:
            return [f"if {'' if non_null else 'v is not None and '}{unready}:", *nested]
    last = "else:" if non_null else "elif v is not None:"
    names = enum_names(leaf)
    if isinstance(leaf, CustomGraphQLEnumType) and names is not None:
        same = all(member == name for member, name in names.items())
        shown = "v._name_" if same else f"{bind('N', names)}[v._name_]"
        return [f"if v.__class__ is {bind('C', leaf.wrapped_cls)}:", f"    v = {shown}", last, *nested]
    assert isinstance(leaf, GraphQLLeafType), "every other type has selections"
    serialise = bind("S", leaf.coerce_output_value)
    return [
        f"if v.__class__ in {bind('C', PLAIN)}:",
        f"    s = {serialise}(v)",
        f"    v = {bind('S', serializer(leaf))}(v) if s is None or s is Undefined else s",  # which says what is wrong
        last,
        *nested,
    ]


def enum_names(leaf: GraphQLNamedOutputType) -> dict[str, str] | None:
    """The shown name of each member of an enum by its Python name; None where only the type itself can tell."""
    if type(leaf) is not CustomGraphQLEnumType:
        return None
    try:
        members: list[Enum] = list(leaf.wrapped_cls)
        if any(isinstance(member, Flag) for member in members):
            return None  # flags that are joined have no name of their own
        return {member.name: leaf.coerce_output_value(member) for member in members}
    except Exception:  # noqa: BLE001  (a member that the schema leaves out)
        return None
