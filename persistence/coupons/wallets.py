"""Pages of wallets: one statement that walks one index from where the last page ended, and reads what is looked at.

Which columns a page has follows from the names that its reader looks at: each set of them is a statement of its own,
written when it is first met. All have the name and the conditions of the whole one, which reads every column.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from asyncpg import Record
from sqlalchemy.dialects import postgresql as pg

from domain.coupons.entries import EntryColumns, WalletEntry
from domain.coupons.model import Coupon, CouponOrder, WalletQuery
from domain.coupons.offer import CouponState
from domain.shared.ids import MemberId
from domain.shared.paging import Page, PageRequest
from persistence.base import Row, Statement, current_instant, within_scope
from persistence.coupons.rows import COUPON, STATES, coupon_of
from persistence.coupons.tables import coupons
from persistence.members.people import Columns
from persistence.members.tables import members
from persistence.paging import Keys, after_instant_and_id, page_of

_NOW = current_instant()
_MEMBER = sa.bindparam("member_id", type_=sa.Uuid)
_MERCHANT = sa.bindparam("merchant_id", type_=sa.Uuid)
_AFTER = sa.tuple_(sa.bindparam("after_at", type_=sa.DateTime(timezone=True)), sa.bindparam("after_id", type_=sa.Uuid))
_LIMIT = sa.bindparam("limit", type_=sa.Integer)

# The same rules as domain.coupons.model.state_at, so that a list can be filtered by them; a test holds them together.
# An order holds a coupon no longer than it says, swept or not.
IS_CLAIMED: Final = sa.or_(coupons.c.state == sa.literal_column("'CLAIMED'"), coupons.c.reserved_until <= _NOW)
IS_LIVE: Final = sa.and_(IS_CLAIMED, coupons.c.valid_until > _NOW)
_state_now = sa.case(
    (sa.and_(IS_CLAIMED, coupons.c.valid_until <= _NOW), sa.literal_column("'EXPIRED'")),
    (coupons.c.reserved_until <= _NOW, sa.literal_column("'CLAIMED'")),
    else_=coupons.c.state,
)
_IN_STATES = _state_now == sa.any_(sa.bindparam("states", type_=pg.ARRAY(sa.Text)))
OF_MERCHANT: Final = sa.or_(_MERCHANT.is_(None), coupons.c.merchant_id == _MERCHANT)
BY_EXPIRY: Final = (coupons.c.valid_until, coupons.c.id)
_BY_CLAIM = (coupons.c.claimed_at, coupons.c.id)

# Always there; and what is there when a name is looked at.
_ALWAYS: Final = (coupons.c.id, coupons.c.member_id, coupons.c.template_id, _state_now.label("state_now"))
_WHOLE: Final = (*COUPON, _NOW.label("read_at"), _state_now.label("state_now"))
_OPTIONAL: Final = ("claimed_at", "code", "valid_from", "valid_until")
_DECIDING: Final = frozenset({"keys", *_OPTIONAL})
_KNOWN: Final = frozenset({"id", "member_id", "template_id", "state", *_DECIDING})
# Of a member, beside its wallet: what is personal is read where it may be asked for.
_PERSONAL: Final = frozenset({"display_name", "phone", "birthday"})
_PERSON: Final = tuple(column for column in members.c if column.name != "phone_index")


# How a member's columns are called in a row that is a coupon's as well; its id is that of the coupon's owner.
_BESIDE: Final = {c.name: c.name if c.name == "member_id" else f"person_{c.name}" for c in _PERSON}
# How the columns of a page are called beside a member, where each is an array.
_LISTED: Final = {name: f"listed_{name}" for name in ("id", "template_id", "state", *_OPTIONAL)}


class WalletRow(Record):
    """A row of a wallet, as an entry of it (`domain.coupons.entries.WalletEntry`)."""

    __slots__ = ()
    id = property(itemgetter("id"))
    member_id = property(itemgetter("member_id"))
    template_id = property(itemgetter("template_id"))
    code = property(itemgetter("code"))
    claimed_at = property(itemgetter("claimed_at"))
    valid_from = property(itemgetter("valid_from"))
    valid_until = property(itemgetter("valid_until"))

    @property
    def state(self) -> CouponState:
        """Its state at the instant of the read."""
        return STATES[self["state_now"]]

    @property
    def whole(self) -> Coupon:
        """All of it."""
        return coupon_of(self)


class PersonBeside:
    """The member's columns of a row that is a member's and its coupon's."""

    __slots__ = ("_row",)

    def __init__(self, row: Row) -> None:
        self._row = row

    def __getitem__(self, name: str) -> Any:
        return self._row[_BESIDE[name]]


