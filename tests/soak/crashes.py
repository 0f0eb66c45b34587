"""kill -9 at random moments of a mixed load: what was acknowledged is there, once, and whole."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import asyncpg
import psutil
from pydantic import SecretStr

from app.jobs import ALL_CHECKS
from app.keys import redemption_tokens, token_issuer
from app.settings import Settings
from app.wiring import open_database
from persistence.invariants import SqlInvariants
from tests.soak.client import CRASHING, Client, Times
from tests.soak.journeys import Book, Customer, Load, Wares
from tests.soak.report import Tally
from tests.soak.shop import Shop
from tests.soak.supervisor import KILLS, Supervisor, drawn, supervised

CUSTOMERS: Final = 12
BACK_SECONDS: Final = 5.0
PATIENCE_SECONDS: Final = 240.0
LAG_SECONDS: Final = 0.5
KILLS_PER_ROUND: Final = 5
# Sometimes the next one comes while the last one is still being mended.
DOUBLE_FAULTS: Final = 0.15
ON_TOP: Final = "one upon another"
VIOLATIONS: Final = 5


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is."""

    round: int
    rounds: int
    kills: int
    acknowledged: int
    verified: int
    broken: int
    last: str


@dataclass(slots=True)
class Crashes:
    """One run: what was killed, how long until all was back, and what was found afterwards."""

    supervisor: Supervisor
    load: Load
    book: Book
    times: Times
    chance: random.Random
    tallies: dict[str, Tally] = field(default_factory=dict)
    # What was killed and is not back yet, of one kill upon another.
    gone: set[int] = field(default_factory=set)
    silences: dict[str, float] = field(default_factory=dict)
    all: Tally = field(default_factory=lambda: Tally("all writes"))

    async def round(self, kinds: list[str]) -> None:
        """Load, some kills, rest, and a look at everything."""
        self.load.begin()
        for number, kind in enumerate(kinds, start=1):
            await asyncio.sleep(self.chance.uniform(0.05, 0.8))
            # Whatever is killed upon another, the last one is waited for.
            await self._kill(kind, mend=number == len(kinds) or self.chance.random() >= DOUBLE_FAULTS)
        await self.load.rest()
        self.all.rounds += 1
        await self._verify()

    async def _kill(self, kind: str, *, mend: bool) -> None:
        """Kills, and waits until all is back; or does not, and then the next kill comes upon this one."""
        tally = self.tallies.setdefault(kind, Tally(f"kill -9: {kind}"))
        self.times.answered.clear()
        on_top = bool(self.gone)
        self.gone |= await self._killed(kind)
        at = time.monotonic()
        tally.rounds += 1
        if not mend:
            return
        if on_top:  # from the last kill on, with all that was killed before it
            tally = self.tallies.setdefault(ON_TOP, Tally(f"kill -9: {ON_TOP}, from the last"))
            tally.rounds += 1
        killed, self.gone = self.gone, set()
        while not await self._is_back(at, killed=killed):
            if time.monotonic() - at > PATIENCE_SECONDS:
                tally.broken.append(f"{kind}: not back after {PATIENCE_SECONDS:.0f} s")
                return
            await asyncio.sleep(0.02)
        outage = time.monotonic() - at
        tally.longest_outage = max(tally.longest_outage or 0.0, outage)
        answered = self.times.first_after(at)
        assert answered is not None, "that was waited for"
        self.silences[kind] = max(self.silences.get(kind, 0.0), answered - at)

    async def _killed(self, kind: str) -> set[int]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return KILLS[kind](self.supervisor, self.chance)
            except psutil.Error:  # not there yet, after the last kill
                assert time.monotonic() < deadline, f"there is no {kind} to kill"
                await asyncio.sleep(0.02)

    async def _is_back(self, at: float, *, killed: set[int]) -> bool:
        """Whether all runs again, a write that was sent since is acknowledged, and what happened since is published."""
        return (
            self.times.first_after(at) is not None
            and await self.supervisor.whole(without=killed)
            and await self._is_published(at)
        )

    async def _is_published(self, at: float) -> bool:
        oldest = (
            "SELECT extract(epoch FROM clock_timestamp() - min(occurred_at)) FROM events WHERE published_at IS NULL"
        )
        try:
            connection = await asyncpg.connect(self.supervisor.urls[0], timeout=2)
            try:
                age = await connection.fetchval(oldest)
            finally:
                await connection.close(timeout=1)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError, KeyError, TypeError, ValueError):
            return False
        # The load writes all the time: what it wrote in the first moment after the kill is published by now.
        return float(age or 0) < min(LAG_SECONDS, time.monotonic() - at - LAG_SECONDS / 5)

    # ── what is true ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _verify(self) -> None:
        settings = Settings(data_dir=self.supervisor.data_dir, database_url=SecretStr(self.supervisor.urls[0]))
        async with open_database(settings) as database:
            rows = database.pool.fetch
            book, tally = self.book, self.all
            keys = {r["key"]: r for r in await rows("SELECT key FROM idempotency WHERE key LIKE 'journey-%'")}
            self._compare("receipts", set(book.keys), set(keys))
            stored = {r["id"]: r["state"] for r in await rows("SELECT id, state FROM coupons")}
            self._compare("coupons", set(book.coupons.items()), set(stored.items()))
            redeemed = {r["id"] for r in await rows("SELECT id FROM redemptions")}
            self._compare("redemptions", book.redemptions, redeemed)
            orders = {(r["order_ref"], r["state"]) for r in await rows("SELECT order_ref, state FROM orders")}
            self._compare("orders", set(book.orders.items()), orders)
            refunded = {
                (r["order_ref"], Decimal(r["amount"]) / 100)
                for r in await rows(
                    "SELECT order_ref, sum(r.amount_minor) AS amount FROM refunds AS r JOIN orders AS o"
                    " ON (o.member_id, o.id) = (r.member_id, r.order_id) WHERE o.state <> 'CANCELLED' GROUP BY 1"
                )
            }
            self._compare("refunds", set(book.refunded.items()), refunded)
            entries = {r["id"] for r in await rows("SELECT id FROM points_entries WHERE kind IN ('ADJUST', 'SPEND')")}
            self._compare("points", book.entries, entries)
            codes = {r["printed"] for r in await rows("SELECT printed FROM coupon_codes")}
            self._compare("codes", book.codes, codes)
            seen = await rows("SELECT count(*) AS number FROM check_ins")
            self._compare("check-ins", {book.check_ins}, {seen[0]["number"]})
            for violation in await SqlInvariants(database, checks=ALL_CHECKS).violations(limit=VIOLATIONS):
                tally.broken.append(f"{violation.name}: {violation.detail}")
        tally.broken += book.wrong
        book.wrong.clear()
        tally.acknowledged = tally.verified = len(book.keys)
        tally.verified -= sum(1 for key in book.keys if key not in keys)

    def _compare(self, what: str, promised: set[Any], stored: set[Any]) -> None:
        """What was promised is stored, and nothing else is: not lost, not doubled."""
        if lost := promised - stored:
            self.all.broken.append(f"{len(lost)} {what} were acknowledged and are not so, as {next(iter(lost))}")
        if more := stored - promised:
            self.all.broken.append(f"{len(more)} {what} that nobody was promised, as {next(iter(more))}")


