"""A client that asks until it has an answer: after a crash it sends the same thing again, under the same key.

One keep-alive connection, on bare asyncio streams: hundreds of them cost less than the servers that they ask.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

ATTEMPT_SECONDS: Final = 20.0
PATIENCE_SECONDS: Final = 240.0
PAUSE_SECONDS: Final = 0.05
# What says no more than that a server is away: nobody knows whether the write happened, so it is sent again.
AWAY: Final = frozenset({"UNAVAILABLE"})
UNDER_WAY: Final = "OPERATION_IN_PROGRESS"
# While servers are killed an error may also be one that nobody foresaw: it is counted, and must be none.
CRASHING: Final = AWAY | {"INTERNAL"}
_numbers = itertools.count(1)


class NoAnswer(Exception):
    """The connection ended, or nothing came in time."""


class GaveUp(Exception):
    """No answer for minutes: whoever asked should have been served long ago."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to one field, and how that came about."""

    data: Mapping[str, Any]
    attempts: int
    seconds: float

    @property
    def code(self) -> str:
        """The problem's code, or DONE."""
        return str(self.data.get("code", "DONE"))

    @property
    def done(self) -> bool:
        """Whether it was a success."""
        return "code" not in self.data


@dataclass(slots=True)
class Times:
    """When writes were acknowledged, and what else came instead."""

    acknowledged: int = 0
    last_at: float = field(default_factory=time.monotonic)
    longest_wait: float = 0.0
    masked: int = 0
    unanswered: int = 0
    # (sent, answered) of the writes since this was last emptied
    answered: list[tuple[float, float]] = field(default_factory=list)

    def acknowledge(self, *, asked_at: float, sent_at: float) -> None:
        """A write was answered for good."""
        now = time.monotonic()
        self.acknowledged += 1
        self.last_at = now
        self.longest_wait = max(self.longest_wait, now - asked_at)
        self.answered.append((sent_at, now))

    def first_after(self, moment: float) -> float | None:
        """When the first write that was sent after a moment was answered; None while there is none."""
        return min((done for sent, done in self.answered if sent >= moment), default=None)


class Client:
    """One connection, opened anew whenever it was lost."""

    def __init__(self, *, port: int, times: Times | None = None, transient: frozenset[str] = AWAY) -> None:
        self._port = port
        self._transient = transient
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.times = times or Times()

    async def ask(self, document: str, given: Mapping[str, Any], *, token: str) -> Answer:
        """The final answer to a document of one field with one input; sent as often as it takes."""
        body = orjson.dumps({"query": document, "variables": {"input": given}})
        began = time.monotonic()
        for attempt in itertools.count(1):
            sent_at = time.monotonic()
            if sent_at - began > PATIENCE_SECONDS:
                raise GaveUp(document)
            try:
                answered = await self._attempt(body, token=token)
            except (NoAnswer, OSError, EOFError, TimeoutError, ValueError):
                self.times.unanswered += 1
                self.close()
            else:
                if answered is not None:
                    self.times.acknowledge(asked_at=began, sent_at=sent_at)
                    return Answer(answered, attempt, time.monotonic() - began)
            await asyncio.sleep(PAUSE_SECONDS * random.uniform(0.5, 1.5))
        raise AssertionError("it is counted for ever")

    async def _attempt(self, body: bytes, *, token: str) -> Mapping[str, Any] | None:
        async with asyncio.timeout(ATTEMPT_SECONDS):
            answered = orjson.loads(await self._post(body, token=token))
        errors = answered.get("errors")
        if not errors:
            (value,) = answered["data"].values()
            assert isinstance(value, dict), answered
            # As every client does that is told so: the same key again, until there is the first one's answer.
            return None if value.get("code") == UNDER_WAY else value
        codes = {error["extensions"]["code"] for error in errors}
        assert codes <= self._transient, answered
        self.times.masked += "INTERNAL" in codes
        return None

    async def _post(self, body: bytes, *, token: str) -> bytes:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(
            b"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer %b\r\nContent-Length: %d\r\n\r\n" % (token.encode(), len(body))
        )
        writer.write(body)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        _, found, rest = head.partition(b"content-length:")
        if not found:
            raise NoAnswer
        content = await reader.readexactly(int(rest.partition(b"\r\n")[0]))
        if b"connection: close" in head:
            self.close()
        return content

    def close(self) -> None:
        """Ends the connection, if there is one."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def all_answer(*, port: int, seconds: float = 3.0) -> bool:
    """Whether a server process is ready, and every server that it asks answers: also one without which it is ready."""
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                _, _, body = (await reader.read()).partition(b"\r\n\r\n")
            finally:
                writer.close()
        said = orjson.loads(body)
    except (OSError, EOFError, TimeoutError, ValueError):
        return False
    return bool(said["ready"]) and all(state == "ok" for state in said["checks"].values())


def new_key(what: str) -> str:
    """An idempotency key that this run has not used."""
    return f"{what}-{next(_numbers)}"
