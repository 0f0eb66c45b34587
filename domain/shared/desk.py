"""Where writes are handed in that are decided in sets: each is answered by itself, and once."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from uuid import UUID

from domain.shared.batching import MAX_SET, MAX_WAITING, Sets
from domain.shared.errors import OperationInProgress, Unavailable
from domain.shared.idempotency import PATIENCE_SECONDS, Done, HasOnce, Once, Outcome, Result, raise_refusal

LaneT = TypeVar("LaneT", bound=Hashable)
CommandT = TypeVar("CommandT", bound=HasOnce)


@dataclass(slots=True)
class _First(Generic[Result]):
    """A write that waits or is being decided, and those who have sent it again meanwhile."""

    once: Once
    # In the order in which they came. Done with what became of it, a refusal and a failure too; None where whoever sent
    # it has left.
    followers: dict[asyncio.Future[Done[Result] | Exception | None], None] = field(default_factory=dict)

    async def follow(self) -> Done[Result] | Exception | None:
        """What became of it, when it is known. A future for each: who leaves takes along nothing of the others'."""
        told: asyncio.Future[Done[Result] | Exception | None] = asyncio.get_running_loop().create_future()
        self.followers[told] = None
        try:
            return await told
        finally:
            del self.followers[told]

    def tell(self, outcome: Done[Result] | Exception | None) -> None:
        """Tells all who follow."""
        for told in tuple(self.followers):
            if not told.done():
                told.set_result(outcome)


class Desk(Generic[LaneT, CommandT, Result]):
    """The writes of one mutation in one process, in sets of a lane: see `Sets`.

    A write whose key waits here already, or is being decided, is not decided again: it is answered as that one, and
    waits for it no longer than `PATIENCE_SECONDS`. No more than `max_waiting` wait for one: UNAVAILABLE.
    """

    def __init__(
        self,
        decide: Callable[[LaneT, Sequence[CommandT]], Awaitable[Sequence[Outcome[Result]]]],
        *,
        max_set: int = MAX_SET,
        max_waiting: int = MAX_WAITING,
        observe: Callable[[int], None] | None = None,
        apart: Callable[[CommandT], Hashable] | None = None,
    ) -> None:
        self._sets: Sets[LaneT, CommandT, Outcome[Result]] = Sets(
            decide, max_set=max_set, max_waiting=max_waiting, observe=observe, apart=apart
        )
        self._max_waiting = max_waiting
        self._under_way: dict[tuple[UUID, str, str], _First[Result]] = {}

    async def answer(self, command: CommandT, *, lane: LaneT) -> Done[Result]:
        """What became of a write; a refusal is raised. OperationInProgress where its key is under way for too long."""
        if command.once.place in self._under_way:
            answered = await self._answer_of_another(command.once)
            if answered is not None:
                return answered
        return await self._decide(command, lane=lane)

    async def drain(self) -> None:
        """Returns when everything that was handed in has been answered."""
        await self._sets.drain()

    async def _decide(self, command: CommandT, *, lane: LaneT) -> Done[Result]:
        first: _First[Result] = _First(command.once)
        self._under_way[command.once.place] = first
        outcome: Done[Result] | Exception | None = None
        try:
            outcome = await self._sets.submit(command, lane=lane)
        except Exception as failure:
            outcome = failure
            raise
        finally:
            del self._under_way[command.once.place]
            first.tell(outcome)
        return raise_refusal(outcome)

    async def _answer_of_another(self, once: Once) -> Done[Result] | None:
        """The answer of one that was sent before under the key; None: it is this one's turn to be decided.

        What was refused left no receipt: it may have been decided before this one was sent, and be another's by now. A
        refusal, or a failure, is this one's too only where its decision began later.
        """
        came_after = self._under_way[once.place]
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (first := self._under_way.get(once.place)) is not None:
                    if len(first.followers) >= self._max_waiting:
                        raise Unavailable("too many are waiting for the same thing")
                    outcome = await first.follow()
                    if isinstance(outcome, Done):
                        once.require_input(first.once.input_hash)
                        return Done(outcome.result, replayed=True)
                    is_alike = first is not came_after and once.has_input(first.once.input_hash)
                    if outcome is not None and is_alike:
                        # Its own exception: one that is raised in a hundred tasks gathers as many tracebacks.
                        own = copy(outcome)
                        own.__cause__ = outcome.__cause__
                        raise own
        except TimeoutError:
            raise OperationInProgress(once.key) from None
        return None
