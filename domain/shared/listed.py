"""What a catalogue lists: a thing that all may see, as it stood when the catalogue was last looked at."""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

Thing = TypeVar("Thing", covariant=True)


@dataclass(slots=True, eq=False)
class Listed(Generic[Thing]):
    """A thing of the catalogue, and those of the catalogue that it refers to.

    `version` is never used twice in a process: it changes with the thing and with anything in `refers_to`. Whoever
    shows the thing keeps in `shown` what it made of it, for as long as it is listed so.
    """

    thing: Thing
    version: int
    refers_to: "tuple[Listed[object] | None, ...]" = ()
    shown: object | None = field(default=None)
