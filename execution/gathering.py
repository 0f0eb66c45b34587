"""Awaiting several coroutines together, as graphql-core does, and leaving none behind that was never begun."""

from asyncio import ensure_future, gather
from collections.abc import Sequence
from inspect import CORO_CREATED, getcoroutinestate
from types import CoroutineType
from typing import Any, Final

HOLDING: Final = ("awaitable", "completing", "done")  # what the coroutines of this package name what they wait for


async def gather_or_cancel(coroutines: Sequence[Any]) -> list[Any]:
    """The results of all; when one fails, the others are cancelled and the failure is passed on at once."""
    tasks = [ensure_future(one) for one in coroutines]
    try:
        return await gather(*tasks)
    except Exception:
        held: list[Any] = []
        for task, one in zip(tasks, coroutines, strict=True):
            if not task.done():
                held.extend(_held_by(one))
                task.cancel()
        await gather(*tasks, return_exceptions=True)
        _close(held)
        raise


def _held_by(coroutine: Any) -> list[Any]:
    """What a coroutine that was not begun would have awaited."""
    if coroutine.__class__ is not CoroutineType or getcoroutinestate(coroutine) != CORO_CREATED:
        return []
    frame = coroutine.cr_frame
    return [] if frame is None else [value for name, value in frame.f_locals.items() if name in HOLDING]


def _close(values: Sequence[Any]) -> None:
    """Close what was never begun, and what it holds: nobody will await it any more."""
    left = list(values)
    while left:
        value = left.pop()
        if isinstance(value, dict):
            left.extend(one for one in value.values() if one.__class__ is CoroutineType)
        elif isinstance(value, list):
            left.extend(one for one in value if one.__class__ is CoroutineType)
        elif value.__class__ is CoroutineType and getcoroutinestate(value) == CORO_CREATED:
            left.extend(_held_by(value))
            value.close()