class WalletStatement:
    """A page of a wallet in one order and one choice of states: each has a plan of its own."""

    def __init__(self, name: str, *, order: CouponOrder, state: sa.ColumnElement[bool]) -> None:
        self._name = name
        self._by_expiry = order is CouponOrder.EXPIRES_SOONEST
        self._state = state
        self._showing: dict[frozenset[str], Statement] = {}
        self._beside: dict[tuple[frozenset[str] | None, bool], BesideMember] = {}
        self.whole: Final = Statement(name, self._page(_WHOLE), record_class=WalletRow)
        self.beside_member: Final = self._beside_member(_WHOLE, personal=True, less_of=None)

    def showing(self, names: frozenset[str] | None) -> Statement:
        """The statement for a reader who looks at these names of each entry; None: at any."""
        if names is None or not names <= _KNOWN:
            return self.whole
        names &= _DECIDING
        found = self._showing.get(names)
        if found is None:
            clause = self._page(self._columns(names))
            found = Statement(self._name, clause, record_class=WalletRow, less_of=self.whole)
            self._showing[names] = found
        return found

    def showing_beside_member(self, names: frozenset[str] | None, *, personal: bool) -> "BesideMember":
        """The same with the member itself: of a known few names in one row with an array of each.

        Else the member is in each row, of which there is one where the page is empty.
        """
        known = None if names is None or not names <= _KNOWN else names & _DECIDING
        found = self._beside.get((known, personal))
        if found is None:
            if known is None:
                whole = self.beside_member
                statement = whole if personal else self._beside_member(_WHOLE, personal=False, less_of=whole)
                found = BesideMember(statement, None)
            else:
                found = self._listed_beside_member(known, personal=personal)
            self._beside[known, personal] = found
        return found

    def _columns(self, names: frozenset[str] | None) -> tuple[sa.ColumnElement[Any], ...]:
        if names is None:
            return _WHOLE
        if "keys" in names:
            names = names | {"valid_until" if self._by_expiry else "claimed_at"}
        return (*_ALWAYS, *(coupons.c[name] for name in _OPTIONAL if name in names))

    def _page(
        self, columns: tuple[sa.ColumnElement[Any], ...], *, owner: sa.ColumnElement[Any] = _MEMBER
    ) -> sa.Select[Any]:
        own = within_scope(member=coupons.c.member_id)
        query = sa.select(*columns).where(coupons.c.member_id == owner, self._state, OF_MERCHANT, own).limit(_LIMIT)
        if self._by_expiry:
            return query.where(sa.tuple_(*BY_EXPIRY) > _AFTER).order_by(*BY_EXPIRY)
        return query.where(sa.tuple_(*_BY_CLAIM) < _AFTER).order_by(*(column.desc() for column in _BY_CLAIM))

    def _beside_member(
        self, columns: tuple[sa.ColumnElement[Any], ...], *, personal: bool, less_of: Statement | None
    ) -> Statement:
        first, last = ("valid_until", "id") if self._by_expiry else ("claimed_at", "id")
        ordered = columns if any(c.key == first for c in columns) else (*columns, coupons.c[first])
        page = self._page(ordered, owner=members.c.member_id).correlate(members).lateral("page")
        order = (page.c[first], page.c[last]) if self._by_expiry else (page.c[first].desc(), page.c[last].desc())
        person = [c.label(_BESIDE[c.name]) for c in _PERSON if personal or c.name not in _PERSONAL]
        shown = [page.c[column.key] for column in columns if column.key not in {None, "member_id"}]
        clause = (
            sa.select(*person, *shown)
            .select_from(members.outerjoin(page, sa.true()))
            .where(members.c.member_id == _MEMBER, within_scope(member=members.c.member_id))
            .order_by(*order)
        )
        return Statement(f"member_and_{self._name}", clause, record_class=WalletRow, less_of=less_of)

    def _listed_beside_member(self, names: frozenset[str], *, personal: bool) -> "BesideMember":
        """Decoding an array costs half of what decoding as many rows does, and the member is there once."""
        columns = self._columns(names)
        first = "valid_until" if self._by_expiry else "claimed_at"
        ordered = columns if any(c.key == first for c in columns) else (*columns, coupons.c[first])
        page = self._page(ordered, owner=members.c.member_id).correlate(members).lateral("page")
        keys = (page.c[first], page.c.id) if self._by_expiry else (page.c[first].desc(), page.c.id.desc())
        read = {
            "id": sa.func.uuid_send(page.c.id, type_=sa.LargeBinary),
            "template_id": sa.func.uuid_send(page.c.template_id, type_=sa.LargeBinary),
            "state": page.c.state_now,
            **{column.key: page.c[column.key] for column in columns if column.key in _OPTIONAL},
        }
        # In the order of the index that the page walks: PostgreSQL need not sort it again.
        arrays = [
            sa.func.array_agg(pg.aggregate_order_by(column, *keys)).label(_LISTED[name])
            for name, column in read.items()
        ]
        listed = sa.select(*arrays).select_from(page).lateral("listed")
        person = [c for c in _PERSON if personal or c.name not in _PERSONAL]
        clause = (
            sa.select(*person, *listed.c)
            .select_from(members.join(listed, sa.true()))
            .where(members.c.member_id == _MEMBER, within_scope(member=members.c.member_id))
        )
        statement = Statement(f"member_and_{self._name}", clause, less_of=self.beside_member)
        return BesideMember(statement, tuple(name for name in read if name not in {"id", "template_id"}))


