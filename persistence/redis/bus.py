"""The way of an event from the relay to the server processes: one Redis channel per owner.

Delivery is at most once, as Redis publishes it: who listens must be able to notice a gap and to read what is missing.
"""

import asyncio
import contextlib
import math
import random
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

import orjson
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError

from domain.shared.events import StoredEvent
from persistence.redis.client import REDIS_FAILURES, heed_cancellation

CHANNEL_PREFIX: Final = b"laurel:events:"
_CHANNELS_PER_COMMAND: Final = 1000
_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 2.0


def channel_of(owner_id: UUID) -> bytes:
    """The channel on which everything that happens to one owner is published."""
    return CHANNEL_PREFIX + str(owner_id).encode()


def owner_of(channel: bytes) -> UUID:
    """The owner whose channel it is."""
    return UUID(channel.removeprefix(CHANNEL_PREFIX).decode())


def encode_event(event: StoredEvent) -> bytes:
    """The whole event as JSON, so that a listener needs no second look."""
    return orjson.dumps(
        {
            "owner_id": str(event.owner_id),  # asyncpg's UUIDs are a class of their own, which orjson does not know
            "stream": event.stream,
            "sequence": event.sequence,
            "kind": event.kind,
            "subject_id": str(event.subject_id),
            "facts": event.facts,
            "occurred_at": event.occurred_at,
        }
    )


def decode_event(payload: bytes) -> StoredEvent:
    """Read what `encode_event` wrote; anything else is a ValueError."""
    try:
        fields = orjson.loads(payload)
        return StoredEvent(
            owner_id=UUID(fields["owner_id"]),
            stream=str(fields["stream"]),
            sequence=int(fields["sequence"]),
            kind=str(fields["kind"]),
            subject_id=UUID(fields["subject_id"]),
            facts=dict(fields["facts"]),
            occurred_at=datetime.fromisoformat(fields["occurred_at"]),
        )
    except (KeyError, TypeError, AttributeError) as malformed:
        raise ValueError("the payload is not an event") from malformed


class Publisher:
    """Publishes events, a whole batch in one round trip."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def publish(self, events: Sequence[StoredEvent]) -> None:
        """Send the events in order; raises one of REDIS_FAILURES when it is not known that all were sent."""
        pipeline = self._redis.pipeline(transaction=False)
        for event in events:
            pipeline.publish(channel_of(event.owner_id), encode_event(event))
        await pipeline.execute()
        heed_cancellation()


class Listening(Protocol):
    """Who is told of what comes over the bus. All are plain calls: they must not wait."""

    def on_connected(self) -> None:
        """There is a connection; channels are asked for anew."""

    def on_message(self, payload: bytes) -> None:
        """A message arrived on a channel that was asked for."""

    def on_subscribed(self, owner_ids: Sequence[UUID]) -> None:
        """From now on what is published for these owners arrives here; what was published before may be lost."""

    def on_disconnected(self) -> None:
        """Nothing arrives until `on_subscribed` is called again."""


class Subscriber:
    """One connection of this process to Redis, on which it hears the channels of the owners it asked for.

    It reconnects for ever, with growing pauses, and asks again for every channel. A connection that answers nothing,
    not even a ping, is given up after two heartbeats: half-open connections raise no error of their own.
    """

    def __init__(self, redis: Redis, *, heartbeat_seconds: float = 5.0) -> None:
        self._redis = redis
        self._heartbeat_seconds = heartbeat_seconds
        self._wanted: set[UUID] = set()
        self._asked: set[UUID] = set()
        self._changed: set[UUID] = set()
        self._wake = asyncio.Event()
        self._heard = False
        self.connected = False

    def want(self, owner_id: UUID) -> None:
        """Ask for an owner's channel; `on_subscribed` tells when it is heard."""
        self._wanted.add(owner_id)
        self._change(owner_id)

    def unwant(self, owner_id: UUID) -> None:
        """Hear no more of an owner."""
        self._wanted.discard(owner_id)
        self._change(owner_id)

    def _change(self, owner_id: UUID) -> None:
        self._changed.add(owner_id)
        self._wake.set()

    async def run(self, listening: Listening) -> None:
        """Listen until cancelled."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            was_connected = False
            try:
                # A task of its own: a task group leaves marks of cancellation on the task that it fails in.
                await asyncio.create_task(self._attempt(listening))
            except* REDIS_FAILURES:
                pass
            finally:
                was_connected, self.connected = self.connected, False
                if was_connected:
                    listening.on_disconnected()
            heed_cancellation()
            pause = _FIRST_PAUSE_SECONDS if was_connected else min(pause * 2, _LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads reconnects, guards nothing

    async def _attempt(self, listening: Listening) -> None:
        async with self._connection() as connection:
            await self._listen(connection, listening)

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[AbstractConnection]:
        connection = self._redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.connect()
            heed_cancellation()
            yield connection
        finally:
            await connection.disconnect(nowait=True)

    async def _listen(self, connection: AbstractConnection, listening: Listening) -> None:
        self._asked.clear()
        self._changed = set(self._wanted)
        self._wake.set()
        self._heard = True
        self.connected = True
        listening.on_connected()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read(connection, listening))
            tasks.create_task(self._ask(connection))
            tasks.create_task(self._beat(connection))

    async def _read(self, connection: AbstractConnection, listening: Listening) -> None:
        while True:
            reply = await connection.read_response(timeout=math.inf)
            self._heard = True
            match reply:
                case [b"message", _, bytes(payload)]:
                    listening.on_message(payload)
                case [b"subscribe", bytes(channel), _] if owner_of(channel) in self._wanted:
                    listening.on_subscribed((owner_of(channel),))
                case _:
                    pass  # the answer to a ping or to an unsubscribe

    async def _ask(self, connection: AbstractConnection) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            changed, self._changed = self._changed, set()
            new = changed & self._wanted  # also one that is heard already: whoever asked anew waits for the answer
            gone = (changed & self._asked) - self._wanted
            self._asked |= new
            self._asked -= gone
            await self._command(connection, "SUBSCRIBE", new)
            await self._command(connection, "UNSUBSCRIBE", gone)

    async def _command(self, connection: AbstractConnection, name: str, owner_ids: Iterable[UUID]) -> None:
        channels = [channel_of(owner_id) for owner_id in owner_ids]
        for first in range(0, len(channels), _CHANNELS_PER_COMMAND):
            await self._send(connection, name, *channels[first : first + _CHANNELS_PER_COMMAND])

    async def _beat(self, connection: AbstractConnection) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_seconds)
            if not self._heard:
                raise RedisConnectionError("Redis did not answer a ping")
            self._heard = False
            await self._send(connection, "PING")

    @staticmethod
    async def _send(connection: AbstractConnection, *command: str | bytes) -> None:
        if not connection.is_connected:  # the client would connect anew, with none of the channels
            raise RedisConnectionError("the connection to Redis is lost")
        await connection.send_packed_command(connection.pack_command(*command), check_health=False)
        heed_cancellation()
