"""How this application connects to Redis (or Valkey, which speaks the same protocol)."""

from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

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
