"""Where writes are handed in that are decided in sets: each is answered by itself, and once."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar
from uuid import UUID

from domain.shared.batching import MAX_SET, MAX_WAITING, Sets
from domain.shared.errors import OperationInProgress
from domain.shared.idempotency import PATIENCE_SECONDS, Done, HasOnce, Outcome, Result, raise_refusal

LaneT = TypeVar("LaneT", bound=Hashable)
CommandT = TypeVar("CommandT", bound=HasOnce)


class Desk(Generic[LaneT, CommandT, Result]):
    """The writes of one mutation in one process, in sets of a lane: see `Sets`.

    A write whose key waits here already, or is being decided, is of a later set, which gives it the first one's answer.
    It waits for that no longer than `PATIENCE_SECONDS`.
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
        self._under_way: set[tuple[UUID, str, str]] = set()

    async def answer(self, command: CommandT, *, lane: LaneT) -> Done[Result]:
        """What became of a write; a refusal is raised. OperationInProgress where its key is under way for too long."""
        place = command.once.place
        if place in self._under_way:
            return await self._answer_again(command, lane=lane)
        self._under_way.add(place)
        try:
            return raise_refusal(await self._sets.submit(command, lane=lane))
        finally:
            self._under_way.discard(place)

    async def drain(self) -> None:
        """Returns when everything that was handed in has been answered."""
        await self._sets.drain()

    async def _answer_again(self, command: CommandT, *, lane: LaneT) -> Done[Result]:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                outcome = await self._sets.submit(command, lane=lane)
        except TimeoutError:
            raise OperationInProgress(command.once.key) from None
        return raise_refusal(outcome)
