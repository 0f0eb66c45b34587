"""A resolver with Strawberry's field extensions around it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from strawberry.extensions import FieldExtension
from strawberry.extensions.field_extension import build_field_extension_resolvers
from strawberry.types.field import StrawberryField


class ExtensionChain:
    """Calls a resolver through its extensions, as Strawberry chains them, with arguments that are ready."""

    __slots__ = ("_around", "_function", "_passes_self", "_wants_info")

    def __init__(
        self,
        function: Callable[..., Any],
        around: Sequence[Callable[..., Any]],
        *,
        passes_self: bool,
        wants_info: bool,
    ) -> None:
        self._function = function
        self._around = around
        self._passes_self = passes_self
        self._wants_info = wants_info

    def __call__(self, source: Any, info: Any, /, **arguments: Any) -> Any:
        """The resolved value, or an awaitable of it."""

        def resolve(_source: Any, info: Any, **given: Any) -> Any:
            if self._wants_info:
                given["info"] = info
            return self._function(source, **given) if self._passes_self else self._function(**given)

        call: Callable[..., Any] = resolve
        for around in self._around:
            call = partial(around, call)
        return call(source, info, **arguments)


def chain_of(field: StrawberryField) -> ExtensionChain | None:
    """The field's chain; None when an extension reshapes arguments, which is then Strawberry's to do."""
    resolver = field.base_resolver
    if resolver is None or not callable(resolver.wrapped_func):
        return None
    if any(type(extension).map_arguments is not FieldExtension.map_arguments for extension in field.extensions):
        return None
    return ExtensionChain(
        resolver.wrapped_func,
        build_field_extension_resolvers(field),
        passes_self=resolver.self_parameter is not None,
        wants_info=resolver.info_parameter is not None and resolver.info_parameter.name == "info",
    )


def waits(field: StrawberryField) -> bool:
    """Whether the field's value is always an awaitable: its resolver, or an extension, is a coroutine function."""
    return field.is_async or any(
        extension.has_resolver and not extension.supports_sync for extension in field.extensions
    )
