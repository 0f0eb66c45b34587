"""The source text that answers a list whose items are known by column, without the items.

Only what cannot go wrong is answered so. Whatever is not as expected (a column that is not there, a value of another
class, a null where none may be, something that is not kept serialised yet) leaves the whole list to its items.
"""

from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLID,
    GraphQLLeafType,
    GraphQLNamedOutputType,
    GraphQLString,
    Undefined,
    is_leaf_type,
    is_object_type,
)
from strawberry.schema.schema_converter import CustomGraphQLEnumType

from execution.access import Way
from execution.calls import attribute_text
from execution.completion import plain_class
from execution.leaves import PLAIN, enum_names
from execution.tree import FieldNodeOf, Selection, unwrapped, wraps_alone

_LIST_OF_ITEMS = 2  # levels
_AS_THEY_ARE: Mapping[GraphQLNamedOutputType, type] = {GraphQLString: str, GraphQLID: str, GraphQLBoolean: bool}


class _NeedsItems(Exception):
    """What is asked can be had of the items alone."""


class ByColumn:
    """Writes the function of one list."""

    def __init__(self, bind: Callable[[str, object], str], namespace: Mapping[str, Any]) -> None:
        self._bind = bind
        self._namespace = namespace
        self._lines: list[str] = []
        self._columns: list[str] = []

    def write(self, node: FieldNodeOf, *, name: str) -> str | None:
        """The function, or None where the items are needed for what is asked of them."""
        if len(node.levels) != _LIST_OF_ITEMS or not is_object_type(node.leaf):
            return None
        try:
            item = self._object(unwrapped(node) if wraps_alone(node) else _selection_of(node))
        except _NeedsItems:
            return None
        if not self._columns:
            return None
        node.by_column = name
        each, columns = ", ".join(f"v{column}" for column in self._columns), ", ".join(self._columns)
        lines = [
            f"def {name}(columns, X):",
            f'    """{node.place.key}, by column; None: to be had of its items"""',
            "    try:",
            *(f"        {line}" for line in self._lines),
            f"        return [{item} for {each}, in zip({columns}, strict=True)]",
            "    except Exception:",
            "        return None",
        ]
        return "\n".join(lines)

    def _object(self, selection: Selection) -> str:
        """An expression of one item's answer, or of what it wraps."""
        if plain_class(selection.type) is None:
            raise _NeedsItems
        return f"{{{', '.join(f'{node.place.key!r}: {self._value(node)}' for node in selection.fields)}}}"

    def _value(self, node: FieldNodeOf) -> str:
        access, place = node.access, node.place
        if access.way is Way.TYPENAME:
            return repr(place.parent.name)
        if node.is_asked or len(node.levels) > 1:
            raise _NeedsItems
        if access.way is Way.ITSELF and is_object_type(node.leaf):
            return self._object(_selection_of(node))
        if access.way is Way.ATTRIBUTE and is_leaf_type(node.leaf):
            return self._leaf(node.leaf, access.attribute, non_null=place.non_null)
        function = node.functions.get(node.leaf.name, "")
        if access.way is Way.RESOLVER and place.kept is not None and function.endswith("_shared"):
            answers = self._bind("B", self._namespace[function].of_field(place.kept))
            column = self._column(place.kept.key)
            self._lines += [
                f"{column} = [*map({answers}(X).get, {column})]",
                f"if None in {column}:",
                "    return None",
            ]
            return f"v{column}"
        raise _NeedsItems

    def _column(self, attribute: str) -> str:
        column = self._bind("c", None)
        self._columns.append(column)
        self._lines += [f"{column} = columns.column({attribute!r})", f"if {column} is None:", "    return None"]
        return column

    def _leaf(self, leaf: GraphQLLeafType, attribute: str, *, non_null: bool) -> str:
        """The column of a scalar or an enum, serialised."""
        column = self._column(attribute)
        known = _AS_THEY_ARE.get(leaf)
        names = enum_names(leaf)
        if known is not None:
            self._hold(column, {known}, non_null=non_null)
        elif isinstance(leaf, CustomGraphQLEnumType) and names is not None and non_null:
            self._hold(column, {leaf.wrapped_cls}, non_null=True)
            same = all(member == shown for member, shown in names.items())
            shown = "v._name_" if same else f"{self._bind('N', names)}[v._name_]"
            self._lines.append(f"{column} = [{shown} for v in {column}]")
        else:
            self._hold(column, PLAIN, non_null=True)
            self._lines.append(f"{column} = [*map({self._bind('S', leaf.coerce_output_value)}, {column})]")
            nothing = self._bind("C", frozenset({NoneType, type(Undefined)}))
            self._lines += [f"if not {nothing}.isdisjoint(map(type, {column})):", "    return None"]
        return f"v{column}"

    def _hold(self, column: str, classes: Any, *, non_null: bool) -> None:
        allowed = frozenset(classes) if non_null else frozenset({*classes, NoneType})
        self._lines += [f"if not {{*map(type, {column})}} <= {self._bind('C', allowed)}:", "    return None"]


def by_column_first(node: FieldNodeOf, o: str, otherwise: list[str]) -> list[str]:
    """Statements that answer the field by column, where the object `o` has them, and else do `otherwise`."""
    assert node.place.columns is not None, "only such a list was written by column"
    return [
        f"v = {attribute_text(node.place.columns, o)}",
        "if v is not None:",
        f"    v = {node.by_column}(v, X)",
        "if v is None:",
        *(f"    {line}" for line in otherwise),
    ]


def _selection_of(node: FieldNodeOf) -> Selection:
    return node.selections[node.leaf.name]
