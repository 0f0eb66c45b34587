"""What conditions of use are held against: the cart, the hour, and what may be asked of the member who pays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias
from uuid import UUID

from domain.coupons.cart import Channel
from domain.coupons.eligibility import Predicate
from domain.members.tiers import Tier
from domain.shared.events import JSON
from domain.shared.ids import MemberId, StoreId
from domain.shared.text import Text

Path: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """What a condition may ask of a member, read at one instant.

    `orders` are those that were paid and neither cancelled nor returned whole, or that hold something, without the one
    in question.
    `birth_month` is 1 to 12, None where no birthday is known: the day itself stays sealed.
    """

    tier: Tier
    tags: frozenset[str]
    orders: int
    birth_month: int | None


class Unasked(Enum):
    """Why a member is not asked.

    AS_DECIDED: it was when the order was paid, and is not again: what it was then is not held against the member.
    HIDDEN: who asks may not see it; nothing that needs it holds.
    """

    AS_DECIDED = "as decided"
    HIDDEN = "not shown"


Owner: TypeAlias = MemberFacts | Unasked


class FactsOfMembers(Protocol):
    """Members as conditions of use see them."""

    async def facts_of(self, member_id: MemberId) -> Owner:
        """The member's facts now; read after the member's streams are locked they cannot change before the commit."""
        ...


@dataclass(frozen=True, slots=True)
class Facts:
    """One cart at one moment. `amount_minor` and `quantity` are of the lines in scope before any discount.

    `owner` is None where no condition asks of the member. `negated` says that what holds here counts against.
    """

    currency: str
    channel: Channel
    store_id: StoreId | None
    amount_minor: int
    quantity: int
    local: datetime
    owner: Owner | None
    negated: bool = False

    def of_member(self, name: str, required: str) -> "MemberFacts | Predicate":
        """The member's facts, or the proof of a condition on a member who is not asked."""
        assert self.owner is not None, "a condition on the member is held against what was read of the member"
        if isinstance(self.owner, MemberFacts):
            return self.owner
        helps = (self.owner is Unasked.AS_DECIDED) is not self.negated
        return Predicate(name, helps, required, self.owner.value)


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """One step that makes a condition hold: the less its `effort`, then its `size`, the cheaper.

    Where goods are to be bought for so much, `more_minor` says it; otherwise the text does.
    """

    effort: int
    size: int
    text: Text | None = field(default=None, compare=False)
    more_minor: int = field(default=0, compare=False)


# What a step asks of a member, from the least.
GO_ELSEWHERE, WAIT, SPEND, BUY_UNITS, ORDER, BIRTHDAY, CLIMB = range(7)


@dataclass(frozen=True, slots=True)
class Wording:
    """What is needed to put a condition into words: the currency of its amounts, and the names of stores."""

    currency: str
    names: Mapping[UUID, str]


NO_NAMES: Final[Mapping[UUID, str]] = MappingProxyType({})


class Node(Protocol):
    """A condition, or a group of them."""

    def prove(self, facts: Facts) -> Predicate:
        """Whether it holds, with what was required and what was found."""
        ...

    def step(self, facts: Facts) -> Step | None:
        """The cheapest single step after which it would hold; asked where it does not. None: there is none."""
        ...

    def text(self, wording: Wording) -> Text:
        """The condition in words, for the published rules: a part of a sentence."""
        ...

    def to_json(self) -> dict[str, JSON]:
        """The condition as it is stored."""
        ...

    @property
    def asks_of_member(self) -> bool:
        """Whether it, or one below it, needs the member's facts."""
        ...

    def stores(self, path: Path) -> Sequence[tuple[Path, StoreId]]:
        """The stores that it names, each with the path to it."""
        ...


class NotOfMember:
    """A single condition that asks nothing of the member."""

    __slots__ = ()

    @property
    def asks_of_member(self) -> bool:
        """Not of the member."""
        return False


class OfMember:
    """A single condition on the member."""

    __slots__ = ()

    @property
    def asks_of_member(self) -> bool:
        """Of the member."""
        return True


class NoStep:
    """A single condition that nothing can mend."""

    __slots__ = ()

    def step(self, facts: Facts) -> Step | None:
        """None."""
        del facts
        return None


class NoStores:
    """A single condition that names no store."""

    __slots__ = ()

    def stores(self, path: Path) -> Sequence[tuple[Path, StoreId]]:
        """None."""
        del path
        return ()
