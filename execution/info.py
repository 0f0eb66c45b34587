from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
)
from graphql.pyutils import Path, gather_with_cancel
from graphql.type import GraphQLResolveInfoHelpers
from strawberry.execution import optimized_is_awaitable

from execution.places import FieldPlace, PathTuple

if TYPE_CHECKING:
    from execution.asked import Asked
    from execution.state import State


def as_path(path: PathTuple) -> Path:
    """graphql-core's own Path of a path that was carried as plain tuples, which are much cheaper to make."""
    previous, key, typename = path
    return Path(None if previous is None else as_path(previous), key, typename)


def path_keys(path: PathTuple) -> list[str | int]:
    """The path as the response writes it: from the root to the field."""
    keys: list[str | int] = []
    here: PathTuple | None = path
    while here is not None:
        keys.append(here[1])
        here = here[0]
    return keys[::-1]


class ResolveInfo:
    """What graphql-core's GraphQLResolveInfo tells a resolver, worked out only when it asks."""

    __slots__ = ("_path", "_place", "_state")

    def __init__(self, state: "State", place: FieldPlace, path: PathTuple) -> None:
        self._state = state
        self._place = place
        self._path = path

    @property
    def context(self) -> Any:
        """The caller's context."""
        return self._state.context

    @property
    def field_name(self) -> str:
        """The field's name in the schema."""
        return self._place.name

    @property
    def field_nodes(self) -> list[FieldNode]:
        """Where the document asks for the field."""
        return list(self._place.nodes)

    @property
    def return_type(self) -> GraphQLOutputType:
        """The field's type."""
        return self._place.definition.type

    @property
    def parent_type(self) -> GraphQLObjectType:
        """The type that has the field."""
        return self._place.parent

    @property
    def path(self) -> Path:
        """Where in the response the field stands."""
        return as_path(self._path)

    @property
    def schema(self) -> GraphQLSchema:
        """The schema being executed."""
        return self._state.operation.schema

    @property
    def fragments(self) -> dict[str, FragmentDefinitionNode]:
        """The document's fragments by name."""
        return self._state.operation.fragments

    @property
    def root_value(self) -> Any:
        """The root value (the event, in a subscription)."""
        return self._state.root

    @property
    def operation(self) -> OperationDefinitionNode:
        """The operation being executed."""
        return self._state.operation.node

    @property
    def variable_values(self) -> dict[str, Any]:
        """The coerced variables by name."""
        return self._state.variables

    @property
    def is_awaitable(self) -> Any:
        """Tells a value from one that must be awaited."""
        return optimized_is_awaitable

    @property
    def asked(self) -> "Asked":
        """What is asked for below the field: not of graphql-core, for resolvers that look ahead (see README.md)."""
        asked: Asked = self._place.asked
        return asked

    @property
    def abort_signal(self) -> None:
        """Never given: a request is cancelled by cancelling its task."""
        return

    @property
    def async_helpers(self) -> GraphQLResolveInfoHelpers:
        """Helpers for resolvers that gather work of their own."""
        return GraphQLResolveInfoHelpers(gather=_gather, track=self._state.track)

    @property
    def operation_extensions(self) -> dict[str, Any] | None:
        """Never given."""
        return None


def _gather(values: Sequence[Awaitable[Any]]) -> Awaitable[list[Any]]:
    return gather_with_cancel(*values)
