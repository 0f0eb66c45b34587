"""One short transaction per use-case, and one short read per batch. It satisfies every slice's own narrow port."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

from domain.shared.clock import Clock
from domain.shared.ids import Ids
from domain.shared.principal import Scope
from domain.shared.programme import Programme
from persistence.base import Conn, Params, Row, Statement
from persistence.batches import SqlBatches
from persistence.campaigns.writes import SqlCampaigns
from persistence.coupons.codes import SqlCodes
from persistence.coupons.facts import SqlFactsOfMembers
from persistence.coupons.issuing import SqlIssues
from persistence.coupons.writes import SqlCoupons, SqlTemplates
from persistence.crypto import PersonalData
from persistence.events import SqlEvents
from persistence.idempotency import SqlReceipts
from persistence.members.writes import SqlMembers
from persistence.merchants.writes import SqlMerchants
from persistence.orders.budgets import SqlBudgets
from persistence.orders.redemptions import SqlRedemptions
from persistence.orders.refunds import SqlRefunds
from persistence.orders.reservations import SqlReservations
from persistence.orders.store_uses import SqlStoreUses
from persistence.orders.tills import SqlTills
from persistence.orders.writes import SqlOrders
from persistence.points.writes import SqlPoints
from persistence.pool import LeanPool
from persistence.rewards.writes import SqlRewards

# In one round trip, which asyncpg's own transaction() leaves no room for.
_BEGIN_SET: Final = "BEGIN; SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off"


class SqlUnitOfWork:
    """The repositories of one transaction, made when first asked for."""

    def __init__(self, connection: Conn, *, now: datetime | None, scope: Scope, database: "Database") -> None:
        self.connection = connection
        self._now = now
        self._scope = scope
        self._database = database

    @property
    def now(self) -> datetime:
        """The instant of this transaction, by the database's clock."""
        assert self._now is not None, "the first statement of a set tells its instant"
        return self._now

    @property
    def scope(self) -> Scope:
        """Whose rows its statements may touch."""
        return self._scope

    @property
    def programme(self) -> Programme:
        """Whose days and currency count."""
        return self._database.programme

    @property
    def ids(self) -> Ids:
        """New identities."""
        return self._database.ids

    @cached_property
    def events(self) -> SqlEvents:
        """The streams of events."""
        return SqlEvents(self.connection, now=self._now)

    @cached_property
    def receipts(self) -> SqlReceipts:
        """The receipts of writes that must happen once."""
        return SqlReceipts(self.connection, now=self._now)

    @cached_property
    def batches(self) -> SqlBatches:
        """Batches of rows that are done one by one."""
        return SqlBatches(self.connection, now=self.now)

    @cached_property
    def members(self) -> SqlMembers:
        """Members and their tiers."""
        return SqlMembers(
            self.connection,
            scope=self._scope,
            now=self.now,
            zone=self._database.programme.zone,
            personal_data=self._database.personal_data,
        )

    @cached_property
    def campaigns(self) -> SqlCampaigns:
        """Campaigns."""
        return SqlCampaigns(self.connection, scope=self._scope)

    @cached_property
    def points(self) -> SqlPoints:
        """Points accounts, journal and lots."""
        return SqlPoints(self.connection, scope=self._scope, now=self.now)

    @cached_property
    def rewards(self) -> SqlRewards:
        """The points mall."""
        return SqlRewards(self.connection, scope=self._scope, now=self.now)

    @cached_property
    def merchants(self) -> SqlMerchants:
        """Merchants and their stores."""
        return SqlMerchants(self.connection, now=self.now)

    @cached_property
    def templates(self) -> SqlTemplates:
        """Coupon templates."""
        return SqlTemplates(self.connection, scope=self._scope, now=self.now)

    @cached_property
    def coupons(self) -> SqlCoupons:
        """Coupons, and the stock that they are taken from."""
        return SqlCoupons(self.connection, scope=self._scope, now=self._now, zone=self._database.programme.zone)

    @cached_property
    def facts(self) -> SqlFactsOfMembers:
        """Members as conditions of use see them."""
        return SqlFactsOfMembers(
            self.connection,
            scope=self._scope,
            now=self.now,
            zone=self._database.programme.zone,
            personal_data=self._database.personal_data,
        )

    @cached_property
    def issues(self) -> SqlIssues:
        """Batches of coupons that are issued."""
        return SqlIssues(self.connection, scope=self._scope, now=self.now)

    @cached_property
    def codes(self) -> SqlCodes:
        """Codes that are redeemed for coupons."""
        return SqlCodes(self.connection, scope=self._scope, now=self.now)

    @cached_property
    def orders(self) -> SqlOrders:
        """Orders, and the points that they promise."""
        return SqlOrders(self.connection, scope=self._scope, now=self.now, zone=self._database.programme.zone)

    @cached_property
    def refunds(self) -> SqlRefunds:
        """Orders refunded."""
        return SqlRefunds(self.connection, scope=self._scope, now=self.now)

    @cached_property
    def tills(self) -> SqlTills:
        """Tokens that were used, and what stores redeemed without a network."""
        return SqlTills(self.connection, scope=self._scope, now=self.now)

    @cached_property
    def store_uses(self) -> SqlStoreUses:
        """Uses of coupons by store."""
        return SqlStoreUses(self.connection, now=self.now)

    @cached_property
    def redemptions(self) -> SqlRedemptions:
        """Coupons used and given back."""
        return SqlRedemptions(self.connection, scope=self._scope, now=self.now)

    @cached_property
    def reservations(self) -> SqlReservations:
        """What is held for orders."""
        return SqlReservations(self.connection, scope=self._scope, now=self.now)

    @cached_property
    def budgets(self) -> SqlBudgets:
        """Budgets of campaigns."""
        return SqlBudgets(self.connection, scope=self._scope, now=self.now)


