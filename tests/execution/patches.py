"""Mocks put in the place of a schema's resolvers and attributes, until a block ends."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from zlib import crc32

import strawberry
from graphql import (
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_object_type,
)
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from tests.execution.mocks import READ, WRAPPED, Mocks


def is_kept(found: StrawberryField, definition: Any) -> bool:
    """Whether the field's answers are found by its own key: where it says so, and for some others that could."""
    if "kept" in found.metadata:
        return True
    could = is_object_type(get_nullable_type(definition.type)) and not definition.args and not found.extensions
    return could and "batch" not in found.metadata and crc32(found.python_name.encode()) % 2 == 0


@contextmanager
def mocked(schema: strawberry.Schema) -> Iterator[Mocks]:
    """Every resolver and every attribute of the schema's types stands mocked, until the block ends."""
    mocks = Mocks(schema)
    undo: list[Callable[[], None]] = []
    for type_ in schema._schema.type_map.values():
        definition = type_.extensions.get("strawberry-definition")
        if not isinstance(definition, StrawberryObjectDefinition) or definition.is_input:
            continue
        if isinstance(type_, GraphQLObjectType):
            mocks.types[definition.origin] = type_
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            undo.append(patched_attributes(definition.origin, mocks))
            if isinstance(type_, GraphQLObjectType):
                undo.append(patched_key(type_, definition.origin, mocks))
            undo.extend(patched_fields(type_, mocks))
    try:
        yield mocks
    finally:
        for restore in reversed(undo):
            restore()


def patched_attributes(origin: type, mocks: Mocks) -> Callable[[], None]:
    if "__getattr__" in vars(origin):
        return lambda: None

    def attribute(self: object, name: str) -> Any:  # a function, to be bound to each instance
        return mocks.attribute(self, name)

    origin.__getattr__ = attribute  # type: ignore[attr-defined]
    return lambda: delattr(origin, "__getattr__")


def patched_key(type_: GraphQLObjectType, origin: type, mocks: Mocks) -> Callable[[], None]:
    """Gives the objects of a type keys under which they may be kept: where it has some, and in two in three others."""
    if not hasattr(origin, "fragment_key") and crc32(type_.name.encode()) % 3 == 0:
        return lambda: None
    own = vars(origin).get("fragment_key")
    origin.fragment_key = lambda self, _context: mocks.fragment_key(self)  # type: ignore[attr-defined]

    def restore() -> None:
        if own is None:
            del origin.fragment_key  # type: ignore[attr-defined]
        else:
            origin.fragment_key = own  # type: ignore[attr-defined]

    return restore


def patched_fields(type_: Any, mocks: Mocks) -> list[Callable[[], None]]:
    undo: list[Callable[[], None]] = []
    for definition in type_.fields.values():
        found = definition.extensions.get("strawberry-definition")
        resolver = found.base_resolver if isinstance(found, StrawberryField) else None
        if resolver is None:
            continue
        own, metadata = resolver.wrapped_func, found.metadata
        stand_in: Any = None
        if "reads" in metadata:
            stand_in = mocks.mock_reading(found)
            found.metadata = {"reads": f"{READ}{found.python_name}"}
        elif "wraps" in metadata:
            _, field = metadata["wraps"]
            stand_in = mocks.mock_wrapping(found, definition.type, field)
            found.metadata = {"wraps": (WRAPPED, field)}
            wrapped = GraphQLNonNull(GraphQLList(get_named_type(definition.type).fields[field].type))
            mocks.wrapped.setdefault(type_.extensions["strawberry-definition"].origin, wrapped)
        elif is_kept(found, definition):
            stand_in = mocks.mock_kept(found, definition.type)
            found.metadata = {"pure": True, "kept": ("kept_key", lambda _context: mocks.world)}
        elif "batch" not in metadata or definition.args:
            found.metadata = {"pure": True}  # a mocked value depends on its parent and the arguments alone
        else:
            stand_in = mocks.mock_batched(found, definition.type, "batch_key")
            name, output = found.python_name, definition.type
            found.metadata = {
                "batch": ("batch_key", lambda _context, name=name, output=output: mocks.loader(name, output))
            }
        if getattr(own, "mocks", None) is not mocks:  # types of one class share their resolvers
            stand_in = stand_in or mocks.mock(found, definition.type)
            stand_in.mocks = mocks
            resolver.wrapped_func = stand_in

        def restore(resolver: Any = resolver, own: Any = own, found: Any = found, metadata: Any = metadata) -> None:
            resolver.wrapped_func = own
            found.metadata = metadata

        undo.append(restore)
    return undo
