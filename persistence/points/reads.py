"""Points read: lots that have expired are left out, posted as expired or not yet.

What reservations have held for too long is there, returned or not yet.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.points.checkin import SEVEN_DAYS, standing
from domain.points.journal import EntryKind
from domain.points.model import CheckInStatus, PointsAccount, PointsLot, PointsTransaction
from domain.shared.ids import EntryId, LotId, MemberId
from domain.shared.paging import Page, PageRequest
from domain.shared.principal import Scope
from domain.shared.time import local_date, start_of_month, start_of_next_month
from persistence.base import Conn, Params, Row, Statement, arrays, current_instant, scope_params, within_scope
from persistence.events import streams
from persistence.paging import after_instant_and_id, page_of
from persistence.points.lapsed import IS_LIVE, holds_lapsed, lapsed_lots, lapsed_of_lot, lapsed_of_member
from persistence.points.tables import accounts, check_ins, entries, lots
from persistence.unit_of_work import Database

MAX_EXPIRING = 200
_MEMBERS = sa.bindparam("member_ids", type_=pg.ARRAY(sa.Uuid))
_MEMBER = sa.bindparam("member_id", type_=sa.Uuid)
_AFTER_AT = sa.bindparam("after_at", type_=sa.DateTime(timezone=True))
_AFTER_ID = sa.bindparam("after_id", type_=sa.Uuid)
_LIMIT = sa.bindparam("limit", type_=sa.Integer)
_NOW = current_instant()

_ZERO: Final[sa.ColumnElement[Any]] = sa.literal_column("0")

# Zero is written out: a partial index serves only a statement that says what the index says.
_expired = (
    sa.select(sa.func.coalesce(sa.func.sum(lots.c.remaining), _ZERO))
    .where(lots.c.member_id == accounts.c.member_id, lots.c.remaining > _ZERO, lots.c.expires_at <= _NOW)
    .scalar_subquery()
)
_OF_MEMBERS = (accounts.c.member_id == sa.any_(_MEMBERS), within_scope(member=accounts.c.member_id))
_BESIDE_AVAILABLE = (accounts.c.pending, accounts.c.debt, accounts.c.lifetime_earned)
ACCOUNTS = Statement(
    "points_accounts",
    sa.select(
        accounts.c.member_id,
        (accounts.c.available - _expired).label("available"),
        *_BESIDE_AVAILABLE,
        holds_lapsed(accounts.c.member_id).label("holds_lapsed"),
    ).where(*_OF_MEMBERS),
)
# The same with what returns: planning that costs more than all of the first, for those alone whom it concerns.
ACCOUNTS_WITH_LAPSED = Statement(
    "points_accounts_with_lapsed",
    sa.select(
        accounts.c.member_id,
        (accounts.c.available - _expired + lapsed_of_member(accounts.c.member_id)).label("available"),
        *_BESIDE_AVAILABLE,
    ).where(*_OF_MEMBERS),
)

_wanted = arrays("wanted", {"member_id": sa.Uuid()})
_page = (
    sa.select(entries)
    .where(
        entries.c.member_id == _wanted.c.member_id,
        entries.c.delta != 0,
        within_scope(member=entries.c.member_id),
        sa.or_(_AFTER_AT.is_(None), sa.tuple_(entries.c.occurred_at, entries.c.id) < sa.tuple_(_AFTER_AT, _AFTER_ID)),
    )
    .order_by(entries.c.occurred_at.desc(), entries.c.id.desc())
    .limit(_LIMIT)
    .lateral("page")
)
TRANSACTIONS = Statement(
    "points_transactions",
    sa.select(_page)
    .select_from(_wanted.join(_page, sa.true()))
    .order_by(_page.c.member_id, _page.c.occurred_at.desc(), _page.c.id.desc()),
)
_keys = arrays("keys", {"member_id": sa.Uuid(), "id": sa.Uuid()})
TRANSACTIONS_BY_ID = Statement(
    "points_transactions_by_id",
    sa.select(entries)
    .join_from(entries, _keys, sa.and_(entries.c.member_id == _keys.c.member_id, entries.c.id == _keys.c.id))
    .where(entries.c.delta != 0, within_scope(member=entries.c.member_id)),
)
_SOONEST = (lots.c.expires_at, lots.c.earned_at, lots.c.id)
_LOT = [column for column in lots.c if column.name != "remaining"]
LOTS_BY_ID = Statement(
    "points_lots_by_id",
    sa.select(
        *_LOT,
        sa.case((IS_LIVE, lots.c.remaining + lapsed_of_lot()), else_=_ZERO).label("remaining"),
    )
    .join_from(lots, _keys, sa.and_(lots.c.member_id == _keys.c.member_id, lots.c.id == _keys.c.id))
    .where(within_scope(member=lots.c.member_id)),
)
_IS_EXPIRING = (
    lots.c.member_id == _MEMBER,
    lots.c.expires_at > _NOW,
    lots.c.expires_at <= _NOW + sa.bindparam("within", type_=sa.Interval),
    within_scope(member=lots.c.member_id),
)
_holder = sa.select(holds_lapsed(_MEMBER).label("holds_lapsed")).subquery("holder")
# One row without a lot where there is none: it is told all the same whether something will return.
EXPIRING_LOTS = Statement(
    "expiring_points_lots",
    sa.select(*lots.c, _holder.c.holds_lapsed)
    .select_from(_holder.outerjoin(lots, sa.and_(*_IS_EXPIRING, lots.c.remaining > _ZERO)))
    .order_by(*_SOONEST)
    .limit(_LIMIT),
)
_lapsed = lapsed_lots(_MEMBER)
_of_lapsed = sa.and_(_lapsed.c.member_id == lots.c.member_id, _lapsed.c.lot_id == lots.c.id)
_expiring = sa.union_all(
    sa.select(*_LOT, (lots.c.remaining + sa.func.coalesce(_lapsed.c.points, _ZERO)).label("remaining"))
    .select_from(lots.outerjoin(_lapsed, _of_lapsed))
    .where(*_IS_EXPIRING, lots.c.remaining > _ZERO),
    # Those that nothing is left of, but something returns to.
    sa.select(*_LOT, _lapsed.c.points.label("remaining"))
    .select_from(_lapsed.join(lots, _of_lapsed))
    .where(*_IS_EXPIRING, lots.c.remaining == _ZERO),
).subquery("expiring")
EXPIRING_LOTS_WITH_LAPSED = Statement(
    "expiring_points_lots_with_lapsed",
    sa.select(_expiring).order_by(*(_expiring.c[column.name] for column in _SOONEST)).limit(_LIMIT),
)
AVAILABLE_AT = Statement(
    "points_available_at",
    sa.select(sa.func.coalesce(sa.func.sum(entries.c.delta), 0)).where(
        entries.c.member_id == _MEMBER,
        entries.c.occurred_at <= sa.bindparam("at", type_=sa.DateTime(timezone=True)),
        within_scope(member=entries.c.member_id),
    ),
)
STREAM_SEQUENCES = Statement(
    "stream_sequences",
    sa.select(streams.c.owner_id, streams.c.sequence).where(
        streams.c.owner_id == sa.any_(_MEMBERS),
        streams.c.stream == sa.bindparam("of_stream", type_=sa.Text),
        within_scope(member=streams.c.owner_id),
    ),
)
CHECK_INS_BETWEEN = Statement(
    "check_ins_between",
    sa.select(check_ins.c.on_date)
    .where(
        check_ins.c.member_id == _MEMBER,
        check_ins.c.on_date >= sa.bindparam("from_date", type_=sa.Date),
        check_ins.c.on_date < sa.bindparam("until_date", type_=sa.Date),
        within_scope(member=check_ins.c.member_id),
    )
    .order_by(check_ins.c.on_date),
)
RECENT_CHECK_INS = Statement(
    "recent_check_ins",
    sa.select(_NOW.label("now"), sa.func.array_agg(check_ins.c.on_date).label("dates")).where(
        check_ins.c.member_id == _MEMBER,
        check_ins.c.on_date > sa.cast(_NOW, sa.Date) - sa.bindparam("days", type_=sa.Integer),
        within_scope(member=check_ins.c.member_id),
    ),
)
STREAK_LOOKBACK_DAYS = 1000


async def read_accounts(connection: Conn, params: Params) -> Sequence[Row]:
    """The accounts of `member_ids` at `now`, within the scope; each as it stands at one instant."""
    rows = await ACCOUNTS.fetch(connection, params)
    lapsed = [row["member_id"] for row in rows if row["holds_lapsed"]]
    if not lapsed:
        return rows
    others = [row for row in rows if not row["holds_lapsed"]]
    return others + await ACCOUNTS_WITH_LAPSED.fetch(connection, {**params, "member_ids": lapsed})


class SqlPointsReads:
    """Reads of points."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accounts(self, member_ids: Sequence[MemberId], *, scope: Scope) -> Mapping[MemberId, PointsAccount]:
        """The accounts of these members; one without any movement has an account of zeros."""
        params = {"member_ids": list(member_ids), "now": self._database.set_now, **scope_params(scope)}
        async with self._database.read() as connection:
            rows = await read_accounts(connection, params)
        empty = {m: PointsAccount(m, 0, 0, 0, 0) for m in member_ids}
        return empty | {
            row["member_id"]: PointsAccount(
                member_id=row["member_id"],
                available=int(row["available"]),
                pending=row["pending"],
                debt=row["debt"],
                lifetime_earned=row["lifetime_earned"],
            )
            for row in rows
        }

    async def transactions(
        self, member_ids: Sequence[MemberId], *, page: PageRequest, scope: Scope
    ) -> Mapping[MemberId, Page[PointsTransaction]]:
        """The same page of each member's transactions, newest first."""
        after_at, after_id = after_instant_and_id(page)
        params = {
            "member_id": list(member_ids),
            "after_at": after_at,
            "after_id": after_id,
            "limit": page.first + 1,
            **scope_params(scope),
        }
        async with self._database.read() as connection:
            rows = await TRANSACTIONS.fetch(connection, params)
        by_member: defaultdict[MemberId, list[Row]] = defaultdict(list)
        for row in rows:
            by_member[row["member_id"]].append(row)
        return {m: page_of(by_member[m], request=page, item=_transaction_of, key=_key) for m in member_ids}

    async def transactions_by_id(
        self, keys: Sequence[tuple[MemberId, EntryId]], *, scope: Scope
    ) -> Mapping[tuple[MemberId, EntryId], PointsTransaction]:
        """These transactions."""
        async with self._database.read() as connection:
            rows = await TRANSACTIONS_BY_ID.fetch(connection, _pairs(keys) | scope_params(scope))
        return {(row["member_id"], row["id"]): _transaction_of(row) for row in rows}

    async def lots_by_id(
        self, keys: Sequence[tuple[MemberId, LotId]], *, scope: Scope
    ) -> Mapping[tuple[MemberId, LotId], PointsLot]:
        """These lots."""
        params = {**_pairs(keys), "now": self._database.set_now, **scope_params(scope)}
        async with self._database.read() as connection:
            rows = await LOTS_BY_ID.fetch(connection, params)
        return {(row["member_id"], row["id"]): _lot_of(row) for row in rows}

    async def expiring(self, member_id: MemberId, *, within_days: int, scope: Scope) -> Sequence[PointsLot]:
        """The lots that will expire within so many days, soonest first."""
        params = {
            "member_id": member_id,
            "within": timedelta(days=within_days),
            "limit": MAX_EXPIRING,
            "now": self._database.set_now,
            **scope_params(scope),
        }
        async with self._database.read() as connection:
            rows = await EXPIRING_LOTS.fetch(connection, params)
            if rows[0]["holds_lapsed"]:
                rows = await EXPIRING_LOTS_WITH_LAPSED.fetch(connection, params)
        return [_lot_of(row) for row in rows if row["id"] is not None]

    async def available_at(self, member_id: MemberId, *, at: datetime, scope: Scope) -> int:
        """The available balance as it stood at an instant, by the journal."""
        async with self._database.read() as connection:
            return int(await AVAILABLE_AT.value(connection, {"member_id": member_id, "at": at, **scope_params(scope)}))

    async def sequences(self, member_ids: Sequence[MemberId], *, stream: str, scope: Scope) -> Mapping[MemberId, int]:
        """The last event of each member's stream; 0 where there is none."""
        params = {"member_ids": list(member_ids), "of_stream": stream, **scope_params(scope)}
        async with self._database.read() as connection:
            rows = await STREAM_SEQUENCES.fetch(connection, params)
        return dict.fromkeys(member_ids, 0) | {row["owner_id"]: row["sequence"] for row in rows}

    async def check_in_status(self, member_id: MemberId, *, scope: Scope) -> CheckInStatus:
        """Where the member stands today, by the programme's days."""
        params = {
            "member_id": member_id,
            "days": STREAK_LOOKBACK_DAYS,
            "now": self._database.set_now,
            **scope_params(scope),
        }
        async with self._database.read() as connection:
            row = await RECENT_CHECK_INS.row(connection, params)
        assert row is not None, "an aggregate has one row"
        today = local_date(row["now"], zone=self._database.programme.zone)
        return CheckInStatus(today, standing(today, dates=row["dates"] or (), cycle=SEVEN_DAYS))

    async def check_in_days(self, member_id: MemberId, *, month: date, scope: Scope) -> Sequence[date]:
        """The days of a month on which the member checked in."""
        params = {
            "member_id": member_id,
            "from_date": start_of_month(month),
            "until_date": start_of_next_month(month),
            **scope_params(scope),
        }
        async with self._database.read() as connection:
            rows = await CHECK_INS_BETWEEN.fetch(connection, params)
        return [row["on_date"] for row in rows]


def _pairs(keys: Sequence[tuple[MemberId, EntryId]] | Sequence[tuple[MemberId, LotId]]) -> dict[str, object]:
    return {"member_id": [member for member, _ in keys], "id": [id_ for _, id_ in keys]}


def _key(row: Row) -> tuple[str, ...]:
    return row["occurred_at"].isoformat(), str(row["id"])


def _transaction_of(row: Row) -> PointsTransaction:
    return PointsTransaction(
        member_id=row["member_id"],
        id=row["id"],
        kind=EntryKind(row["kind"]),
        delta=row["delta"],
        balance_after=row["balance_after"],
        reason=row["reason"],
        occurred_at=row["occurred_at"],
    )


def _lot_of(row: Row) -> PointsLot:
    return PointsLot(
        member_id=row["member_id"],
        id=row["id"],
        earned=row["earned"],
        remaining=int(row["remaining"]),
        earned_at=row["earned_at"],
        expires_at=row["expires_at"],
    )
