"""Where a piece of generated code stands: its names, the path it is at, and what null does there."""

from dataclasses import dataclass, field
from typing import Final

from execution.places import Place

# How many objects deep the fields of a list's items are written into its loop; what is deeper is called.
DEEPEST: Final = 4


@dataclass(frozen=True, slots=True)
class Scope:
    """Where something is written: in a region of batched loading, in a list, below which nullable places."""

    in_region: bool
    in_list: bool = False
    chain: tuple[bool, ...] = ()

    def null_up(self, place: Place) -> int | None:
        """How far above the place the nearest null may stand."""
        if not place.non_null:
            return 0
        for distance, nullable in enumerate(reversed(self.chain), start=1):
            if nullable:
                return distance
        return None


@dataclass(frozen=True, slots=True)
class Frame:
    """The names for the fields of one object: itself, what is done, what waits, and its path.

    In a function of its own these are o, d, w, p; in the loop of a list (`inline`) they are numbered by depth.
    `shelves` are statements to stand before the loop.
    """

    depth: int
    o: str = "o"
    d: str = "d"
    w: str = "w"
    p: str = "p"
    shelves: list[str] = field(default_factory=list)

    @staticmethod
    def of_function() -> "Frame":
        """The frame of a selection's own function; what is below it is called."""
        return Frame(-1)

    @staticmethod
    def of_items() -> "Frame":
        """The frame around the items of a list, whose fields are written where they stand."""
        return Frame(0)

    @property
    def inline(self) -> bool:
        """Whether this is in the loop of a list."""
        return self.depth > 0

    @property
    def deepest(self) -> bool:
        """Whether the objects below have functions of their own."""
        return self.depth < 0 or self.depth >= DEEPEST

    def within(self, path: str) -> "Frame":
        """The frame of an object that is written where it stands."""
        n = self.depth + 1
        return Frame(n, f"o{n}", f"d{n}", f"w{n}", path, self.shelves)

    def waits(self, key: str) -> str:
        """The statement that notes a key whose value waits."""
        return f"{self.w} = (*{self.w}, {key})"


@dataclass(frozen=True, slots=True)
class At:
    """A value to be completed: the name of its place, its path, and the statement that notes that it waits."""

    name: str
    path: str
    waits: str


def uses_variables(lines: list[str]) -> bool:
    """Whether the lines look at the request's variables."""
    return any("V[" in line or " in V:" in line or "V.get(" in line for line in lines)
