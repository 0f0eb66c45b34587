"""How conditions are read from JSON: lists, ranges and names, each refused with the path to what is wrong."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from domain.coupons.facts import Path
from domain.coupons.terms import TermsError
from domain.members.tiers import DEFAULT_PROGRAMME, Tier
from domain.shared.events import JSON
from domain.shared.ids import StoreId
from domain.shared.money import SAFE_INT_MAX
from domain.shared.text import Text


class Names(Protocol):
    """What the names in a condition stand for; None: nothing."""

    def tier(self, given: object) -> Tier | None:
        """The tier of a code, a rank or an id."""
        ...

    def store(self, given: object) -> StoreId | None:
        """The store of an id."""
        ...


class PlainNames:
    """Names as the database holds them: a tier by its code or rank, a store by its UUID."""

    def tier(self, given: object) -> Tier | None:
        """The tier of a code or a rank."""
        by_rank = type(given) is int
        return next((t for t in DEFAULT_PROGRAMME.tiers if given == (t.rank if by_rank else t.code)), None)

    def store(self, given: object) -> StoreId | None:
        """The store of a UUID."""
        try:
            return StoreId(UUID(given)) if isinstance(given, str) else None
        except ValueError:
            return None


PLAIN_NAMES: Final = PlainNames()


@dataclass(frozen=True, slots=True)
class Range:
    """A number between two bounds, both included; None does not bound."""

    at_least: int | None
    at_most: int | None

    def holds(self, value: int) -> bool:
        """Whether the number is within."""
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    @property
    def pivots(self) -> frozenset[int]:
        """The first number within, and the first beyond."""
        beyond = None if self.at_most is None else self.at_most + 1
        return frozenset(bound for bound in (self.at_least, beyond) if bound is not None)

    def required(self, show: Callable[[int], str]) -> str:
        """The bounds for a proof."""
        bounds = (("≥", self.at_least), ("≤", self.at_most))
        return ", ".join(f"{sign} {show(bound)}" for sign, bound in bounds if bound is not None)

    def text(self, show: Callable[[int], str]) -> Text:
        """The bounds in words."""
        zh_cn = [(word, bound) for word, bound in (("不少于", self.at_least), ("不超过", self.at_most))]
        en = [(word, bound) for word, bound in (("at least", self.at_least), ("at most", self.at_most))]
        return Text(
            "且".join(f"{word} {show(bound)}" for word, bound in zh_cn if bound is not None),
            " and ".join(f"{word} {show(bound)}" for word, bound in en if bound is not None),
        )

    def to_json(self) -> dict[str, JSON]:
        """The bounds as they were written."""
        named: dict[str, int | None] = {"atLeast": self.at_least, "atMost": self.at_most}
        return {name: bound for name, bound in named.items() if bound is not None}


def read_list(value: object, *, path: Path, most: int | None = None) -> Sequence[object]:
    """A list that names something."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise TermsError("is not a list", path=path)
    if not value:
        raise TermsError("is empty", path=path)
    if most is not None and len(value) > most:
        raise TermsError(f"names at most {most}", path=path)
    return value


def read_fields(value: object, *, names: Sequence[str], path: Path) -> Mapping[str, object]:
    """An object of these fields alone."""
    if not isinstance(value, Mapping):
        raise TermsError("is not an object", path=path)
    for name in value:
        if name not in names:
            raise TermsError(f"has {' and '.join(names)} only", path=(*path, str(name)[:64]))
    return value


def read_range(value: object, path: Path, *, least: int = 0) -> Range:
    """A range of whole numbers."""
    given = read_fields(value, names=("atLeast", "atMost"), path=path)
    bounds: dict[str, int] = {}
    for name, bound in given.items():
        if type(bound) is not int or not least <= bound <= SAFE_INT_MAX:
            raise TermsError(f"is a whole number, {least} to {SAFE_INT_MAX}", path=(*path, name))
        bounds[name] = bound
    if not bounds:
        raise TermsError("has atLeast or atMost", path=path)
    at_least, at_most = bounds.get("atLeast"), bounds.get("atMost")
    if at_least is not None and at_most is not None and at_least > at_most:
        raise TermsError("is less than atLeast", path=(*path, "atMost"))
    return Range(at_least, at_most)


def read_named(value: object, path: Path, *, names: Sequence[str]) -> tuple[str, ...]:
    """Some of the names, each once, in their own order."""
    given = read_list(value, path=path)
    for place, name in enumerate(given):
        if name not in names:
            raise TermsError(f"is one of {', '.join(names)}", path=(*path, str(place)))
    if len(set(given)) < len(given):
        raise TermsError("names the same twice", path=path)
    return tuple(name for name in names if name in given)


def read_true(value: object, path: Path) -> None:
    """A condition that has nothing to say but that it is one."""
    if value is not True:
        raise TermsError("is true", path=path)
