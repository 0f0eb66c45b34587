"""One hot budget, drawn on by many at once: dealt out over shards beside a single row, with the same transactions.

Each transaction draws one minor unit and then does as much as a redemption does after it has drawn: some statements
more, and a durable commit. A single row is locked all that time, so that one transaction follows the other. Once with
PostgreSQL on this machine, and once as from another host, where each of those statements takes a millisecond more.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from benchmarks.measure import WARM_UP_TURNS
from benchmarks.options import Options
from benchmarks.place import Place, say
from benchmarks.results import Results
from benchmarks.seeds import identity
from domain.coupons.model import CouponKey
from domain.coupons.offer import Funder
from domain.coupons.pricing import FunderAmount
from domain.orders.budgets import Discount, spend
from domain.shared.ids import CampaignId, CouponId, MemberId
from domain.shared.principal import Scope
from persistence.campaigns.rows import deal
from persistence.campaigns.tables import BUDGET_SHARDS
from persistence.engine import open_pool
from persistence.orders.budgets import SqlBudgets
from persistence.pool import LeanPool

Draw: TypeAlias = Callable[[Any, CouponKey], Awaitable[None]]

LIMIT_MINOR: Final = 1_000_000_000
AT_ONCE: Final = 32
# Statements of a redemption after it has drawn: the order, its lines, redemptions, points, events, the receipt.
AFTERWARDS: Final = 6
_PER_MILLI: Final = 1_000
_NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
_CAMPAIGN: Final = CampaignId(identity("campaign", 0))
_BUDGET: Final = "UPDATE campaigns SET budget_minor = $2, budget_currency = 'CNY' WHERE id = $1"
_ACCOUNT: Final = "INSERT INTO budget_accounts VALUES ($1, 'ALL', $2, NULL, $3, 0, 0)"
_SINGLE: Final = "CREATE TABLE single_row_budget AS SELECT $1::uuid AS campaign_id, $2::bigint AS free_minor"
_DRAW_SINGLE: Final = """UPDATE single_row_budget SET free_minor = free_minor - 1
WHERE campaign_id = $1 AND free_minor >= 1"""
_COUPONS: Final = """SELECT c.member_id, c.id FROM coupons c JOIN coupon_templates t ON t.id = c.template_id
WHERE t.campaign_id = $1 ORDER BY c.member_id, c.id LIMIT $2"""


@dataclass(slots=True)
class Way:
    """A way to draw, and how it did: transactions a second and their times, round by round."""

    name: str
    draw: Draw
    per_second: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)


def budgets(place: Place, options: Options, results: Results) -> None:
    """Measures draws on one budget in shards beside draws on one row; the sums are checked after it."""
    found: dict[str, object] = {}
    for where, network_seconds in (("near", 0.0), ("1 ms away", 0.001)):
        with place.copy_of(options.size) as database:
            ways = asyncio.run(_measure(place.url_of(database), options, network_seconds=network_seconds))
        sharded, single = ways
        ratio = statistics.median(sharded.per_second) / statistics.median(single.per_second)
        print(f"\none budget, {AT_ONCE} at once, {where}")
        print(f"{'':<24}{'per s':>9}{'min - max':>17}{'p50 ms':>8}{'p99 ms':>8}{'ratio':>7}")
        for way in ways:
            print(_row(way, against=single))
        found[where] = {"sharded_vs_single_row": round(ratio, 2), **{way.name: _figures(way) for way in ways}}
    results.detail("budgets", found)


async def _measure(url: str, options: Options, *, network_seconds: float) -> Sequence[Way]:
    pool = await open_pool(url, size=AT_ONCE)
    try:
        coupons = await _prepare(pool)
        ways = [Way(f"{BUDGET_SHARDS} shards", _draw_sharded), Way("a single row", _draw_single)]
        warm_up = options.seconds * WARM_UP_TURNS
        drawn = [
            await _turn(pool, Way("warm", way.draw), coupons=coupons, seconds=warm_up, network_seconds=0)
            for way in ways
        ]
        for round_ in range(1, options.rounds + 1):
            for place, way in enumerate(ways):
                drawn[place] += await _turn(
                    pool, way, coupons=coupons, seconds=options.seconds, network_seconds=network_seconds
                )
                say(f"  round {round_}  {way.name:<22} {way.per_second[-1]:>8,.0f}/s")
        await _check(pool, drawn=drawn)
    finally:
        await pool.close()
    return ways


async def _prepare(pool: LeanPool) -> Sequence[CouponKey]:
    await pool.execute(_BUDGET, _CAMPAIGN, LIMIT_MINOR)
    for shard, left in enumerate(deal(LIMIT_MINOR, shards=BUDGET_SHARDS)):
        await pool.execute(_ACCOUNT, _CAMPAIGN, shard, left)
    await pool.execute(_SINGLE, _CAMPAIGN, LIMIT_MINOR)
    rows = await pool.fetch(_COUPONS, _CAMPAIGN, AT_ONCE)
    return [CouponKey(MemberId(row["member_id"]), CouponId(row["id"])) for row in rows]


async def _turn(
    pool: LeanPool, way: Way, *, coupons: Sequence[CouponKey], seconds: float, network_seconds: float
) -> int:
    """So many seconds of transactions, as many at once as there are connections; how many there were."""
    times: list[float] = []
    ends_at = time.perf_counter() + seconds

    async def draw_on(coupon: CouponKey) -> None:
        async with pool.acquire() as connection:
            while (began := time.perf_counter()) < ends_at:
                async with connection.transaction():
                    await way.draw(connection, coupon)
                    for _ in range(AFTERWARDS):
                        await connection.fetchval("SELECT 1")
                        if network_seconds:
                            await asyncio.sleep(network_seconds)
                times.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(draw_on(coupons[place % len(coupons)]) for place in range(AT_ONCE)))
    centiles = statistics.quantiles(times, n=100)
    way.per_second.append(len(times) / (time.perf_counter() - began))
    way.p50_ms.append(centiles[49] * _PER_MILLI)
    way.p99_ms.append(centiles[98] * _PER_MILLI)
    return len(times)


async def _draw_sharded(connection: Any, coupon: CouponKey) -> None:
    """As a redemption draws."""
    discount = Discount(coupon, _CAMPAIGN, "CNY", (FunderAmount(Funder.PLATFORM, 1),))
    budgets_ = SqlBudgets(connection, scope=Scope.system(), now=_NOW)
    assert await budgets_.post([spend(discount)]) is None, "there is enough for all"


async def _draw_single(connection: Any, coupon: CouponKey) -> None:
    """As one would with one row: no more is taken than is left."""
    del coupon
    assert await connection.execute(_DRAW_SINGLE, _CAMPAIGN) == "UPDATE 1", "there is enough for all"


async def _check(pool: LeanPool, *, drawn: Sequence[int]) -> None:
    """Each unit that was drawn is missing, in either way."""
    left = [
        await pool.fetchval("SELECT sum(free_minor)::bigint FROM budget_accounts WHERE campaign_id = $1", _CAMPAIGN),
        await pool.fetchval("SELECT free_minor FROM single_row_budget"),
    ]
    assert [LIMIT_MINOR - one for one in left] == list(drawn), "what was drawn is what is missing"


def _row(way: Way, *, against: Way) -> str:
    rates = way.per_second
    ratio = statistics.median(rates) / statistics.median(against.per_second)
    return (
        f"{way.name:<24}{statistics.median(rates):>9,.0f}{f'{min(rates):,.0f} - {max(rates):,.0f}':>17}"
        f"{statistics.median(way.p50_ms):>8.1f}{statistics.median(way.p99_ms):>8.1f}{ratio:>7.2f}"
    )


def _figures(way: Way) -> dict[str, object]:
    return {
        "per_second": [round(rate) for rate in way.per_second],
        "p50_ms": round(statistics.median(way.p50_ms), 1),
        "p99_ms": round(statistics.median(way.p99_ms), 1),
    }
