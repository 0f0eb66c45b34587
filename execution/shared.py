"""Objects that many answers show alike are serialised once per version and selection."""

from collections.abc import Callable, Hashable
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet

from graphql import GraphQLObjectType

from execution.access import Way
from execution.completion import plain_class
from execution.places import Complete, Kept, PathTuple, not_compiled_yet
from execution.state import Coroutine, State
from execution.tree import Selection

Serialise = Callable[[dict[str, object]], object]
MOST_BYTES: Final = 64 * 1024 * 1024  # kept by one executor; then all is forgotten
UNKNOWN_BYTES: Final = 1_000  # of what does not tell its size


def no_key(_value: object, _context: object) -> None:
    """Of no class yet."""


class Shelf:
    """What one executor keeps serialised, in all its plans."""

    __slots__ = ("_bytes", "_selections", "most_bytes", "serialise")

    def __init__(self, serialise: Serialise, *, most_bytes: int = MOST_BYTES) -> None:
        self.serialise: Final = serialise
        self.most_bytes: Final = most_bytes
        self._bytes = 0
        self._selections: WeakSet[SharedSelection] = WeakSet()

    def add(self, selection: "SharedSelection") -> None:
        """One more selection that keeps its answers here."""
        self._selections.add(selection)

    def serialised(self, data: dict[str, object]) -> object:
        """The data serialised, to be kept; makes room first where there is none."""
        kept = self.serialise(data)
        size = len(getattr(kept, "contents", b"")) or UNKNOWN_BYTES
        self._bytes += size
        if self._bytes > self.most_bytes:
            for selection in self._selections:
                selection.forget()
            self._bytes = size
        return kept


class SharedSelection:
    """A selection whose answers are kept, serialised, by the key that the object gives."""

    __slots__ = ("__weakref__", "_class", "_kept", "_key_of", "_select", "_shelf", "_worlds")

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._select: Complete = not_compiled_yet
        self._kept: dict[Hashable, object] = {}
        # The class whose objects are kept, and its method: two classes may give the same key.
        self._class: type | None = None
        self._key_of: Callable[[Any, Any], Hashable | None] = no_key
        # Those of fields that are looked up by their own keys, in worlds that live as long as what they show.
        self._worlds: WeakKeyDictionary[Any, dict[Any, object]] = WeakKeyDictionary()
        shelf.add(self)

    def select_by(self, select: Complete) -> None:
        """The function that selects when nothing is kept."""
        self._select = select

    def forget(self) -> None:
        """Keeps nothing any more."""
        self._kept.clear()
        self._worlds.clear()

    def __call__(self, value: Any, path: PathTuple, state: State) -> Any:
        """The kept answer, or the selection's own, which is then kept unless it met an error."""
        return self._answer(value, path, state)[0]

    def _answer(self, value: Any, path: PathTuple, state: State) -> tuple[Any, bool]:
        """The answer, and whether it is one that is kept."""
        if value.__class__ is not self._class and not self._is_first(value.__class__):
            return self._select(value, path, state), False
        key = self._key_of(value, state.context)
        if key is None:
            return self._select(value, path, state), False
        kept = self._kept.get(key)
        if kept is not None:
            return kept, True
        errors = state.errors_met
        data = self._select(value, path, state)
        if data.__class__ is Coroutine or state.errors_met != errors:
            return data, False
        kept = self._shelf.serialised(data)
        self._kept[key] = kept
        return kept, True

    def _is_first(self, class_: Any) -> bool:
        """Whether the class is the first that gives keys; from then on it is this selection's."""
        if self._class is not None or not hasattr(class_, "fragment_key"):
            return False
        self._class, self._key_of = class_, class_.fragment_key
        return True

    def of_field(self, field: Kept) -> Callable[[State], dict[Any, object]]:
        """What finds the answers of a field by its own key: those of the world that the request is in."""

        def answers(state: State) -> dict[Any, object]:
            world = field.world(state.context)
            if world is None:
                return {}
            found = self._worlds.get(world)
            if found is None:
                found = self._worlds[world] = {}
            return found

        return answers

    def keep(self, answers: dict[Any, object], key: Any, value: Any, path: PathTuple, state: State) -> Any:
        """The same as a call, for a field that looks its answers up by a key of its own."""
        answer, is_kept = self._answer(value, path, state)
        if is_kept:
            answers[key] = answer
        return answer


def can_be_shared(selection: Selection) -> bool:
    """Whether the type gives keys, and the selection depends on nothing but the object."""
    return _gives_keys(selection.type) and _is_pure(selection)


def _gives_keys(object_type: GraphQLObjectType) -> bool:
    class_ = plain_class(object_type)
    return class_ is not None and hasattr(class_, "fragment_key")


def _is_pure(selection: Selection) -> bool:
    return all(
        (node.access.way in {Way.TYPENAME, Way.ATTRIBUTE} or node.access.pure)
        and node.place.batch is None  # what is loaded is put in its place later
        and all(_is_pure(below) for below in node.selections.values())
        for node in selection.fields
    )
