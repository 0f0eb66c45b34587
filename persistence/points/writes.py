"""Points written: an entry with its postings, draws and lot, and the account that mirrors them."""

from collections.abc import Sequence
from datetime import date, datetime

import sqlalchemy as sa

from domain.points.journal import Entry, Lot
from domain.points.model import PointsAccount
from domain.shared.ids import EntryId, LotId, MemberId, OrderId
from domain.shared.principal import Scope
from persistence.base import (
    Conn,
    Statement,
    arrays,
    columns_of,
    current_instant,
    insert_rows,
    scope_params,
    within_scope,
)
from persistence.points.tables import accounts, check_ins, entries, lot_draws, lots, postings

_MEMBER = sa.bindparam("member_id", type_=sa.Uuid)
_ACCOUNT = ("member_id", "available", "pending", "debt", "lifetime_earned")
_ENTRY = ("member_id", "id", "kind", "delta", "balance_after", "reason", "order_id", "occurred_at")
_POSTING = ("member_id", "entry_id", "account", "amount")
_DRAW = ("member_id", "entry_id", "lot_id", "points")
_LOT = ("member_id", "id", "entry_id", "earned", "remaining", "earned_at", "expires_at")
_CHECK_IN = ("member_id", "on_date", "streak_day", "points", "checked_in_at")

MAKE_ACCOUNT = Statement(
    "make_points_account",
    insert_rows(accounts, _ACCOUNT, member="member_id").on_conflict_do_nothing(index_elements=["member_id"]),
)
LOCK_ACCOUNT = Statement(
    "lock_points_account",
    sa.select(accounts)
    .where(accounts.c.member_id == _MEMBER, within_scope(member=accounts.c.member_id))
    .with_for_update(),
)
OPEN_LOTS = Statement(
    "open_points_lots",
    sa.select(lots.c.id, lots.c.remaining, lots.c.earned_at, lots.c.expires_at)
    .where(lots.c.member_id == _MEMBER, lots.c.remaining > 0, within_scope(member=lots.c.member_id))
    .order_by(lots.c.expires_at, lots.c.earned_at, lots.c.id),
)
ADD_ENTRY = Statement("add_points_entry", insert_rows(entries, _ENTRY, member="member_id"))
ADD_POSTINGS = Statement("add_points_postings", insert_rows(postings, _POSTING, member="member_id"))
ADD_DRAWS = Statement("add_points_draws", insert_rows(lot_draws, _DRAW, member="member_id"))
_drawn = arrays("drawn", {"lot_id": sa.Uuid(), "points": sa.BigInteger()})
DRAW_FROM_LOTS = Statement(
    "draw_from_points_lots",
    sa.update(lots)
    .where(lots.c.member_id == _MEMBER, lots.c.id == _drawn.c.lot_id, within_scope(member=lots.c.member_id))
    .values(remaining=lots.c.remaining - _drawn.c.points),
)
ADD_LOT = Statement("add_points_lot", insert_rows(lots, _LOT, member="member_id"))
SET_ACCOUNT = Statement(
    "set_points_account",
    sa.update(accounts)
    .where(accounts.c.member_id == _MEMBER, within_scope(member=accounts.c.member_id))
    .values({name: sa.bindparam(name, type_=sa.BigInteger) for name in _ACCOUNT[1:]}),
)
CHECK_IN_DATES = Statement(
    "check_in_dates",
    sa.select(check_ins.c.on_date).where(
        check_ins.c.member_id == _MEMBER,
        check_ins.c.on_date >= sa.bindparam("since", type_=sa.Date),
        within_scope(member=check_ins.c.member_id),
    ),
)
ADD_CHECK_IN = Statement(
    "add_check_in",
    insert_rows(check_ins, _CHECK_IN, member="member_id").on_conflict_do_nothing(
        index_elements=["member_id", "on_date"]
    ),
)
DUE_LOTS = Statement(
    "members_with_expired_points",
    sa.select(lots.c.member_id)
    .where(lots.c.remaining > 0, lots.c.expires_at <= current_instant(), within_scope(member=lots.c.member_id))
    .distinct()
    .limit(sa.bindparam("limit", type_=sa.Integer)),
)


