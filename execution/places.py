"""Places of a response: a field, or an item of a list, where a value is completed and a null may stop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

from graphql import FieldNode, GraphQLField, GraphQLObjectType, GraphQLOutputType
from strawberry.types.field import StrawberryField

if TYPE_CHECKING:
    from execution.state import State

# A response path as graphql-core's Path has it (previous, key, type name), but as a plain tuple.
PathTuple = tuple[Optional["PathTuple"], str | int, str | None]
Complete = Callable[[Any, PathTuple, "State"], Any]


def not_compiled_yet(_value: object, _path: PathTuple, _state: "State") -> Any:
    """Stands where the generated code will be put."""
    raise AssertionError("the plan was not compiled")


class Place:
    """One level of a field's type: the field itself, or the items of a list in it.

    `complete` turns a resolved value into what the response shows (the specification's CompleteValue) and may return
    a coroutine. `null_up` says how many path segments above this place the nearest place stands that may be null
    (0 is this one), within the region of batched loading; None when there is none in the region.
    """

    __slots__ = ("complete", "field", "non_null", "null_up", "type")

    def __init__(self, output_type: GraphQLOutputType, *, non_null: bool) -> None:
        self.type = output_type
        self.non_null = non_null
        self.complete: Complete = not_compiled_yet
        self.null_up: int | None = None
        self.field: FieldPlace


@dataclass(frozen=True, slots=True)
class Batch:
    """How a field is loaded for all parents of a level in one go; see README.md for the protocol."""

    key: Callable[[Any], object] | str
    loader: Callable[[Any], Any]
    make: Callable[[Any, Any, Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a field's serialised value may stand already; see README.md for the protocol."""

    key: str
    world: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Wraps:
    """A list whose items each wrap one of another list of the parent's; see README.md for the protocol."""

    items: str
    field: str


class FieldPlace(Place):
    """A field as one operation asks for it."""

    __slots__ = (
        "asked", "batch", "columns", "definition", "kept", "key", "name", "nodes", "parent", "strawberry_field",
        "wraps",
    )  # fmt: skip

    def __init__(
        self,
        output_type: GraphQLOutputType,
        *,
        non_null: bool,
        key: str,
        parent: GraphQLObjectType,
        definition: GraphQLField,
        nodes: Sequence[FieldNode],
    ) -> None:
        super().__init__(output_type, non_null=non_null)
        self.field = self
        self.key = key
        self.parent = parent
        self.definition = definition
        self.nodes = list(nodes)
        self.name = nodes[0].name.value
        found = definition.extensions.get("strawberry-definition")
        self.strawberry_field = found if isinstance(found, StrawberryField) else None
        self.batch: Batch | None = None
        self.kept: Kept | None = None
        self.wraps: Wraps | None = None
        self.columns: str | None = None
        self.asked: Any = None


class ItemPlace(Place):
    """The items of a list."""

    __slots__ = ()

    def __init__(self, output_type: GraphQLOutputType, *, non_null: bool, field: FieldPlace) -> None:
        super().__init__(output_type, non_null=non_null)
        self.field = field
