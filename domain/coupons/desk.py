"""Where claims are handed in: each is answered by itself, all that arrive together are decided together."""

from collections.abc import Callable, Sequence

from domain.coupons.model import CouponClaimed
from domain.coupons.sold_out import SoldOutTemplates
from domain.coupons.use_cases import Begin, ClaimCoupon, ClaimOutcome, claim_coupons
from domain.shared.batching import MAX_SET, MAX_WAITING
from domain.shared.desk import Desk
from domain.shared.idempotency import Done
from domain.shared.ids import TemplateId


class ClaimDesk:
    """The claims of one process, a lane per template. `begin` opens a transaction of the system for a set."""

    def __init__(
        self,
        *,
        begin: Begin,
        max_set: int = MAX_SET,
        max_waiting: int = MAX_WAITING,
        observe: Callable[[int], None] | None = None,
    ) -> None:
        self._begin = begin
        self._sold_out = SoldOutTemplates()
        self._desk: Desk[TemplateId, ClaimCoupon, CouponClaimed] = Desk(
            self._decide, max_set=max_set, max_waiting=max_waiting, observe=observe
        )

    async def claim(self, command: ClaimCoupon) -> Done[CouponClaimed]:
        """The outcome of one claim.

        Refusals: NotFound, NotStarted, Ended, ClaimLimitReached, SoldOut, IdempotencyKeyReused, OperationInProgress.
        """
        return await self._desk.answer(command, lane=command.template_id)

    async def drain(self) -> None:
        """Returns when everything that was handed in has been answered."""
        await self._desk.drain()

    async def _decide(self, template_id: TemplateId, commands: Sequence[ClaimCoupon]) -> Sequence[ClaimOutcome]:
        del template_id  # every command names it
        return await claim_coupons(commands, begin=self._begin, sold_out=self._sold_out)
