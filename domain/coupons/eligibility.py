"""A decision and its proof: every predicate with what was required and what was found."""

from dataclasses import dataclass, field
from typing import Final, Protocol

from domain.shared.money import Money, display_text
from domain.shared.text import Text


@dataclass(frozen=True, slots=True)
class Predicate:
    """One condition, as it was found; a group passes by its own rule and shows its children."""

    name: str
    passed: bool
    required: str
    actual: str
    children: tuple["Predicate", ...] = ()


@dataclass(frozen=True, slots=True)
class Unlock:
    """A step that makes an offer apply: buying one unit of goods in scope for `more` saves `saving`.

    It is `at_least` that where what is saved depends on which goods of the scope are bought.
    """

    more: Money
    saving: Money
    at_least: bool = False

    @property
    def text(self) -> Text:
        """What to tell the member: 再买 ¥12.00 即减 ¥20.00."""
        more, saving = display_text(self.more), display_text(self.saving)
        if self.at_least:
            return Text(f"再买 {more} 至少减 {saving}", f"Spend {more} more to save at least {saving}")
        return Text(f"再买 {more} 即减 {saving}", f"Spend {more} more to save {saving}")


@dataclass(frozen=True, slots=True)
class Hint:
    """Another step that makes an offer apply: a store, an hour, a tier, some units more."""

    text: Text


class Remedy(Protocol):
    """What is missing, and what would mend it: worked out when it is asked for."""

    @property
    def shortfall_minor(self) -> int | None:
        """What a threshold still lacks; None where none lacks anything."""
        ...

    @property
    def unlock(self) -> Unlock | Hint | None:
        """The cheapest single step that would do; None: there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Told:
    """What is missing, as it was worked out before."""

    shortfall_minor: int | None = None
    unlock: Unlock | Hint | None = None


NOTHING: Final = Told()


@dataclass(frozen=True, slots=True)
class Eligibility:
    """Whether, why, and what is missing.

    `shortfall_minor` is what a threshold still lacks, None where none lacks anything; `unlock` is there when a single
    step would do.
    """

    eligible: bool
    because: Predicate
    remedy: Remedy = field(default=NOTHING, compare=False, repr=False)

    @property
    def shortfall_minor(self) -> int | None:
        """What a threshold still lacks."""
        return self.remedy.shortfall_minor

    @property
    def unlock(self) -> Unlock | Hint | None:
        """The cheapest step that would help."""
        return self.remedy.unlock


def all_of(*children: Predicate) -> Predicate:
    """A group that passes when all of its children do."""
    passed = sum(child.passed for child in children)
    return Predicate(
        "all", passed == len(children), f"{len(children)}/{len(children)}", f"{passed}/{len(children)}", children
    )
