"""How this application connects to Redis (or Valkey, which speaks the same protocol)."""

import asyncio
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

__all__ = ["REDIS_FAILURES", "Redis", "heed_cancellation", "open_redis"]

REDIS_FAILURES: Final[tuple[type[Exception], ...]] = (RedisError, OSError, TimeoutError)
"""What a call may raise when Redis is away, slow or refuses: retried by the caller, who knows what is at stake."""


def open_redis(url: str, *, timeout_seconds: float = 2.0, connections: int = 16) -> Redis:
    """A client that connects on first use, answers bytes, and never retries behind its caller's back.

    Every call is bounded by `timeout_seconds`. A broken connection is replaced on the next call.
    """
    return Redis.from_url(
        url,
        protocol=2,
        max_connections=connections,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        retry=Retry(NoBackoff(), 0),
    )


def heed_cancellation() -> None:
    """Raise the cancellation that a call to Redis may have swallowed; called after each.

    The client sends under `asyncio.wait_for`, which before Python 3.12 drops a cancellation that arrives just as the
    sending ends: a task that loops over such calls would then never stop.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