@dataclass(frozen=True, slots=True)
class Database:
    """The pool, and what every transaction needs beside it.

    `clock` is set in tests alone: otherwise PostgreSQL tells the time. `on_commit` wakes whoever publishes events.
    """

    pool: LeanPool
    ids: Ids
    personal_data: PersonalData
    programme: Programme
    clock: Clock | None = None
    on_commit: Callable[[], None] | None = None

    @asynccontextmanager
    async def begin(self, scope: Scope) -> AsyncIterator[SqlUnitOfWork]:
        """One transaction: committed when left, rolled back by any exception."""
        async with self.pool.acquire() as connection, connection.transaction():
            now = self.clock.now() if self.clock else await connection.fetchval("SELECT now()")
            yield SqlUnitOfWork(connection, now=now, scope=scope, database=self)
        if self.on_commit is not None:
            self.on_commit()

    @asynccontextmanager
    async def begin_set(self, scope: Scope, *, tell_instant: bool = False) -> AsyncIterator[SqlUnitOfWork]:
        """As `begin`, for decisions taken in sets: one round trip fewer, and nothing planned twice.

        The instant is PostgreSQL's `now()`, which is the same for all of a transaction; the first statement tells it,
        or with `tell_instant` a round trip of its own, which a large set does not feel.
        Plans are made once, for any values, since planning is a good part of the work of a small set. The trap of it: a
        plan made while a table was empty reads all of the table for ever after (2.4k claims a second instead of 21k).
        So every table is looked up by its keys here, however small it is.
        """
        async with self.pool.acquire() as connection:
            await connection.execute(_BEGIN_SET)
            try:
                now = self.set_now
                if tell_instant and now is None:
                    now = await connection.fetchval("SELECT now()")
                yield SqlUnitOfWork(connection, now=now, scope=scope, database=self)
            except BaseException:
                if not connection.is_closed():
                    await connection.execute("ROLLBACK")
                raise
            await connection.execute("COMMIT")
        if self.on_commit is not None:
            self.on_commit()

    def read(self) -> AbstractAsyncContextManager[Conn]:
        """A connection for one short read outside any transaction."""
        return self.pool.acquire()

    async def rows(self, statement: Statement, params: Params) -> list[Row]:
        """The rows of one statement, read outside any transaction."""
        pool = self.pool
        connection = pool.take_now() or await pool.take()
        try:
            rows = await statement.fetch(connection, params)
        except BaseException:
            await pool.put_right(connection)
            raise
        if not pool.give_back_now(connection):
            await pool.put_right(connection)
        return rows

    @property
    def set_now(self) -> datetime | None:
        """The instant that a test has set; None, so that a statement takes PostgreSQL's own (`current_instant`)."""
        return self.clock.now() if self.clock else None
