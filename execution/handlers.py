"""Strawberry's exception handlers: a refusal becomes a member of the field's union."""

from collections.abc import Sequence
from typing import Any

from strawberry.schema.exception_handlers import ExceptionHandler
from strawberry.utils.await_maybe import await_maybe

from execution.places import FieldPlace, PathTuple
from execution.state import State

Handlers = Sequence[tuple[tuple[type[Exception], ...], ExceptionHandler[Any, Any]]]


async def handled(place: FieldPlace, error: Exception, handlers: Handlers, path: PathTuple, state: State) -> Any:
    """What the field's handler makes of the error; the error itself when none takes it, or when it declines."""
    for types, handler in handlers:
        if isinstance(error, types):
            field: Any = place.strawberry_field
            result: Any = await await_maybe(handler.handle(error, field=field, info=state.info(place, path)))
            if result is not None:
                return result
            break
    raise error