@dataclass(frozen=True, slots=True)
class BesideMember:
    """A member and a page of its wallet as one statement. Where it reads arrays, `listed` names those beside ids."""

    statement: Statement
    listed: tuple[str, ...] | None

    def member_row(self, row: Row) -> Columns:
        """The columns of the member."""
        return PersonBeside(row) if self.listed is None else row

    def page(self, rows: list[Row], *, query: WalletQuery, page: PageRequest) -> Page[WalletEntry]:
        """The page that the rows are, of which there is at least one."""
        if self.listed is None:
            return wallet_page_of([] if rows[0]["id"] is None else rows, query=query, page=page)
        return _page_of_arrays(rows[0], self.listed, query=query, page=page)


_ORDERS: Final = (CouponOrder.EXPIRES_SOONEST, CouponOrder.CLAIMED_LATEST)


def _in_each_order(kind: str, *, state: sa.ColumnElement[bool]) -> Mapping[CouponOrder, WalletStatement]:
    return {order: WalletStatement(f"{kind}_{order.value.lower()}", order=order, state=state) for order in _ORDERS}


WALLET_PAGE: Final = _in_each_order("wallet", state=sa.true())
WALLET_PAGE_LIVE: Final = _in_each_order("wallet_live", state=IS_LIVE)
WALLET_PAGE_STATES: Final = _in_each_order("wallet_states", state=_IN_STATES)
# Before the first row of each order.
_FIRST: Final = {
    CouponOrder.EXPIRES_SOONEST: (datetime(1, 1, 2, tzinfo=UTC), UUID(int=0)),
    CouponOrder.CLAIMED_LATEST: (datetime(9999, 12, 30, tzinfo=UTC), UUID(int=2**128 - 1)),
}


def wallet_statement(query: WalletQuery) -> WalletStatement:
    """The statement of a query's order and states."""
    assert query.order in _ORDERS, "the best value is that for a cart, which is no matter of the database"
    if query.states is None:
        return WALLET_PAGE[query.order]
    if query.states == {CouponState.CLAIMED}:
        return WALLET_PAGE_LIVE[query.order]
    return WALLET_PAGE_STATES[query.order]


def wallet_params(member_id: MemberId, *, query: WalletQuery, page: PageRequest) -> dict[str, object]:
    """What the statement of a query is run with, beside the scope and the instant.

    Refusals: BadUserInput for a cursor of another list.
    """
    at, after = after_instant_and_id(page)
    first_at, first_id = _FIRST[query.order]
    return {
        "member_id": member_id,
        "merchant_id": query.merchant_id,
        "states": None if query.states is None else [state.value for state in query.states],
        "after_at": at or first_at,
        "after_id": after or first_id,
        "limit": page.first + 1,
    }


def wallet_page_of(rows: list[Row], *, query: WalletQuery, page: PageRequest) -> Page[WalletEntry]:
    """The page that the rows are."""
    by_expiry = query.order is CouponOrder.EXPIRES_SOONEST
    return page_of(rows, request=page, item=None, key=_expiry_key if by_expiry else _claim_key)


def _page_of_arrays(row: Row, names: tuple[str, ...], *, query: WalletQuery, page: PageRequest) -> Page[WalletEntry]:
    ids, template_ids = row["listed_id"], row["listed_template_id"]
    more = {name: row[_LISTED[name]] for name in names}
    if ids is None:  # no array is aggregated of nothing
        ids, template_ids, more = (), (), dict.fromkeys(names, ())
    has_next = len(ids) > page.first
    if has_next:
        ids, template_ids = ids[: page.first], template_ids[: page.first]
        more = {name: values[: page.first] for name, values in more.items()}
    more["state"] = [*map(STATES.__getitem__, more["state"])]
    entries = EntryColumns(row["member_id"], ids=ids, template_ids=template_ids, more=more)
    key = _expiry_key_of if query.order is CouponOrder.EXPIRES_SOONEST else _claim_key_of
    return Page(items=entries, keys=Keys(entries, key), has_next=has_next, has_previous=page.after is not None)


def _expiry_key_of(entry: WalletEntry) -> tuple[str, ...]:
    return entry.valid_until.isoformat(), str(entry.id)


def _claim_key_of(entry: WalletEntry) -> tuple[str, ...]:
    return entry.claimed_at.isoformat(), str(entry.id)


def _expiry_key(row: Row) -> tuple[str, ...]:
    return row["valid_until"].isoformat(), str(row["id"])


def _claim_key(row: Row) -> tuple[str, ...]:
    return row["claimed_at"].isoformat(), str(row["id"])
