"""A write that is sent again while it is under way in this process: decided once, answered as often as it was sent."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from domain.shared.errors import OperationInProgress, Unavailable, as_another
from domain.shared.idempotency import PATIENCE_SECONDS, Done, Once, Result

MAX_FOLLOWERS: Final = 10_000


@dataclass(slots=True)
class _First:
    """A write that is under way, and those who have sent it again meanwhile."""

    once: Once
    # In the order in which they came. Done with what became of it, a refusal and a failure too; None where whoever sent
    # it has left.
    followers: dict[asyncio.Future[Done[Any] | Exception | None], None] = field(default_factory=dict)

    async def follow(self) -> Done[Any] | Exception | None:
        """What became of it, when it is known. A future for each: who leaves takes along nothing of the others'."""
        told: asyncio.Future[Done[Any] | Exception | None] = asyncio.get_running_loop().create_future()
        self.followers[told] = None
        try:
            return await told
        finally:
            del self.followers[told]

    def tell(self, outcome: Done[Any] | Exception | None) -> None:
        """Tells all who follow."""
        for told in tuple(self.followers):
            if not told.done():
                told.set_result(outcome)


class UnderWay:
    """The writes that are under way in one process, by who asked for which mutation under which key.

    One that is sent again takes nothing of the database's while it waits: neither a connection nor a turn. It waits no
    longer than `PATIENCE_SECONDS`, and no more than `max_followers` wait for one: UNAVAILABLE. What another process has
    under way is the database's to know.
    """

    def __init__(self, *, max_followers: int = MAX_FOLLOWERS) -> None:
        self._max_followers = max_followers
        self._firsts: dict[tuple[UUID, str, str], _First] = {}

    async def answer(self, once: Once, decide: Callable[[], Awaitable[Done[Result]]]) -> Done[Result]:
        """What `decide` answers, or what it has answered to another of the same key; a refusal is raised.

        Refusals: IdempotencyKeyReused, OperationInProgress, and whatever `decide` refuses.
        """
        if once.place in self._firsts:
            answered: Done[Result] | None = await self._answer_of_another(once)
            if answered is not None:
                return answered
        first = self._firsts[once.place] = _First(once)
        outcome: Done[Result] | Exception | None = None
        try:
            done = outcome = await decide()
        except Exception as failure:
            outcome = failure
            raise
        finally:
            del self._firsts[once.place]
            first.tell(outcome)
            # The traceback of a failure holds this frame, which would hold the failure until a collector comes by.
            outcome = None
        return done

    async def _answer_of_another(self, once: Once) -> Done[Any] | None:
        """The answer of one that was sent before under the key; None: it is this one's turn to be decided.

        What was refused left no receipt: it may have been decided before this one was sent, and be another's by now. A
        refusal, or a failure, is this one's too only where its decision began later.
        """
        came_after = self._firsts[once.place]
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while (first := self._firsts.get(once.place)) is not None:
            if len(first.followers) >= self._max_followers:
                raise Unavailable("too many are waiting for the same thing")
            try:
                async with asyncio.timeout_at(deadline):
                    outcome = await first.follow()
            except TimeoutError:
                raise OperationInProgress(once.key) from None
            if isinstance(outcome, Done):
                once.require_input(first.once.input_hash)
                return Done(outcome.result, replayed=True)
            if outcome is not None and first is not came_after and once.has_input(first.once.input_hash):
                raise as_another(outcome)
        return None
