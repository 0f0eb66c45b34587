"""The demo programme's rows, written by COPY: a slice of members at a time, each slice whole or not at all.

A member that is there is never touched again, and neither is the catalogue: so loading can be repeated, also after one
that was killed, and what users did since stays as it is.
"""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias
from uuid import UUID

import asyncpg
import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.coupons.model import WalletChange
from domain.shared.events import REDEMPTIONS
from domain.shared.principal import Scope
from persistence.base import Statement, arrays, scope_params, within_scope
from persistence.campaigns.tables import campaigns
from persistence.coupons.rows import template_row
from persistence.coupons.tables import coupons, redemptions, template_stock, templates
from persistence.demo.rows import CatalogueRows, EventRow, Json, MemberRows, PublishedTemplate, RedemptionRow
from persistence.demo.standing import MERCHANT_CREATED_AT, open_demo_session
from persistence.events import ADVANCE_STREAMS, events, streams
from persistence.members.tables import member_tiers, members, tier_metric_days
from persistence.merchants.tables import merchants, stores
from persistence.orders.tables import order_directory, order_lines, orders
from persistence.points.tables import accounts, entries, lot_draws, lots, postings
from persistence.rewards.tables import exchanges, reward_stock, rewards
from persistence.sessions import lock_number

if TYPE_CHECKING:
    from asyncpg import Connection, Record

    Session: TypeAlias = "Connection[Record]"

_LOCK: Final = "demo programme"
_REDEEMED: Final = WalletChange.REDEEMED.value

# Every field of MemberRows but the members themselves, which are written first.
_TABLES: Final[Mapping[str, sa.Table]] = {
    "tiers": member_tiers,
    "metric_days": tier_metric_days,
    "orders": orders,
    "order_lines": order_lines,
    "directory": order_directory,
    "accounts": accounts,
    "entries": entries,
    "postings": postings,
    "lots": lots,
    "draws": lot_draws,
    "exchanges": exchanges,
    "coupons": coupons,
    "redemptions": redemptions,
    "events": events,
    "streams": streams,
}

MEMBER_REFS = Statement(
    "member_refs", sa.select(members.c.external_ref).where(within_scope(member=members.c.member_id))
)
DATABASE_NOW = Statement("database_now", sa.select(sa.func.now()))
_taken = arrays("taken", {"id": sa.Uuid(), "count": sa.BigInteger()})
TAKE_FROM_STOCKS = Statement(
    "take_from_stocks",
    sa.update(template_stock)
    .where(template_stock.c.template_id == _taken.c.id)
    .values(remaining=template_stock.c.remaining - _taken.c.count),
)
TAKE_FROM_REWARD_STOCKS = Statement(
    "take_from_reward_stocks",
    sa.update(reward_stock)
    .where(reward_stock.c.reward_id == _taken.c.id)
    .values(remaining=reward_stock.c.remaining - _taken.c.count),
)


class RegisteredMeanwhile(Exception):
    """A member of the slice registered while it was loaded. The message is one line; another load leaves it out."""


