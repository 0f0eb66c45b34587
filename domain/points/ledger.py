"""Posting to the journal: the one way in which points move."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from domain.points.journal import Account, Entry, Lot
from domain.points.model import PointsAccount
from domain.points.ports import Movement, PointsTransactionPort
from domain.points.rules import expire, spend
from domain.shared.events import POINTS, Event
from domain.shared.ids import EntryId, Ids, LotId, MemberId, OrderId

EXPIRED: Final = "expired"


async def open_account(tx: PointsTransactionPort, member_id: MemberId) -> PointsAccount:
    """Locks a member's points, stream first, and posts what has expired, so that what is left may be spent."""
    await tx.events.lock([member_id], stream=POINTS)
    account = await tx.points.lock_account(member_id)
    lots = await tx.points.open_lots(member_id)
    for lot in lots:
        expired = expire(lot, at=tx.now)
        if expired is not None:
            account, _ = await post(tx, account, expired, reason=EXPIRED)
    return account


async def open_purses(tx: PointsTransactionPort, member_ids: Collection[MemberId]) -> Mapping[MemberId, "Purse"]:
    """Locks the points of these members, streams first, each in the order of its member."""
    await tx.events.lock(member_ids, stream=POINTS)
    accounts = await tx.points.lock_accounts(member_ids)
    lots = await tx.points.open_lots_of(member_ids)
    return {
        member_id: Purse(accounts.get(member_id, PointsAccount(member_id, 0, 0, 0, 0)), lots.get(member_id, ()))
        for member_id in member_ids
    }


@dataclass(frozen=True, slots=True)
class Purse:
    """A member's points, locked. Its `account` still counts the lots that have expired."""

    account: PointsAccount
    lots: Sequence[Lot]

    def spend(self, points: int, *, at: datetime, ids: Ids, reason: str) -> Sequence[Movement]:
        """What expired, posted, and then the spending, which is the last; nothing is written yet.

        Raises NotEnoughPoints and SpendingBlocked.
        """
        live = [lot for lot in self.lots if not lot.is_expired(at)]
        spent = spend(points, lots=live, debt=self.account.debt, at=at)
        entries = [entry for lot in self.lots if (entry := expire(lot, at=at)) is not None] + [spent]
        # All are of one instant: they are listed by their ids.
        entry_ids = sorted(ids.new() for _ in entries)
        account, moved = self.account, []
        for entry, entry_id in zip(entries, entry_ids, strict=True):
            account = balances_after(account, entry)
            why = reason if entry is spent else EXPIRED
            moved.append(Movement(account, entry, EntryId(entry_id), None, why))
        return moved


async def live_lots(tx: PointsTransactionPort, member_id: MemberId) -> list[Lot]:
    """The lots that may be spent, of an account that `open_account` has locked."""
    return [lot for lot in await tx.points.open_lots(member_id) if not lot.is_expired(tx.now)]


async def post(
    tx: PointsTransactionPort,
    account: PointsAccount,
    entry: Entry,
    *,
    reason: str,
    order_id: OrderId | None = None,
    expires_at: datetime | None = None,
) -> tuple[PointsAccount, EntryId]:
    """Writes an entry and its event; returns the account as it stands after it. The account must be locked."""
    entry_id = EntryId(tx.ids.new())
    lot_id = LotId(tx.ids.new()) if entry.lot_points else None
    after = balances_after(account, entry)
    movement = Movement(after, entry, entry_id, lot_id, reason, order_id, expires_at)
    await write(tx, [movement])
    return movement.account, movement.entry_id


def balances_after(account: PointsAccount, entry: Entry) -> PointsAccount:
    """The account as it stands after an entry."""
    return replace(
        account,
        available=account.available + entry.delta,
        pending=account.pending + entry.on(Account.PENDING),
        # A debt is a negative balance of its account, and shown as what is owed.
        debt=account.debt - entry.on(Account.DEBT),
        lifetime_earned=account.lifetime_earned + max(0, _earned(entry)),
    )


async def write(tx: PointsTransactionPort, movements: Sequence[Movement]) -> None:
    """Writes movements of accounts that are locked, each with its event."""
    await tx.points.post(movements)
    await tx.events.append(
        [
            Event(
                owner_id=moved.account.member_id,
                stream=POINTS,
                kind=moved.entry.kind.value,
                subject_id=moved.entry_id,
                facts={"delta": moved.entry.delta, "available": moved.account.available},
            )
            for moved in movements
            if moved.entry.delta
        ]
    )


def _earned(entry: Entry) -> int:
    """What counts as earned: what came to the member as available, or repaid what it owed."""
    if entry.kind.value != "EARN":
        return 0
    return entry.delta + entry.on(Account.DEBT)
