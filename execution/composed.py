"""Arguments that are written out with variables in them: `input: {id: $id, amounts: [1, $more]}`.

Only those are composed here whose coercion cannot fail whatever the request brings: every variable is always set, and
never null where null is refused. All others are left to graphql-core.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    is_required_input_field,
)
from graphql.utilities.coerce_input_value import coerce_default_value, coerce_input_literal

from execution.variables import UNCHANGING, VariableCoercer

Bind = Callable[[str, object], str]


class NotComposedError(Exception):
    """Only graphql-core can coerce this literal."""


@dataclass(frozen=True, slots=True)
class Composed:
    """A literal as an expression over the variables `V`, made of texts and of constants between them."""

    parts: tuple["str | Constant", ...]

    def text(self, bind: Bind) -> str:
        """The expression. A constant that has no exact text is bound to a name."""
        return "".join(part if isinstance(part, str) else part.text(bind) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that every request may share."""

    value: Any

    def text(self, bind: Bind) -> str:
        """Its text, or its name."""
        exact = type(self.value) in {str, int, bool, type(None)}
        return repr(self.value) if exact else bind("K", self.value)


def composed(node: ValueNode, type_: GraphQLInputType, coercer: VariableCoercer) -> Composed:
    """The literal at a place of this type.

    Refusals: NotComposedError.
    """
    return Composed(tuple(_parts(node, type_, coercer)))


def _parts(node: ValueNode, type_: GraphQLInputType, coercer: VariableCoercer) -> list[str | Constant]:
    if isinstance(node, VariableNode):
        return [_variable(node.name.value, type_, coercer)]
    if isinstance(type_, GraphQLNonNull):
        if isinstance(node, NullValueNode):
            raise NotComposedError
        return _parts(node, type_.of_type, coercer)
    if isinstance(node, NullValueNode):
        return ["None"]
    if isinstance(type_, GraphQLList):
        items = node.values if isinstance(node, ListValueNode) else (node,)
        return ["[", *(part for item in items for part in (*_parts(item, type_.of_type, coercer), ", ")), "]"]
    if isinstance(type_, GraphQLInputObjectType):
        return _object_parts(node, type_, coercer)
    if isinstance(node, (ListValueNode, ObjectValueNode)):  # a scalar that takes them: its variables are its own affair
        raise NotComposedError
    return _written(coerce_input_literal(node, type_))


def _variable(name: str, type_: GraphQLInputType, coercer: VariableCoercer) -> str:
    if not coercer.always_set(name) or (isinstance(type_, GraphQLNonNull) and not coercer.never_null(name)):
        raise NotComposedError
    return f"V[{name!r}]"


def _object_parts(node: ValueNode, type_: GraphQLInputObjectType, coercer: VariableCoercer) -> list[str | Constant]:
    plain = not type_.is_one_of and type_.out_type is GraphQLInputObjectType.out_type
    if not plain or not isinstance(node, ObjectValueNode):
        raise NotComposedError
    given = {field.name.value: field.value for field in node.fields}
    if not type_.fields.keys() >= given.keys():
        raise NotComposedError
    parts: list[str | Constant] = ["{"]
    for name, field in type_.fields.items():
        key = f"{(field.out_name or name)!r}: "
        if name in given:
            parts += [key, *_parts(given[name], field.type, coercer), ", "]
        elif is_required_input_field(field):
            raise NotComposedError
        elif (default := coerce_default_value(field)) is not Undefined:
            parts += [key, *_written(default), ", "]
    return [*parts, "}"]


def _written(value: Any) -> list[str | Constant]:
    """A value that has no variables in it; its lists and objects are made anew for each request."""
    if type(value) is list:
        return ["[", *(part for item in value for part in (*_written(item), ", ")), "]"]
    if type(value) is dict:
        pairs = ((Constant(key), ": ", *_written(item), ", ") for key, item in value.items())
        return ["{", *(part for pair in pairs for part in pair), "}"]
    if not isinstance(value, UNCHANGING):
        raise NotComposedError
    return [Constant(value)]
