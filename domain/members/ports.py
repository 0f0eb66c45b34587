"""What the members slice needs of the world."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Protocol

from domain.members.model import Member
from domain.members.tiers import TierStatus
from domain.shared.ids import MemberId
from domain.shared.principal import Scope
from domain.shared.transaction import Transaction


class Members(Protocol):
    """The members of the programme, found by what their own system calls them."""

    async def find_by_ref(self, external_ref: str) -> MemberId | None:
        """The member of this external reference, if there is one."""
        ...

    async def lock_or_none(self, member_id: MemberId) -> Member | None:
        """The member, locked for this transaction; none when there is none within the scope."""
        ...

    async def add(self, member: Member) -> bool:
        """Stores a new member; False when its external reference was taken in the meantime."""
        ...

    async def fill_in(
        self, member_id: MemberId, *, display_name: str | None, phone: str | None, birthday: date | None, locale: str
    ) -> None:
        """Completes a member that was registered on first sight with what a registration knows; None leaves a value."""
        ...

    async def set_tags(self, member_id: MemberId, *, tags: Sequence[str]) -> None:
        """Marks a member that was locked with these tags and no others."""
        ...

    async def count_towards_tier(self, member_id: MemberId, *, amount: int, on: date | None = None) -> None:
        """Adds to the tier's metric on the programme's day, and lifts the tier at once if it earns a higher one.

        A negative amount lowers the metric and leaves the tier until its keep is over; `on` is the day on which it was
        earned, so that it leaves the window together with what it takes back.
        """
        ...


class MembersTransaction(Transaction, Protocol):
    """A transaction of the members slice."""

    @property
    def members(self) -> Members:
        """The members."""
        ...


class MemberReads(Protocol):
    """Members read outside any decision, a batch at a time; a row beyond the scope is as if it were not there."""

    async def members_by_id(self, member_ids: Sequence[MemberId], *, scope: Scope) -> Mapping[MemberId, Member]:
        """The members of these ids."""
        ...

    async def tier_statuses(self, member_ids: Sequence[MemberId], *, scope: Scope) -> Mapping[MemberId, TierStatus]:
        """Where these members stand today; one that has earned nothing stands on the lowest tier."""
        ...
