"""What conditions of use are held against: the cart, the hour, and what may be asked of the member who pays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
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


@dataclass(frozen=True, slots=True)
class Pivots:
    """The values at which the answer of conditions may change: what a step that would help is looked for among.

    Of `amounts_minor`, `quantities` and `order_numbers` each is the first of the other answer. `times` are those of the
    day; `weekdays` and `birthday` say that it changes with these.
    """

    amounts_minor: frozenset[int] = frozenset()
    quantities: frozenset[int] = frozenset()
    order_numbers: frozenset[int] = frozenset()
    channels: frozenset[Channel] = frozenset()
    store_ids: frozenset[StoreId] = frozenset()
    tiers: frozenset[Tier] = frozenset()
    times: frozenset[time] = frozenset()
    weekdays: bool = False
    birthday: bool = False

    def __or__(self, other: "Pivots") -> "Pivots":
        """Those of both."""
        return Pivots(
            self.amounts_minor | other.amounts_minor,
            self.quantities | other.quantities,
            self.order_numbers | other.order_numbers,
            self.channels | other.channels,
            self.store_ids | other.store_ids,
            self.tiers | other.tiers,
            self.times | other.times,
            self.weekdays or other.weekdays,
            self.birthday or other.birthday,
        )


NO_PIVOTS: Final = Pivots()


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

    @property
    def pivots(self) -> Pivots:
        """The values at which its answer may change."""
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


class NoPivots:
    """A single condition that nothing which a member may do next would mend."""

    __slots__ = ()

    @property
    def pivots(self) -> Pivots:
        """None."""
        return NO_PIVOTS


class NoStores:
    """A single condition that names no store."""

    __slots__ = ()

    def stores(self, path: Path) -> Sequence[tuple[Path, StoreId]]:
        """None."""
        del path
        return ()
