"""The receipt under which a mutation happens once: who asked, for what, with which input."""

from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from functools import cache
from typing import Any

from strawberry import UNSET
from strawberry.utils.str_converters import to_camel_case

from domain.shared.errors import BadUserInput
from domain.shared.events import JSON
from domain.shared.idempotency import Once, input_hash
from resolvers.context import Info
from resolvers.limits import path_to_unstorable


def once(info: Info, given: Any) -> Once:
    """Names the write. The hash is over the input as the client gave it, never over what the server makes of it.

    What is left out, or is as if it were, is not in it: so a retry is known again by a server that has learnt of
    further optional inputs since.
    """
    return Once(
        caller_id=info.context.caller.caller_id,
        mutation=info.field_name,
        key=str(given.idempotency_key),
        input_hash=_hash(given, whole=False),
        former_hash=lambda: _hash(given, whole=True),
        repeats=info.context.repeats,
    )


def _hash(given: Any, *, whole: bool) -> bytes:
    content = _plain(given, whole=whole)
    assert isinstance(content, dict)
    del content["idempotency_key"]
    try:
        return input_hash(content)
    except UnicodeEncodeError:
        path = path_to_unstorable(content) or ()
        # Fields have the names of Python here.
        named = ["input", *(to_camel_case(step).rstrip("_") for step in path)]
        raise BadUserInput(f"{'.'.join(named)} is no text", path=named) from None


@cache
def _fields(kind: type) -> tuple[tuple[str, object], ...] | None:
    """The fields of an input's class with what each is when it is left out; None for what is no input."""
    return tuple((f.name, f.default) for f in fields(kind)) if is_dataclass(kind) else None


def _plain(value: object, *, whole: bool) -> JSON:
    plain: JSON
    known = _fields(type(value))  # type: ignore[arg-type]
    if known is not None:
        given = ((name, getattr(value, name), unless) for name, unless in known)
        return {
            name: _plain(one, whole=whole)
            for name, one, unless in given
            if whole or not (one is UNSET or one == unless)
        }
    match value:
        case None | bool() | int() | float() | str():
            plain = value
        case Enum():
            plain = str(value.value)
        case datetime() | date():
            plain = value.isoformat()
        case list() | tuple():
            plain = [_plain(v, whole=whole) for v in value]
        case dict():
            plain = {str(k): _plain(v, whole=whole) for k, v in value.items()}
        case _ if value is UNSET:
            plain = None
        case _:
            raise TypeError(f"an input may not hold a {type(value).__name__}")
    return plain
