"""Where exchanges are handed in: each is answered by itself, all that arrive together are decided together."""

from collections.abc import Callable, Sequence

from domain.rewards.exchanging import Begin, ExchangeOutcome, ExchangePoints, exchange_points
from domain.rewards.model import PointsExchanged
from domain.shared.desk import Desk
from domain.shared.idempotency import Done
from domain.shared.ids import RewardId


class ExchangeDesk:
    """The exchanges of one process, a lane per reward. `begin` opens a transaction of the system for a set."""

    def __init__(self, *, begin: Begin, observe: Callable[[int], None] | None = None) -> None:
        self._begin = begin
        self._desk: Desk[RewardId, ExchangePoints, PointsExchanged] = Desk(
            self._decide, observe=observe, apart=lambda command: command.member_id
        )

    async def exchange(self, command: ExchangePoints) -> Done[PointsExchanged]:
        """The outcome of one exchange.

        Refusals: NotFound, InsufficientPoints, RewardOutOfStock, ExchangeLimitReached, IdempotencyKeyReused,
        OperationInProgress.
        """
        return await self._desk.answer(command, lane=command.reward_id)

    async def drain(self) -> None:
        """Returns when everything that was handed in has been answered."""
        await self._desk.drain()

    async def _decide(self, reward_id: RewardId, commands: Sequence[ExchangePoints]) -> Sequence[ExchangeOutcome]:
        del reward_id  # every command names it
        return await exchange_points(commands, begin=self._begin)
