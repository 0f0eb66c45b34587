"""Objects that many answers show alike are serialised once per version and selection."""

from collections.abc import Callable, Hashable
from typing import Any, Final

from graphql import GraphQLObjectType

from execution.access import Way
from execution.completion import plain_class
from execution.places import Complete, PathTuple
from execution.state import Coroutine, State
from execution.tree import Selection

Serialise = Callable[[dict[str, object]], object]
MOST_KEPT: Final = 1000  # of one selection; then all are forgotten, as after a change of the whole catalogue


class SharedSelection:
    """A selection whose answers are kept, serialised, by the key that the object gives."""

    __slots__ = ("_kept", "_select", "_serialise")

    def __init__(self, select: Complete, serialise: Serialise) -> None:
        self._select = select
        self._serialise = serialise
        self._kept: dict[Hashable, object] = {}

    def __call__(self, value: Any, path: PathTuple, state: State) -> Any:
        """The kept answer, or the selection's own, which is then kept unless it met an error."""
        key_of = getattr(value, "fragment_key", None)
        key: Hashable = None if key_of is None else key_of(state.context)
        if key is None:
            return self._select(value, path, state)
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        errors = len(state.errors)
        data = self._select(value, path, state)
        if data.__class__ is Coroutine or len(state.errors) != errors:
            return data
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        kept = self._kept[key] = self._serialise(data)
        return kept


def can_be_shared(selection: Selection) -> bool:
    """Whether the type gives keys, and the selection depends on nothing but the object."""
    return _gives_keys(selection.type) and _is_pure(selection)


def _gives_keys(object_type: GraphQLObjectType) -> bool:
    class_ = plain_class(object_type)
    return class_ is not None and hasattr(class_, "fragment_key")


def _is_pure(selection: Selection) -> bool:
    return all(
        (node.access.way in {Way.TYPENAME, Way.ATTRIBUTE} or node.access.pure)
        and all(_is_pure(below) for below in node.selections.values())
        for node in selection.fields
    )
