"""What Strawberry makes of coerced arguments (input objects become its classes), worked out once per type."""

from collections.abc import Callable, Iterable
from dataclasses import MISSING
from typing import Any, cast

from strawberry.relay.types import GlobalID
from strawberry.schema import Schema
from strawberry.schema.compat import is_scalar
from strawberry.types.arguments import StrawberryArgument, convert_arguments
from strawberry.types.base import (
    StrawberryList,
    StrawberryMaybe,
    StrawberryObjectDefinition,
    StrawberryOptional,
    has_object_definition,
)
from strawberry.types.enum import StrawberryEnumDefinition, has_enum_definition
from strawberry.types.lazy_type import LazyType
from strawberry.types.unset import UNSET

Convert = Callable[[Any], Any]


class NotSimpleError(Exception):
    """This input must be converted by Strawberry itself."""


def same(value: Any) -> Any:
    """The converter of scalars and enums, which are ready when graphql-core has coerced them."""
    return value


class InputConverters:
    """Converters of argument values by Strawberry type; the same results as Strawberry's convert_argument."""

    def __init__(self, schema: Schema) -> None:
        self._config = schema.config
        self._registry = schema.schema_converter.scalar_registry
        self._objects: dict[int, tuple[StrawberryObjectDefinition, Convert]] = {}

    def of_argument(self, argument: StrawberryArgument) -> Convert:
        """The converter of an argument's value.

        Refusals: NotSimpleError, for what only Strawberry itself can convert.
        """
        return self._of(argument.type)

    def by_strawberry(self, values: dict[str, Any], arguments: list[StrawberryArgument], info: Any) -> dict[str, Any]:
        """Strawberry's own conversion, for the fields that have an argument which is not simple."""
        return convert_arguments(values, arguments, scalar_registry=self._registry, config=self._config, info=info)

    def _of(self, type_: Any) -> Convert:
        if isinstance(type_, StrawberryMaybe) or type_ is GlobalID:
            raise NotSimpleError
        if isinstance(type_, StrawberryOptional):
            return self._of(type_.of_type)
        if isinstance(type_, StrawberryList):
            return self._of_list(type_)
        if self._is_leaf(type_):
            return same
        if isinstance(type_, LazyType):
            return self._of(type_.resolve_type())
        if has_object_definition(type_):
            return self._of_object(type_.__strawberry_definition__, cast("type", type_))
        raise NotSimpleError

    def _is_leaf(self, type_: Any) -> bool:
        return (
            is_scalar(type_, self._registry)
            or isinstance(type_, StrawberryEnumDefinition)
            or has_enum_definition(type_)
        )

    def _of_list(self, type_: StrawberryList) -> Convert:
        item = self._of(type_.of_type)

        def convert(value: Any) -> Any:
            if value is None or value is UNSET:
                return value
            items = cast("Iterable[Any]", value)
            return list(items) if item is same else [item(one) for one in items]

        return convert

    def _of_object(self, definition: StrawberryObjectDefinition, class_: type) -> Convert:
        known = self._objects.get(id(definition))
        if known is not None:
            return known[1]
        if definition.from_input is not None or not definition.is_input:
            raise NotSimpleError
        fields: list[tuple[str, str, Convert]] = []
        implied: dict[str, None] = {}

        def convert(value: Any) -> Any:
            if value is None or value is UNSET:
                return value
            given: dict[str, Any] = dict(implied)
            for name, python_name, convert_field in fields:
                if name in value:
                    given[python_name] = convert_field(value[name])
            return class_(**given)

        self._objects[id(definition)] = (definition, convert)
        try:
            for field in definition.fields:
                if field.default_value is MISSING and field.default_factory is MISSING:
                    implied[field.python_name] = None
                type_ = field.resolve_type(type_definition=definition)
                name = self._config.name_converter.from_field(field)
                fields.append((name, field.python_name, self._of(type_)))
        except NotSimpleError:
            del self._objects[id(definition)]
            raise
        return convert
