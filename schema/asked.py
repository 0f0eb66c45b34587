"""What the viewer asks for below a field, where the executor knows: a resolver may then read that and no more."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import strawberry

Made = TypeVar("Made")


def reads(attribute: str) -> dict[str, Any]:
    """Metadata of a resolver that does nothing but read this attribute of its object; dots lead further.

    The executor then reads it itself. `tests/resolvers` hold the two together: both executors give the same answers.
    """
    return {"reads": attribute}


class Asked(Protocol):
    """The fields below one field, by their names in Python. A path leads from field to field below."""

    def names(self, *path: str) -> frozenset[str]:
        """The names of all fields that are asked for there."""
        ...

    def made_once(self, make: "Callable[[Asked, tuple[str, ...]], Made]", *path: str) -> Made:
        """What a function makes of what is asked for there: made once, and forgotten with the operation's plan."""
        ...

    def arguments(self, variables: Mapping[str, Any], *path: str) -> dict[str, Any] | None:
        """The arguments with which the one field there will be called; None where that cannot be told."""
        ...


def asked_below(info: strawberry.Info[Any, None]) -> Asked | None:
    """What is asked for below the field that is being resolved; None: anything may be."""
    asked: Asked | None = getattr(info._raw_info, "asked", None)  # noqa: SLF001  (Strawberry's own word for it)
    return asked
