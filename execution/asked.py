"""What an operation asks for below a field: known when it is compiled, so that a resolver may read that and no more."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any, TypeVar

from graphql import Undefined

from execution.access import Access, Argument, Way
from execution.composed import Composed
from execution.variables import UNCHANGING

if TYPE_CHECKING:
    from execution.tree import FieldNodeOf

Path = tuple[str, ...]
Made = TypeVar("Made")


class Asked:
    """The fields below one field of a plan, by their names in Python. A path leads from field to field below."""

    __slots__ = ("_calls", "_constant", "_made", "_names", "_node")

    def __init__(self, node: "FieldNodeOf") -> None:
        self._node = node
        self._names: dict[Path, frozenset[str]] = {}
        self._calls: dict[Path, Access | None] = {}
        self._constant: dict[Path, dict[str, Any]] = {}
        self._made: dict[tuple[Any, Path], Any] = {}

    def names(self, *path: str) -> frozenset[str]:
        """The names of all fields that are asked for there, under whatever aliases and on whatever types."""
        found = self._names.get(path)
        if found is None:
            below = (below for node in self._at(path) for below in _below(node))
            found = self._names[path] = frozenset(_name(node) for node in below)
        return found

    def made_once(self, make: "Callable[[Asked, Path], Made]", *path: str) -> Made:
        """What a function makes of what is asked for there: made once, and forgotten with the plan."""
        key = (make, path)
        if key in self._made:
            known: Made = self._made[key]
            return known
        made = self._made[key] = make(self, path)
        return made

    def arguments(self, variables: Mapping[str, Any], *path: str) -> dict[str, Any] | None:
        """The arguments with which the one field there will be called.

        None where there is none, or more than one, or where its arguments are known only when it is called.
        """
        constant = self._constant.get(path)
        if constant is not None:
            return dict(constant)
        if path not in self._calls:
            nodes = self._at(path)
            self._calls[path] = nodes[0].access if len(nodes) == 1 else None
        access = self._calls[path]
        if access is None or access.way is not Way.RESOLVER or access.arguments is None:
            return None
        if any(isinstance(argument.fallback, Composed) for argument in access.arguments):
            return None
        given: dict[str, Any] = {}
        for argument in access.arguments:
            value = _value(argument, variables)
            if value is None and argument.refuses_null:
                return None
            if value is not Undefined:
                given[argument.python_name] = argument.convert(value)
        if all(argument.constant for argument in access.arguments) and all(
            isinstance(value, UNCHANGING) for value in given.values()
        ):
            self._constant[path] = dict(given)
        return given

    def _at(self, path: Path) -> "list[FieldNodeOf]":
        nodes = [self._node]
        for name in path:
            nodes = [below for node in nodes for below in _below(node) if _name(below) == name]
        return nodes


def _below(node: "FieldNodeOf") -> "list[FieldNodeOf]":
    return [below for selection in node.selections.values() for below in selection.fields]


def _name(node: "FieldNodeOf") -> str:
    found = node.place.strawberry_field
    return node.place.name if found is None else found.python_name


def _value(argument: Argument, variables: Mapping[str, Any]) -> Any:
    if argument.variable is not None and (not argument.optional or argument.variable in variables):
        return variables.get(argument.variable)
    fallback = argument.fallback
    return deepcopy(fallback) if isinstance(fallback, (dict, list, tuple)) else fallback
