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


async def outcomes_of_a_killed_set(
    asked: Sequence[Coroutine[Any, Any, object]], *, locked: str, by: World
) -> Sequence[object]:
    """What becomes of them when another has locked these rows and the session that waits for them is ended."""
    async with by.database.pool.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        await other.fetch(f"SELECT * FROM {locked} FOR UPDATE")  # noqa: S608 - a table of ours
        tasks = [asyncio.create_task(one) for one in asked]
        await asyncio.sleep(0.2)
        killed = await other.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        )
        assert killed == 1, "one session waits for all of the set"
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        await transaction.rollback()
    return outcomes
