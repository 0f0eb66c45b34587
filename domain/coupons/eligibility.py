"""A decision and its proof: every predicate with what was required and what was found."""

from dataclasses import dataclass

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
    """The cheapest step that would make an offer apply: buying goods in scope for `more` saves `saving`."""

    more: Money
    saving: Money

    @property
    def text(self) -> Text:
        """What to tell the member: 再买 ¥12.00 即减 ¥20.00."""
        more, saving = display_text(self.more), display_text(self.saving)
        return Text(f"再买 {more} 即减 {saving}", f"Spend {more} more to save {saving}")


@dataclass(frozen=True, slots=True)
class Hint:
    """Another single step that would make an offer apply: a store, an hour, a tier, some units more."""

    text: Text


@dataclass(frozen=True, slots=True)
class Eligibility:
    """Whether, why, and what is missing.

    `shortfall_minor` is what a threshold still lacks, None where none lacks anything; `unlock` is there when a single
    step would do.
    """

    eligible: bool
    because: Predicate
    shortfall_minor: int | None = None
    unlock: Unlock | Hint | None = None


def all_of(*children: Predicate) -> Predicate:
    """A group that passes when all of its children do."""
    passed = sum(child.passed for child in children)
    return Predicate(
        "all", passed == len(children), f"{len(children)}/{len(children)}", f"{passed}/{len(children)}", children
    )