class DemoStore:
    """Where the demo programme is written; one of it at a time holds the lock."""

    def __init__(self, session: "Session") -> None:
        self._session = session

    async def now(self) -> datetime:
        """The instant, by the database's clock."""
        at = await DATABASE_NOW.value(self._session, {})
        assert isinstance(at, datetime)
        return at

    async def opened_at(self, merchant_id: UUID) -> datetime | None:
        """When this merchant of the demo was made; None while there is no demo."""
        at = await MERCHANT_CREATED_AT.value(self._session, {"id": merchant_id})
        assert at is None or isinstance(at, datetime)
        return at

    async def member_refs(self) -> frozenset[str]:
        """The external references of all members."""
        rows = await MEMBER_REFS.fetch(self._session, scope_params(Scope.system()))
        return frozenset(row["external_ref"] for row in rows)

    async def add_catalogue(self, rows: CatalogueRows) -> None:
        """Writes what belongs to no member, in one transaction."""
        async with self._session.transaction():
            await self._copy(merchants, rows.merchants)
            await self._copy(stores, rows.stores)
            await self._copy(campaigns, rows.campaigns)
            await self._copy_templates(rows.templates)
            stocked = [(t.template.id, t.stock, t.stock) for t in rows.templates]
            await self._copy_columns(template_stock, ("template_id", "total", "remaining"), stocked)
            await self._copy(rewards, [reward for reward, _ in rows.rewards])
            offered = [(reward.id, stock, stock) for reward, stock in rows.rewards]
            await self._copy_columns(reward_stock, ("reward_id", "total", "remaining"), offered)

    async def add_members(
        self, rows: MemberRows, *, claimed: Mapping[UUID, int], exchanged: Mapping[UUID, int]
    ) -> None:
        """Writes a slice of members in one transaction, and takes from stocks what they claimed and exchanged."""
        async with self._session.transaction():
            try:
                await self._copy(members, rows.members)
            except asyncpg.UniqueViolationError:
                raise RegisteredMeanwhile(
                    "a member of the demo programme registered meanwhile: load it again"
                ) from None
            for name, table in _TABLES.items():
                written: Sequence[NamedTuple] = getattr(rows, name)
                await self._copy(table, written)
            # Last, since others wait for these rows: in the order in which everybody locks them.
            await TAKE_FROM_REWARD_STOCKS.execute(self._session, _counts(exchanged))
            await TAKE_FROM_STOCKS.execute(self._session, _counts(claimed))
            await self._tell_merchants(rows.redemptions)

    async def _tell_merchants(self, redeemed: Sequence[RedemptionRow]) -> None:
        """Continues the streams of the merchants that coupons were redeemed at."""
        counts = Counter(r.merchant_id for r in redeemed if r.merchant_id is not None)
        ordered = sorted(counts)
        advanced = await ADVANCE_STREAMS.fetch(
            self._session,
            {
                "owner_id": ordered,
                "stream": [REDEMPTIONS] * len(ordered),
                "sequence": [counts[owner] for owner in ordered],
                **scope_params(Scope.system()),
            },
        )
        following = {row["owner_id"]: row["sequence"] - counts[row["owner_id"]] for row in advanced}
        told: list[EventRow] = []
        for r in sorted(redeemed, key=lambda r: (r.redeemed_at, r.id)):
            if r.merchant_id is not None:
                following[r.merchant_id] += 1
                facts = _text({"member_id": str(r.member_id)})
                at, sequence = r.redeemed_at, following[r.merchant_id]
                told.append(EventRow(r.merchant_id, REDEMPTIONS, sequence, _REDEEMED, r.id, facts, at, at))
        await self._copy(events, told)

    async def analyse(self) -> None:
        """Lets the planner know what has been loaded."""
        await self._session.execute("ANALYZE")

    async def _copy_templates(self, published: Sequence[PublishedTemplate]) -> None:
        rows = [
            {**template_row(p.template), "created_at": p.published_at, "published_at": p.published_at}
            for p in published
        ]
        if not rows:
            return
        columns = tuple(rows[0])
        documents = {name for name in columns if isinstance(templates.c[name].type, pg.JSONB)}
        records = [
            tuple(_text(row[n]) if n in documents and row[n] is not None else row[n] for n in columns) for row in rows
        ]
        await self._copy_columns(templates, columns, records)

    async def _copy(self, table: sa.Table, rows: Sequence[NamedTuple]) -> None:
        if rows:
            await self._copy_columns(table, rows[0]._fields, rows)

    async def _copy_columns(
        self, table: sa.Table, columns: Collection[str], records: Iterable[tuple[object, ...]]
    ) -> None:
        await self._session.copy_records_to_table(table.name, columns=list(columns), records=records)


def _counts(taken: Mapping[UUID, int]) -> dict[str, object]:
    ordered = sorted(taken)
    return {"id": ordered, "count": [taken[each] for each in ordered]}


def _text(document: object) -> Json:
    return orjson.dumps(document).decode()


@asynccontextmanager
async def open_demo_store(database_url: str) -> AsyncIterator[DemoStore]:
    """A session of its own, without the limits of a request; whoever comes second waits until the first is done."""
    session = await open_demo_session(database_url)
    try:
        await session.execute("SELECT pg_advisory_lock($1)", lock_number(_LOCK))
        yield DemoStore(session)
    finally:
        await session.close()
