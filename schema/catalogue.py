"""What the catalogue lists, as clients see it: made once, shown to all, kept serialised for as long as it stands so."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import strawberry

from domain.shared.listed import Listed
from schema.context import Context, Later, Loader

Key = TypeVar("Key")
Thing = TypeVar("Thing")
Shown = TypeVar("Shown", bound="FromCatalogue")

PURE: Final[dict[str, Any]] = {"pure": True}
"""Metadata of a resolver whose value depends on its object and the viewer's locale alone, where it does not wait."""


def kept_by(key: str) -> dict[str, Any]:
    """Metadata of a field that shows the thing which is listed under the parent's `key`, or reads it."""
    return {"kept": (key, _world)}


def _world(context: Context) -> object | None:
    return context.catalogue.world(context.locale)


@dataclass
class FromCatalogue:
    """A type whose objects may come from the catalogue; `listed_as` is then the version under which they are listed."""

    listed_as: strawberry.Private[int | None] = None

    def fragment_key(self, context: Context) -> Hashable | None:
        """Under which its pure fields may be kept serialised."""
        return None if self.listed_as is None else (self.listed_as, context.locale)


def shown(listed: Listed[Thing], type_: type[Shown], make: Callable[[Thing], Shown]) -> Shown:
    """A listed thing as clients see it, made when it is first asked for."""
    made = listed.shown
    if made.__class__ is type_:  # as isinstance, in half the time
        return made
    new = make(listed.thing)
    new.listed_as = listed.version
    listed.shown = new
    return new


async def read(loader: Loader[Key, Thing | None], key: Key, make: Callable[[Thing], Shown]) -> Shown | None:
    """A thing that is not listed, as clients see it; None where there is none within the viewer's reach."""
    thing = await loader.load(key)
    return None if thing is None else make(thing)


async def now(value: Later[Shown | None]) -> Shown | None:
    """What was found at once, or is read, waited for."""
    return value if value is None or isinstance(value, FromCatalogue) else await value
