"""What tests of writes that are decided in sets have in common: how outcomes are counted, and a set that is killed."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

from domain.shared.idempotency import Done
from tests.coupon_world import World


def kinds(outcomes: Iterable[object]) -> Counter[str]:
    """How many were given, replayed, or refused as what."""
    return Counter(
        ("replayed" if outcome.replayed else "given") if isinstance(outcome, Done) else type(outcome).__name__
        for outcome in outcomes
    )


async def waiting_for_locks(laurel: World, what: str = "count(*)") -> Any:
    """How many of this database's sessions wait for a lock now; the server has other databases too."""
    # In a transaction of its own: PostgreSQL shows one transaction the same activity for as long as it lasts.
    return await laurel.value(
        f"SELECT {what} FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"  # noqa: S608
    )


async def until_blocked(laurel: World, *, count: int) -> None:
    """Returns when so many wait."""
    async with asyncio.timeout(10):
        while await waiting_for_locks(laurel) < count:  # noqa: ASYNC110 - the locks are those of PostgreSQL
            await asyncio.sleep(0.01)


async def outcomes_of_a_killed_set(
    asked: Sequence[Coroutine[Any, Any, object]], *, locked: str, by: World
) -> Sequence[object]:
    """What becomes of them when another has locked these rows and the session that waits for them is ended."""
    async with by.database.pool.acquire() as other, other.transaction():
        await other.fetch(f"SELECT * FROM {locked} FOR UPDATE")  # noqa: S608 - a table of ours
        tasks = [asyncio.create_task(one) for one in asked]
        await until_blocked(by, count=1)
        await asyncio.sleep(0.1)  # for a second one, were there any
        killed = await waiting_for_locks(by, "count(pg_terminate_backend(pid))")
        assert killed == 1, "one session waits for all of the set"
        return await asyncio.gather(*tasks, return_exceptions=True)
