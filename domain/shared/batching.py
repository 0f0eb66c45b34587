"""Decisions taken in sets: whatever arrives while one set is decided is the next set.

There is no timer: an idle lane answers at once. Three things go wrong easily here, and each has its test. Awaiting
anything between "the queue is empty" and "nobody works on it" loses a wake-up. Every waiter is answered exactly once,
also the repeated, the refused and those of a set that fails. A set that fails leaves its lane alive.
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from domain.shared.errors import CallerError, Unavailable

MAX_SET: Final = 1000
MAX_WAITING: Final = 10_000

LaneT = TypeVar("LaneT", bound=Hashable)
CommandT = TypeVar("CommandT")
OutcomeT = TypeVar("OutcomeT")


class SetFailed(Exception):
    """The set that a command was in failed: a bug or a lost database. Send it again with the same key to learn more."""


@dataclass(slots=True)
class _Lane(Generic[CommandT, OutcomeT]):
    """The commands of one key, first come first decided."""

    waiting: deque[tuple[CommandT, asyncio.Future[OutcomeT]]] = field(default_factory=deque)
    worker: asyncio.Task[None] | None = None


class Sets(Generic[LaneT, CommandT, OutcomeT]):
    """Hands commands to `decide` in sets of one lane; lanes run side by side.

    `decide` answers one outcome per command, in order. A lane holds at most `max_waiting` commands, beyond which a new
    one is turned away: UNAVAILABLE.
    """

    def __init__(
        self,
        decide: Callable[[LaneT, Sequence[CommandT]], Awaitable[Sequence[OutcomeT]]],
        *,
        max_set: int = MAX_SET,
        max_waiting: int = MAX_WAITING,
        observe: Callable[[int], None] | None = None,
    ) -> None:
        self._decide = decide
        self._max_set = max_set
        self._max_waiting = max_waiting
        self._observe = observe
        self._lanes: dict[LaneT, _Lane[CommandT, OutcomeT]] = {}
        # A set belongs to many requests: it runs in the context of none of them.
        self._context = contextvars.copy_context()

    async def submit(self, command: CommandT, *, lane: LaneT) -> OutcomeT:
        """The outcome of this command. UNAVAILABLE when the lane is full; SetFailed when its set failed."""
        own = self._lanes.get(lane)
        if own is None:
            own = self._lanes[lane] = _Lane()
        if len(own.waiting) >= self._max_waiting:
            raise Unavailable("too many are waiting for the same thing")
        answer: asyncio.Future[OutcomeT] = asyncio.get_running_loop().create_future()
        own.waiting.append((command, answer))
        if own.worker is None:
            own.worker = asyncio.create_task(self._work(lane, own), context=self._context.copy())
        return await answer

    @property
    def waiting(self) -> int:
        """How many commands wait in all lanes."""
        return sum(len(lane.waiting) for lane in self._lanes.values())

    async def drain(self) -> None:
        """Returns when everything that was submitted has been answered."""
        while workers := [lane.worker for lane in self._lanes.values() if lane.worker is not None]:
            await asyncio.wait(workers)

    async def _work(self, key: LaneT, lane: _Lane[CommandT, OutcomeT]) -> None:
        try:
            while lane.waiting:
                # One turn of the loop: what arrives in the same turn shares the set.
                await asyncio.sleep(0)
                await self._decide_next(key, lane)
        finally:
            # Nothing is awaited from "the queue is empty" to here, so that no command can slip in between unseen.
            del self._lanes[key]
            for _, answer in lane.waiting:  # only after a cancellation
                _fail(answer, Unavailable("the server is stopping"))

    async def _decide_next(self, key: LaneT, lane: _Lane[CommandT, OutcomeT]) -> None:
        taken = [lane.waiting.popleft() for _ in range(min(len(lane.waiting), self._max_set))]
        # Who has left by now is not decided any more.
        asked = [(command, answer) for command, answer in taken if not answer.done()]
        if not asked:
            return
        if self._observe is not None:
            self._observe(len(asked))
        try:
            outcomes = await self._decide(key, [command for command, _ in asked])
            assert len(outcomes) == len(asked), "one outcome per command"
        except Exception as error:  # noqa: BLE001 - whatever it is, the waiters are told and the lane lives on
            for _, answer in asked:
                _fail(answer, error)
            return
        except BaseException:
            for _, answer in asked:
                _fail(answer, Unavailable("the server is stopping"))
            raise
        for (_, answer), outcome in zip(asked, outcomes, strict=True):
            if not answer.done():
                answer.set_result(outcome)


def _fail(answer: asyncio.Future[OutcomeT], error: Exception) -> None:
    if answer.done():
        return
    # Each waiter gets an exception of its own: one raised in a thousand tasks would gather a thousand tracebacks.
    if isinstance(error, CallerError):
        own: Exception = copy(error)
    else:
        own = SetFailed("the set that this command was in failed")
    own.__cause__ = error
    answer.set_exception(own)
