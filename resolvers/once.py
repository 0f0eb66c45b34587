"""The receipt under which a mutation happens once: who asked, for what, with which input."""

from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from functools import cache
from typing import Any

from strawberry import UNSET

from domain.shared.events import JSON
from domain.shared.idempotency import Once, input_hash
from resolvers.context import Info


def once(info: Info, given: Any) -> Once:
    """Names the write. The hash is over the input as the client gave it, never over what the server makes of it."""
    content = _plain(given)
    assert isinstance(content, dict)
    key = content.pop("idempotency_key")
    return Once(
        caller_id=info.context.caller.caller_id,
        mutation=info.field_name,
        key=str(key),
        input_hash=input_hash(content),
    )


@cache
def _names(kind: type) -> tuple[str, ...] | None:
    """The fields of an input's class; None for what is no input."""
    return tuple(f.name for f in fields(kind)) if is_dataclass(kind) else None


def _plain(value: object) -> JSON:
    plain: JSON
    names = _names(type(value))  # type: ignore[arg-type]
    if names is not None:
        return {name: _plain(getattr(value, name)) for name in names}
    match value:
        case None | bool() | int() | float() | str():
            plain = value
        case Enum():
            plain = str(value.value)
        case datetime() | date():
            plain = value.isoformat()
        case list() | tuple():
            plain = [_plain(v) for v in value]
        case dict():
            plain = {str(k): _plain(v) for k, v in value.items()}
        case _ if value is UNSET:
            plain = None
        case _:
            raise TypeError(f"an input may not hold a {type(value).__name__}")
    return plain
