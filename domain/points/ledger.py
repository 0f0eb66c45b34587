"""Posting to the journal: the one way in which points move."""

from dataclasses import replace
from datetime import datetime

from domain.points.journal import Account, Entry, Lot
from domain.points.model import PointsAccount
from domain.points.ports import PointsTransactionPort
from domain.points.rules import expire
from domain.shared.events import POINTS, Event
from domain.shared.ids import EntryId, LotId, MemberId, OrderId


async def open_account(tx: PointsTransactionPort, member_id: MemberId) -> PointsAccount:
    """Locks a member's points, stream first, and posts what has expired, so that what is left may be spent."""
    await tx.events.lock([member_id], stream=POINTS)
    account = await tx.points.lock_account(member_id)
    lots = await tx.points.open_lots(member_id)
    for lot in lots:
        expired = expire(lot, at=tx.now)
        if expired is not None:
            account, _ = await post(tx, account, expired, reason="expired")
    return account


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
    after = replace(
        account,
        available=account.available + entry.delta,
        pending=account.pending + entry.on(Account.PENDING),
        # A debt is a negative balance of its account, and shown as what is owed.
        debt=account.debt - entry.on(Account.DEBT),
        lifetime_earned=account.lifetime_earned + max(0, _earned(entry)),
    )
    entry_id = EntryId(tx.ids.new())
    lot_id = LotId(tx.ids.new()) if entry.lot_points else None
    await tx.points.post(
        after,
        entry,
        entry_id=entry_id,
        lot_id=lot_id,
        reason=reason,
        order_id=order_id,
        expires_at=expires_at,
    )
    if entry.delta:
        facts = {"delta": entry.delta, "available": after.available}
        event = Event(
            owner_id=account.member_id, stream=POINTS, kind=entry.kind.value, subject_id=entry_id, facts=facts
        )
        await tx.events.append([event])
    return after, entry_id


def _earned(entry: Entry) -> int:
    """What counts as earned: what came to the member as available, or repaid what it owed."""
    if entry.kind.value != "EARN":
        return 0
    return entry.delta + entry.on(Account.DEBT)
