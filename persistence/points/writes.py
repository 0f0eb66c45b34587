"""Points written: an entry with its postings, draws and lot, and the account that mirrors them."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.points.journal import Lot
from domain.points.model import PointsAccount
from domain.points.ports import Movement
from domain.shared.ids import LotId, MemberId
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
from persistence.points.lapsed import MEMBERS_WITH_LAPSED
from persistence.points.tables import accounts, check_ins, entries, lot_draws, lots, postings

_MEMBER = sa.bindparam("member_id", type_=sa.Uuid)
_MEMBERS = sa.bindparam("member_ids", type_=pg.ARRAY(sa.Uuid))
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
LOCK_ACCOUNTS = Statement(
    "lock_points_accounts",
    sa.select(accounts)
    .where(accounts.c.member_id == sa.any_(_MEMBERS), within_scope(member=accounts.c.member_id))
    .order_by(accounts.c.member_id)
    .with_for_update(),
)
OPEN_LOTS = Statement(
    "open_points_lots",
    sa.select(lots.c.member_id, lots.c.id, lots.c.remaining, lots.c.earned_at, lots.c.expires_at)
    .where(
        lots.c.member_id == sa.any_(_MEMBERS),
        # Written out, since a partial index serves only a statement that says what the index says.
        lots.c.remaining > sa.literal_column("0"),
        within_scope(member=lots.c.member_id),
    )
    .order_by(lots.c.expires_at, lots.c.earned_at, lots.c.id),
)
ADD_ENTRY = Statement("add_points_entry", insert_rows(entries, _ENTRY, member="member_id"))
ADD_POSTINGS = Statement("add_points_postings", insert_rows(postings, _POSTING, member="member_id"))
ADD_DRAWS = Statement("add_points_draws", insert_rows(lot_draws, _DRAW, member="member_id"))
_drawn = arrays("drawn", {"member_id": sa.Uuid(), "lot_id": sa.Uuid(), "points": sa.BigInteger()})
# The lists beside the rows, here and below: whatever is joined how, it is looked up by its key.
DRAW_FROM_LOTS = Statement(
    "draw_from_points_lots",
    sa.update(lots)
    .where(
        lots.c.member_id == sa.any_(sa.bindparam("member_id", type_=pg.ARRAY(sa.Uuid))),
        lots.c.id == sa.any_(sa.bindparam("lot_id", type_=pg.ARRAY(sa.Uuid))),
        lots.c.member_id == _drawn.c.member_id,
        lots.c.id == _drawn.c.lot_id,
        within_scope(member=lots.c.member_id),
    )
    .values(remaining=lots.c.remaining - _drawn.c.points),
)
ADD_LOT = Statement("add_points_lot", insert_rows(lots, _LOT, member="member_id"))
_after = arrays("after", {name: accounts.c[name].type for name in _ACCOUNT})
SET_ACCOUNTS = Statement(
    "set_points_accounts",
    sa.update(accounts)
    .where(
        accounts.c.member_id == sa.any_(sa.bindparam("member_id", type_=pg.ARRAY(sa.Uuid))),
        accounts.c.member_id == _after.c.member_id,
        within_scope(member=accounts.c.member_id),
    )
    .values({name: _after.c[name] for name in _ACCOUNT[1:]}),
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

    async def lock_accounts(self, member_ids: Collection[MemberId]) -> Mapping[MemberId, PointsAccount]:
        """The accounts of these members, locked in their order; one that was never made is not in it."""
        rows = await LOCK_ACCOUNTS.fetch(self._connection, {"member_ids": list(member_ids), **self._scope})
        return {MemberId(row["member_id"]): PointsAccount(**{name: row[name] for name in _ACCOUNT}) for row in rows}

    async def open_lots(self, member_id: MemberId) -> Sequence[Lot]:
        """The lots that something is left of, expired or not."""
        return (await self.open_lots_of([member_id])).get(member_id, ())

    async def open_lots_of(self, member_ids: Collection[MemberId]) -> Mapping[MemberId, Sequence[Lot]]:
        """The same of several members; one without any is not in it."""
        found: defaultdict[MemberId, list[Lot]] = defaultdict(list)
        for r in await OPEN_LOTS.fetch(self._connection, {"member_ids": list(member_ids), **self._scope}):
            found[MemberId(r["member_id"])].append(Lot(r["id"], r["remaining"], r["earned_at"], r["expires_at"]))
        return found

    async def post(self, movements: Sequence[Movement]) -> None:
        """Writes entries with their postings, draws and lots, and the accounts as they stand after them."""
        if not movements:
            return
        entered = [
            {
                "member_id": moved.account.member_id,
                "id": moved.entry_id,
                "kind": moved.entry.kind.value,
                "delta": moved.entry.delta,
                "balance_after": moved.account.available,
                "reason": moved.reason,
                "order_id": moved.order_id,
                "occurred_at": self._now,
            }
            for moved in movements
        ]
        stored = await ADD_ENTRY.execute(self._connection, columns_of(entered, _ENTRY) | self._scope)
        assert stored == len(movements), "the accounts were locked under the same scope"
        posted = [
            {
                "member_id": moved.account.member_id,
                "entry_id": moved.entry_id,
                "account": posting.account.value,
                "amount": posting.points,
            }
            for moved in movements
            for posting in moved.entry.postings
        ]
        await ADD_POSTINGS.execute(self._connection, columns_of(posted, _POSTING) | self._scope)
        await self._draw(movements)
        await self._fill(movements)
        last = {moved.account.member_id: moved.account for moved in movements}
        balances = [{name: getattr(account, name) for name in _ACCOUNT} for account in last.values()]
        await SET_ACCOUNTS.execute(self._connection, columns_of(balances, _ACCOUNT) | self._scope)

    async def _draw(self, movements: Sequence[Movement]) -> None:
        drawn = [
            {
                "member_id": moved.account.member_id,
                "entry_id": moved.entry_id,
                "lot_id": draw.lot_id,
                "points": draw.points,
            }
            for moved in movements
            for draw in moved.entry.draws
        ]
        if not drawn:
            return
        await ADD_DRAWS.execute(self._connection, columns_of(drawn, _DRAW) | self._scope)
        # A row is updated once by a statement, however often it is drawn from.
        points: Counter[tuple[MemberId, LotId]] = Counter()
        for moved in movements:
            for draw in moved.entry.draws:
                points[moved.account.member_id, draw.lot_id] += draw.points
        touched = await DRAW_FROM_LOTS.execute(
            self._connection,
            {
                "member_id": [member_id for member_id, _ in points],
                "lot_id": [lot_id for _, lot_id in points],
                "points": list(points.values()),
                **self._scope,
            },
        )
        assert touched == len(points), "draws are on lots that were read under the same lock"

    async def _fill(self, movements: Sequence[Movement]) -> None:
        filled = [
            {
                "member_id": moved.account.member_id,
                "id": moved.lot_id,
                "entry_id": moved.entry_id,
                "earned": moved.entry.lot_points,
                "remaining": moved.entry.lot_points,
                "earned_at": self._now,
                "expires_at": moved.expires_at,
            }
            for moved in movements
            if moved.lot_id is not None
        ]
        if filled:
            await ADD_LOT.execute(self._connection, columns_of(filled, _LOT) | self._scope)

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

    async def with_lapsed(self, member_ids: Collection[MemberId]) -> Collection[MemberId]:
        """Those of the members, whose accounts are locked, of whose points some are held though the time is over."""
        params = {"member_ids": list(member_ids), "now": self._now, **self._scope}
        return [MemberId(row["member_id"]) for row in await MEMBERS_WITH_LAPSED.fetch(self._connection, params)]

    async def due_lots(self, *, limit: int) -> Sequence[MemberId]:
        """Members who have lots that expired and are not posted as expired yet."""
        rows = await DUE_LOTS.fetch(self._connection, {"limit": limit, "now": self._now, **self._scope})
        return [MemberId(row["member_id"]) for row in rows]
