"""What is left of a stock, told to many: one read for all of them, the newest wins, nothing while nobody listens."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import pytest

from app.stock_watch import StockWatch
from domain.coupons.model import StockLeft
from domain.shared.errors import Unavailable
from domain.shared.ids import TemplateId
from tests.live import running, until

pytestmark = pytest.mark.timeout(20)

TEA, CAKE = TemplateId(UUID(int=1)), TemplateId(UUID(int=2))
NOON = datetime(2026, 7, 27, 4, tzinfo=UTC)
PACE = 0.01


@dataclass(slots=True)
class Stocks:
    """Stocks, and who asked for them; fails as often as it is told to."""

    left: dict[TemplateId, int] = field(default_factory=lambda: {TEA: 10, CAKE: 5})
    reads: list[list[TemplateId]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    async def read(self, template_ids: Sequence[TemplateId]) -> Mapping[TemplateId, StockLeft]:
        self.reads.append(list(template_ids))
        if self.failures:
            raise self.failures.pop()
        return {one: StockLeft(self.left[one], NOON) for one in template_ids}

    def task_failed(self, *, name: str, error: Exception) -> None:
        self.told.append(f"{name} {error!r}")


@dataclass(slots=True)
class Reader:
    seen: list[int] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, watch: StockWatch, template_id: TemplateId) -> None:
        async with aclosing(watch.listen(template_id)) as stocks:
            async for left in stocks:
                self.seen.append(left.remaining)
                await self.gate.wait()


@asynccontextmanager
async def reading(watch: StockWatch, template_id: TemplateId = TEA, *, slow: bool = False) -> AsyncIterator[Reader]:
    reader = Reader()
    if not slow:
        reader.gate.set()
    async with running(reader.run(watch, template_id)):
        yield reader


@asynccontextmanager
async def watching(stocks: Stocks) -> AsyncIterator[StockWatch]:
    watch = StockWatch(stocks.read, watch=stocks, pace_seconds=PACE)
    async with running(watch.run()):
        yield watch


async def test_what_is_left_is_told_at_once_and_again_when_it_has_changed() -> None:
    stocks = Stocks()
    async with watching(stocks) as watch, reading(watch) as reader:
        await until(lambda: reader.seen == [10])
        await asyncio.sleep(5 * PACE)
        assert reader.seen == [10]
        for left in (9, 0, 40):
            stocks.left[TEA] = left
            await until(lambda left=left: reader.seen[-1] == left)  # type: ignore[misc]
        assert reader.seen == [10, 9, 0, 40]


async def test_one_read_serves_all_who_listen_and_each_hears_of_its_own() -> None:
    stocks = Stocks()
    async with watching(stocks) as watch, reading(watch) as one, reading(watch) as two, reading(watch, CAKE) as other:
        await until(lambda: (one.seen, two.seen, other.seen) == ([10], [10], [5]))
        stocks.reads.clear()
        await until(lambda: len(stocks.reads) == 3)
        assert all(sorted(read) == [TEA, CAKE] for read in stocks.reads)


async def test_who_is_slow_gets_the_newest_alone() -> None:
    stocks = Stocks()
    async with watching(stocks) as watch, reading(watch, slow=True) as slow, reading(watch) as quick:
        await until(lambda: (slow.seen, quick.seen) == ([10], [10]))
        for left in (9, 8, 7):
            stocks.left[TEA] = left
            await until(lambda left=left: quick.seen[-1] == left)  # type: ignore[misc]
        slow.gate.set()
        await until(lambda: slow.seen == [10, 7])
        assert quick.seen == [10, 9, 8, 7]


async def test_nothing_is_read_while_nobody_listens() -> None:
    stocks = Stocks()
    async with watching(stocks) as watch:
        await asyncio.sleep(5 * PACE)
        assert stocks.reads == []
        async with reading(watch) as reader:
            await until(lambda: reader.seen == [10])
        await asyncio.sleep(2 * PACE)
        stocks.reads.clear()
        await asyncio.sleep(5 * PACE)
        assert stocks.reads == []
        async with reading(watch) as reader:
            await until(lambda: reader.seen == [10])


async def test_a_database_that_is_away_is_waited_out_and_a_bug_is_told() -> None:
    stocks = Stocks(failures=[KeyError("a bug"), ConnectionRefusedError()])
    async with watching(stocks) as watch, reading(watch) as reader:
        await until(lambda: reader.seen == [10])
    assert stocks.told == ["stock KeyError('a bug')"]


async def test_who_comes_while_the_database_is_away_is_told_so_and_who_listens_already_waits() -> None:
    stocks = Stocks()
    watch = StockWatch(stocks.read, watch=stocks, pace_seconds=PACE, open_seconds=0.1)
    async with running(watch.run()), reading(watch) as reader:
        await until(lambda: reader.seen == [10])
        stocks.failures = [ConnectionRefusedError() for _ in range(1000)]
        with pytest.raises(Unavailable):
            await anext(watch.listen(CAKE))
        assert list(watch._listeners) == [TEA]
        stocks.failures.clear()
        stocks.left[TEA] = 9
        await until(lambda: reader.seen == [10, 9])


async def test_when_the_watch_ends_every_listener_does_and_is_told_so() -> None:
    watch = StockWatch(Stocks().read, watch=Stocks(), pace_seconds=PACE)
    listening = watch.listen(TEA)
    async with running(watch.run()):
        assert (await anext(listening)).remaining == 10
        waiting = asyncio.create_task(anext(listening))
        await asyncio.sleep(PACE)
    with pytest.raises(Unavailable):
        await waiting
    assert watch._listeners == {}
