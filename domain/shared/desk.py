"""Where writes are handed in that are decided in sets: each is answered by itself, and once."""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import partial
from typing import Generic, TypeAlias, TypeVar

from domain.shared.batching import MAX_SET, MAX_WAITING, Sets
from domain.shared.idempotency import Done, HasOnce, Outcome, Result, raise_refusal
from domain.shared.repeats import UnderWay

LaneT = TypeVar("LaneT", bound=Hashable)
CommandT = TypeVar("CommandT", bound=HasOnce)
Submit: TypeAlias = Callable[[], Awaitable[Done[Result]]]


class Desk(Generic[LaneT, CommandT, Result]):
    """The writes of one mutation in one process, in sets of a lane: see `Sets`.

    A write whose key waits here already, or is being decided, is not decided again: see `UnderWay`.
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
        self._under_way = UnderWay(max_followers=max_waiting)

    async def answer(
        self,
        command: CommandT,
        *,
        lane: LaneT,
        use_case: "Callable[[Submit[Result]], Awaitable[Done[Result]]] | None" = None,
    ) -> Done[Result]:
        """What became of a write; a refusal is raised. OperationInProgress where its key is under way for too long.

        `use_case` is what hands it in, and does what else must be done before all who sent it are answered; it is given
        how to hand it in, which may be done again: in a later set. Without it, it is handed in.
        """

        async def submit() -> Done[Result]:
            return raise_refusal(await self._sets.submit(command, lane=lane))

        decide = submit if use_case is None else partial(use_case, submit)
        return await self._under_way.answer(command.once, decide)

    async def drain(self) -> None:
        """Returns when everything that was handed in has been answered."""
        await self._sets.drain()