async def crash(
    folder: Path, *, kills: int, seed: int, tell: Callable[[Progress], None] = lambda _progress: None
) -> Crashes:
    """So many kills of everything, in rounds of five, on a Laurel in a folder of its own."""
    chance = random.Random(seed)
    async with supervised(folder) as supervisor:
        settings = Settings(data_dir=supervisor.data_dir)
        times, book = Times(), Book()
        clients = [Client(port=supervisor.port, times=times, transient=CRASHING) for _ in range(CUSTOMERS)]
        shop = Shop(
            port=supervisor.port,
            issuer=token_issuer(settings),
            redemption_tokens=redemption_tokens(settings),
            client=Client(port=supervisor.port, transient=CRASHING),
        )
        await shop.open()
        wares = await Wares.of(shop)
        load = Load(
            [
                Customer(number, shop=shop, wares=wares, client=client, book=book, seed=seed)
                for number, client in enumerate(clients)
            ]
        )
        run = Crashes(supervisor, load, book, times, chance)
        order = drawn(kills, chance=chance)
        rounds = [list(order[first : first + KILLS_PER_ROUND]) for first in range(0, kills, KILLS_PER_ROUND)]
        done = 0
        for number, kinds in enumerate(rounds, start=1):
            await run.round(kinds)
            done += len(kinds)
            broken = len(run.all.broken) + sum(len(tally.broken) for tally in run.tallies.values())
            tell(Progress(number, len(rounds), done, len(book.keys), run.all.verified, broken, ", ".join(kinds)))
        for client in (*clients, shop.client):
            client.close()
    return run
