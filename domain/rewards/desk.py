"""Where exchanges are handed in: each is answered by itself, all that arrive together are decided together."""

from collections.abc import Callable, Sequence

from domain.points.lapsed import ReturnLapsed, with_lapsed_returned
from domain.rewards.exchanging import Begin, ExchangeOutcome, ExchangePoints, exchange_points
from domain.rewards.model import PointsExchanged
from domain.shared.desk import Desk, Submit
from domain.shared.idempotency import Done
from domain.shared.ids import RewardId


class ExchangeDesk:
    """The exchanges of one process, a lane per reward. `begin` opens a transaction of the system for a set.

    Without `return_lapsed`, what is held though its time is over is there once the sweeper has been there.
    """

    def __init__(
        self,
        *,
        begin: Begin,
        observe: Callable[[int], None] | None = None,
        return_lapsed: ReturnLapsed | None = None,
    ) -> None:
        self._begin = begin
        self._return_lapsed = return_lapsed
        self._desk: Desk[RewardId, ExchangePoints, PointsExchanged] = Desk(
            self._decide, observe=observe, apart=lambda command: command.member_id
        )

    async def exchange(self, command: ExchangePoints) -> Done[PointsExchanged]:
        """The outcome of one exchange.

        One that is decided once more, since points have returned, is of a later set: of others nobody waits for that.

        Refusals: NotFound, InsufficientPoints, RewardOutOfStock, ExchangeLimitReached, IdempotencyKeyReused,
        OperationInProgress.
        """

        async def use_case(submit: Submit[PointsExchanged]) -> Done[PointsExchanged]:
            return await with_lapsed_returned(submit, member_id=command.member_id, return_lapsed=self._return_lapsed)

        return await self._desk.answer(command, lane=command.reward_id, use_case=use_case)

    async def drain(self) -> None:
        """Returns when everything that was handed in has been answered."""
        await self._desk.drain()

    async def _decide(self, reward_id: RewardId, commands: Sequence[ExchangePoints]) -> Sequence[ExchangeOutcome]:
        del reward_id  # every command names it
        return await exchange_points(commands, begin=self._begin)
