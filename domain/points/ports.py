"""What the points slice needs of the world."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from domain.members.ports import Members
from domain.points.journal import Entry, Lot
from domain.points.model import CheckInStatus, PointsAccount, PointsLot, PointsTransaction
from domain.shared.ids import EntryId, LotId, MemberId, OrderId
from domain.shared.paging import Page, PageRequest
from domain.shared.principal import Scope
from domain.shared.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Movement:
    """An entry, and the member's account as it stands after it. `lot_id` is of the lot that it fills, if it does."""

    account: PointsAccount
    entry: Entry
    entry_id: EntryId
    lot_id: LotId | None
    reason: str
    order_id: OrderId | None = None
    expires_at: datetime | None = None


class Points(Protocol):
    """The journal, the lots and the accounts that mirror them."""

    async def lock_account(self, member_id: MemberId) -> PointsAccount:
        """The member's account, locked; made if it is not there yet. Its `available` still counts expired lots."""
        ...

    async def lock_accounts(self, member_ids: Collection[MemberId]) -> Mapping[MemberId, PointsAccount]:
        """The accounts of these members, locked in the order of their members; one that was never made is not in it."""
        ...

    async def open_lots(self, member_id: MemberId) -> Sequence[Lot]:
        """The lots that something is left of, expired or not, of a member whose account is locked."""
        ...

    async def open_lots_of(self, member_ids: Collection[MemberId]) -> Mapping[MemberId, Sequence[Lot]]:
        """The same of several members; one without any is not in it."""
        ...

    async def post(self, movements: Sequence[Movement]) -> None:
        """Writes entries with their postings, draws and lots, and each account as it stands after the last of its own.

        A member's are in their order, and its account is locked.
        """
        ...

    async def check_in_dates(self, member_id: MemberId, *, since: date) -> Sequence[date]:
        """The local days on which the member checked in."""
        ...

    async def add_check_in(self, member_id: MemberId, *, on: date, streak_days: int, points: int) -> bool:
        """Records a check-in; False when that day has one."""
        ...

    async def with_lapsed(self, member_ids: Collection[MemberId]) -> Collection[MemberId]:
        """Those of the members, whose accounts are locked, of whose points some are held though the time is over."""
        ...

    async def due_lots(self, *, limit: int) -> Sequence[MemberId]:
        """Members who have lots that expired and are not posted as expired yet."""
        ...


class PointsTransactionPort(Transaction, Protocol):
    """A transaction of the points slice."""

    @property
    def members(self) -> Members:
        """The members."""
        ...

    @property
    def points(self) -> Points:
        """The points."""
        ...


class PointsReads(Protocol):
    """Points, read. What is beyond the scope is as if it were not there."""

    async def accounts(self, member_ids: Sequence[MemberId], *, scope: Scope) -> Mapping[MemberId, PointsAccount]:
        """The accounts of these members; one without any movement has an account of zeros."""
        ...

    async def transactions(
        self, member_ids: Sequence[MemberId], *, page: PageRequest, scope: Scope
    ) -> Mapping[MemberId, Page[PointsTransaction]]:
        """The same page of each member's transactions, newest first."""
        ...

    async def transactions_by_id(
        self, keys: Sequence[tuple[MemberId, EntryId]], *, scope: Scope
    ) -> Mapping[tuple[MemberId, EntryId], PointsTransaction]:
        """These transactions."""
        ...

    async def lots_by_id(
        self, keys: Sequence[tuple[MemberId, LotId]], *, scope: Scope
    ) -> Mapping[tuple[MemberId, LotId], PointsLot]:
        """These lots."""
        ...

    async def expiring(self, member_id: MemberId, *, within_days: int, scope: Scope) -> Sequence[PointsLot]:
        """The lots that will expire within so many days, soonest first."""
        ...

    async def available_at(self, member_id: MemberId, *, at: datetime, scope: Scope) -> int:
        """The available balance as it stood at an instant, by the journal."""
        ...

    async def sequences(self, member_ids: Sequence[MemberId], *, stream: str, scope: Scope) -> Mapping[MemberId, int]:
        """The last event of each member's stream; 0 where there is none."""
        ...

    async def check_in_status(self, member_id: MemberId, *, scope: Scope) -> CheckInStatus:
        """Where the member stands today, by the programme's days."""
        ...

    async def check_in_days(self, member_id: MemberId, *, month: date, scope: Scope) -> Sequence[date]:
        """The days of a month on which the member checked in."""
        ...
