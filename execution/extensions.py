"""A resolver with Strawberry's field extensions around it."""

from collections.abc import Callable, Sequence
from functools import partial
from inspect import iscoroutinefunction
from typing import Any

from strawberry.extensions import FieldExtension
from strawberry.extensions.field_extension import build_field_extension_resolvers
from strawberry.types.field import StrawberryField


class ExtensionChain:
    """Calls a resolver through its extensions, as Strawberry chains them, with arguments that are ready."""

    __slots__ = ("_function", "_inner", "_outermost", "_passes_self", "_wants_info", "is_coroutine")

    def __init__(
        self,
        function: Callable[..., Any],
        around: Sequence[Callable[..., Any]],
        *,
        passes_self: bool,
        wants_info: bool,
    ) -> None:
        self._function = function
        self._passes_self = passes_self
        self._wants_info = wants_info
        *self._inner, self._outermost = around
        self.is_coroutine = iscoroutinefunction(self._outermost)

    def __call__(self, source: Any, info: Any, /, **arguments: Any) -> Any:
        """The resolved value, or an awaitable of it."""
        call: Callable[..., Any] = partial(self._resolve, source)
        for around in self._inner:
            call = partial(around, call)
        return self._outermost(call, source, info, **arguments)

    def _resolve(self, source: Any, _handed_on: Any, info: Any, /, **given: Any) -> Any:
        # Whatever source the extensions hand on: Strawberry settles it, with the arguments, before it calls them.
        if self._wants_info:
            given["info"] = info
        return self._function(source, **given) if self._passes_self else self._function(**given)


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
