"""Decisions taken in sets: whatever arrives while one set is decided is the next set.

There is no timer: an idle lane answers at once. Three things go wrong easily here, and each has its test. Awaiting
anything between "the queue is empty" and "nobody works on it" loses a wake-up. Every waiter is answered exactly once,
also the repeated, the refused and those of a set that fails. A set that fails leaves its lane alive.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Generic, TypeVar

from domain.shared.errors import CallerError, Unavailable, as_another

MAX_SET: Final = 1000
MAX_WAITING: Final = 10_000
MAX_UNANSWERED: Final = 20_000

LaneT = TypeVar("LaneT", bound=Hashable)
CommandT = TypeVar("CommandT")
OutcomeT = TypeVar("OutcomeT")


class SetFailed(Exception):
    """The set that a command was in failed: a bug or a lost database. Send it again with the same key to learn more."""


@dataclass(slots=True)
class _Lane(Generic[CommandT, OutcomeT]):
    """The commands of one key, first come first decided."""

    # By who waits for it, so that whoever leaves takes its command along.
    waiting: dict[asyncio.Future[OutcomeT], CommandT] = field(default_factory=dict)
    worker: asyncio.Task[None] | None = None


class Sets(Generic[LaneT, CommandT, OutcomeT]):
    """Hands commands to `decide` in sets of one lane; lanes run side by side.

    `decide` answers one outcome per command, in order. At most `max_waiting` commands wait in a lane, and at most
    `max_unanswered` in all lanes wait or are being decided: lanes are named by clients, and each holds a worker. Beyond
    that a new one is turned away: UNAVAILABLE. Whoever has left does not wait.

    With `apart` a set has one command of each of these at most, such as of each member: a second waits for the next
    set, in which what the first did is seen as it is committed.
    """

    def __init__(
        self,
        decide: Callable[[LaneT, Sequence[CommandT]], Awaitable[Sequence[OutcomeT]]],
        *,
        max_set: int = MAX_SET,
        max_waiting: int = MAX_WAITING,
        max_unanswered: int = MAX_UNANSWERED,
        observe: Callable[[int], None] | None = None,
        apart: Callable[[CommandT], Hashable] | None = None,
    ) -> None:
        self._decide = decide
        self._apart = apart
        self._max_set = max_set
        self._max_waiting = max_waiting
        self._max_unanswered = max_unanswered
        self._unanswered = 0
        self._observe = observe
        self._lanes: dict[LaneT, _Lane[CommandT, OutcomeT]] = {}
        # A set belongs to many requests: it runs in the context of none of them.
        self._context = contextvars.copy_context()

    async def submit(self, command: CommandT, *, lane: LaneT) -> OutcomeT:
        """The outcome of this command. UNAVAILABLE when too many wait; SetFailed when its set failed."""
        if self._unanswered >= self._max_unanswered:
            raise Unavailable("too many are waiting")
        own = self._lanes.get(lane)
        if own is None:
            own = self._lanes[lane] = _Lane()
        if len(own.waiting) >= self._max_waiting:
            raise Unavailable("too many are waiting for the same thing")
        answer: asyncio.Future[OutcomeT] = asyncio.get_running_loop().create_future()
        own.waiting[answer] = command
        self._unanswered += 1
        if own.worker is None:
            own.worker = asyncio.create_task(self._work(lane, own), context=self._context.copy())
            own.worker.add_done_callback(lambda _: self._end(lane, own))
        try:
            return await answer
        except asyncio.CancelledError:
            if own.waiting.pop(answer, None) is not None:
                self._unanswered -= 1
            raise

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
            self._end(key, lane)

    def _end(self, key: LaneT, lane: _Lane[CommandT, OutcomeT]) -> None:
        """Ends a lane. Nothing is awaited from "the queue is empty" to here: no command can slip in between unseen.

        It is also called when the worker is done, for one that was cancelled before its first turn never ran.
        """
        if self._lanes.get(key) is not lane:
            return
        del self._lanes[key]
        for answer in lane.waiting:  # only after a cancellation
            _fail(answer, Unavailable("the server is stopping"))
        self._unanswered -= len(lane.waiting)
        lane.waiting.clear()

    async def _decide_next(self, key: LaneT, lane: _Lane[CommandT, OutcomeT]) -> None:
        taken = self._next_of(lane)
        for answer, _ in taken:
            del lane.waiting[answer]
        try:
            # Who has left by now is not decided any more.
            await self._answer(key, [(command, answer) for answer, command in taken if not answer.done()])
        finally:
            self._unanswered -= len(taken)

    def _next_of(self, lane: _Lane[CommandT, OutcomeT]) -> list[tuple[asyncio.Future[OutcomeT], CommandT]]:
        if self._apart is None:
            return list(islice(lane.waiting.items(), self._max_set))
        each: dict[Hashable, tuple[asyncio.Future[OutcomeT], CommandT]] = {}
        # All who wait are looked at: who has a thousand waiting must not keep those behind them out of the set.
        for answer, command in lane.waiting.items():
            each.setdefault(self._apart(command), (answer, command))
            if len(each) == self._max_set:
                break
        return list(each.values())

    async def _answer(self, key: LaneT, asked: Sequence[tuple[CommandT, asyncio.Future[OutcomeT]]]) -> None:
        if not asked:
            return
        try:
            if self._observe is not None:
                self._observe(len(asked))
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
    # Each waiter gets an exception of its own.
    if isinstance(error, CallerError):
        own: Exception = as_another(error)
    else:
        own = SetFailed("the set that this command was in failed")
    own.__cause__ = error
    answer.set_exception(own)
