import asyncio
from collections.abc import Callable

import pytest

from app.live_metrics import LiveMetrics
from app.telemetry import Telemetry
from app.worker import Periodic, Worker
from persistence.outbox import Relay
from persistence.redis.bus import Publisher
from persistence.redis.client import open_redis
from tests.live import QUICK, EventDatabase, Told, database, running, until

__all__ = ["database"]

Run = Callable[[], None]


def worker_of(database: EventDatabase, *jobs: Periodic, told: Told) -> Worker:
    relay = Relay(
        open_session=database.session, publisher=Publisher(open_redis("unix:///nowhere")), watch=told, pace=QUICK
    )
    return Worker(relay=relay, jobs=jobs, open_session=database.session, watch=told, standby_seconds=0.05)


def noting(name: str, runs: list[str], *, every_seconds: float = 0.02) -> Periodic:
    async def run() -> None:
        runs.append(name)
        await asyncio.sleep(0)

    return Periodic(name=name, every_seconds=every_seconds, run=run)


async def test_jobs_are_run_again_and_again_beside_the_relay(database: EventDatabase) -> None:
    runs: list[str] = []
    told = Told()
    jobs = (noting("often", runs), noting("seldom", runs, every_seconds=60))
    async with running(worker_of(database, *jobs, told=told).run()):
        await until(lambda: runs.count("often") >= 5 and told.leading)
    assert runs.count("seldom") == 1


async def test_of_two_processes_one_runs_a_job_and_the_other_takes_over(database: EventDatabase) -> None:
    first, second = list[str](), list[str]()
    async with running(worker_of(database, noting("a", first), told=Told()).run()) as worker:
        await until(lambda: len(first) >= 2)
        async with running(worker_of(database, noting("a", second), told=Told()).run()):
            await asyncio.sleep(0.2)
            assert second == []
            worker[0].cancel()
            await asyncio.wait(worker)
            until_then = len(first)
            await until(lambda: len(second) >= 2)
            assert len(first) == until_then


async def test_a_job_that_fails_is_told_of_and_run_again_and_harms_no_other(database: EventDatabase) -> None:
    async def fail() -> None:
        raise RuntimeError("a bug")

    runs: list[str] = []
    told = Told()
    failing = Periodic(name="failing", every_seconds=0.02, run=fail)
    async with running(worker_of(database, failing, noting("good", runs), told=told).run()):
        await until(lambda: told.failures.count("failing") >= 3 and len(runs) >= 3)


async def test_a_job_never_overlaps_with_itself(database: EventDatabase) -> None:
    at_once, most = 0, 0

    async def slow() -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.05)
        at_once -= 1

    told = Told()
    job = Periodic(name="slow", every_seconds=0.01, run=slow)
    async with running(worker_of(database, job, told=told).run(), worker_of(database, job, told=told).run()):
        await until(lambda: len(told.jobs) >= 3)
    assert most == 1


async def test_a_job_does_not_go_on_without_its_lock(database: EventDatabase) -> None:
    began, cancelled = asyncio.Event(), asyncio.Event()

    async def endless() -> None:
        began.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    told = Told()
    async with running(worker_of(database, Periodic(name="e", every_seconds=1, run=endless), told=told).run()):
        await began.wait()
        await database.end_sessions("relay")
        await asyncio.wait_for(cancelled.wait(), 5)
        began.clear()
        await asyncio.wait_for(began.wait(), 5)
        assert "jobs" in told.failures


async def test_two_jobs_of_one_name_are_refused(database: EventDatabase) -> None:
    with pytest.raises(ValueError, match="two jobs of one name"):
        worker_of(database, noting("a", []), noting("a", []), told=Told())


def test_everything_that_live_push_tells_is_in_the_metrics() -> None:
    telemetry = Telemetry()
    metrics = LiveMetrics(telemetry)
    metrics.leads(leading=True)
    metrics.published(count=3)
    metrics.lags(seconds=1.5)
    metrics.failed(server="redis", error=ConnectionError("x"))
    metrics.listeners(count=2)
    metrics.connected(connected=True)
    metrics.caught_up(reason="gap")
    metrics.socket_opened()
    metrics.socket_cut(code=4403)
    metrics.job_finished(name="sweep", seconds=0.5)
    metrics.job_failed(name="sweep", error=RuntimeError("x"))
    text = telemetry.exposition().decode()
    for line in (
        "laurel_outbox_relays 1.0",
        "laurel_outbox_published_total 3.0",
        "laurel_outbox_lag_seconds 1.5",
        'laurel_outbox_failures_total{server="redis"} 1.0',
        "laurel_live_listeners 2.0",
        "laurel_live_redis_connected 1.0",
        'laurel_live_catch_ups_total{reason="gap"} 1.0',
        "laurel_sockets 1.0",
        'laurel_socket_cuts_total{code="4403"} 1.0',
        'laurel_job_runs_total{job="sweep",outcome="ok"} 1.0',
        'laurel_job_runs_total{job="sweep",outcome="failed"} 1.0',
        'laurel_job_seconds{job="sweep"} 0.5',
    ):
        assert line in text