class SqlPoints:
    """Points in one transaction, within one scope."""

    def __init__(self, connection: Conn, *, scope: Scope, now: datetime) -> None:
        self._connection = connection
        self._scope = scope_params(scope)
        self._now = now

    async def lock_account(self, member_id: MemberId) -> PointsAccount:
        """The member's account, locked; made if it is not there yet."""
        params = {"member_id": member_id, **self._scope}
        row = await LOCK_ACCOUNT.row(self._connection, params)
        if row is None:
            empty: dict[str, object] = dict.fromkeys(_ACCOUNT[1:], 0)
            fresh = columns_of([{"member_id": member_id, **empty}], _ACCOUNT)
            await MAKE_ACCOUNT.execute(self._connection, fresh | self._scope)
            row = await LOCK_ACCOUNT.row(self._connection, params)
        assert row is not None, "an account that was made is there, within the scope that made it"
        return PointsAccount(**{name: row[name] for name in _ACCOUNT})

    async def open_lots(self, member_id: MemberId) -> Sequence[Lot]:
        """The lots that something is left of, expired or not."""
        rows = await OPEN_LOTS.fetch(self._connection, {"member_id": member_id, **self._scope})
        return [Lot(r["id"], r["remaining"], r["earned_at"], r["expires_at"]) for r in rows]

    async def post(
        self,
        account: PointsAccount,
        entry: Entry,
        *,
        entry_id: EntryId,
        lot_id: LotId | None,
        reason: str,
        order_id: OrderId | None,
        expires_at: datetime | None,
    ) -> None:
        """Writes an entry with its postings, draws and lot, and the account as it stands after it."""
        member_id = account.member_id
        row = {
            "member_id": member_id,
            "id": entry_id,
            "kind": entry.kind.value,
            "delta": entry.delta,
            "balance_after": account.available,
            "reason": reason,
            "order_id": order_id,
            "occurred_at": self._now,
        }
        stored = await ADD_ENTRY.execute(self._connection, columns_of([row], _ENTRY) | self._scope)
        assert stored == 1, "the account was locked under the same scope"
        posted = [
            {"member_id": member_id, "entry_id": entry_id, "account": p.account.value, "amount": p.points}
            for p in entry.postings
        ]
        await ADD_POSTINGS.execute(self._connection, columns_of(posted, _POSTING) | self._scope)
        if entry.draws:
            await self._draw(member_id, entry, entry_id=entry_id)
        if lot_id is not None:
            lot = {
                "member_id": member_id,
                "id": lot_id,
                "entry_id": entry_id,
                "earned": entry.lot_points,
                "remaining": entry.lot_points,
                "earned_at": self._now,
                "expires_at": expires_at,
            }
            await ADD_LOT.execute(self._connection, columns_of([lot], _LOT) | self._scope)
        balances = {name: getattr(account, name) for name in _ACCOUNT}
        await SET_ACCOUNT.execute(self._connection, balances | self._scope)

    async def _draw(self, member_id: MemberId, entry: Entry, *, entry_id: EntryId) -> None:
        drawn = [
            {"member_id": member_id, "entry_id": entry_id, "lot_id": d.lot_id, "points": d.points} for d in entry.draws
        ]
        await ADD_DRAWS.execute(self._connection, columns_of(drawn, _DRAW) | self._scope)
        touched = await DRAW_FROM_LOTS.execute(
            self._connection,
            {
                "member_id": member_id,
                "lot_id": [d.lot_id for d in entry.draws],
                "points": [d.points for d in entry.draws],
                **self._scope,
            },
        )
        assert touched == len(entry.draws), "draws are on lots that were read under the same lock"

    async def check_in_dates(self, member_id: MemberId, *, since: date) -> Sequence[date]:
        """The local days on which the member checked in."""
        params = {"member_id": member_id, "since": since, **self._scope}
        rows = await CHECK_IN_DATES.fetch(self._connection, params)
        return [row["on_date"] for row in rows]

    async def add_check_in(self, member_id: MemberId, *, on: date, streak_days: int, points: int) -> bool:
        """Records a check-in; False when that day has one."""
        row = {
            "member_id": member_id,
            "on_date": on,
            "streak_day": streak_days,
            "points": points,
            "checked_in_at": self._now,
        }
        return await ADD_CHECK_IN.execute(self._connection, columns_of([row], _CHECK_IN) | self._scope) == 1

    async def due_lots(self, *, limit: int) -> Sequence[MemberId]:
        """Members who have lots that expired and are not posted as expired yet."""
        rows = await DUE_LOTS.fetch(self._connection, {"limit": limit, "now": self._now, **self._scope})
        return [MemberId(row["member_id"]) for row in rows]
