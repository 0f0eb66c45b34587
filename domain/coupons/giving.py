"""Where batches are handed in and codes redeemed: what is written belongs to others than the caller, or to nobody."""

from collections.abc import Callable, Sequence

from domain.coupons.codes import RedeemCode, RedeemOutcome, code_key, redeem_codes
from domain.coupons.distribution import IssuedBatch
from domain.coupons.issuing import Begin, IssueCoupons, issue_coupons
from domain.coupons.model import CouponClaimed
from domain.shared.desk import Desk
from domain.shared.idempotency import Done


class GivingDesk:
    """Gives coupons in transactions of the system; the command says how far its caller goes.

    `begin` opens one for a batch, `begin_set` one for a set of members who redeem the same code at the same moment.
    """

    def __init__(
        self, *, begin: Begin, begin_set: Begin | None = None, observe: Callable[[int], None] | None = None
    ) -> None:
        self._begin = begin
        self._begin_set = begin_set or begin
        # A lane per code.
        self._desk: Desk[str, RedeemCode, CouponClaimed] = Desk(
            self._decide, observe=observe, apart=lambda command: command.member_id
        )

    async def issue(self, command: IssueCoupons) -> IssuedBatch:
        """The answers of a batch: `issue_coupons`.

        Refusals: NotFound, IdempotencyKeyReused.
        """
        return await issue_coupons(command, begin=self._begin)

    async def redeem(self, command: RedeemCode) -> Done[CouponClaimed]:
        """The coupon for a code, decided together with those who redeem it at the same moment: `redeem_codes`.

        Refusals: NotFound, CodeUsedUp, CodeExpired, TooManyAttempts, NotStarted, Ended, ClaimLimitReached, SoldOut,
        IdempotencyKeyReused, OperationInProgress.
        """
        return await self._desk.answer(command, lane=code_key(command.code) or "")

    async def drain(self) -> None:
        """Returns when every code that was handed in has been answered."""
        await self._desk.drain()

    async def _decide(self, code: str, commands: Sequence[RedeemCode]) -> Sequence[RedeemOutcome]:
        del code  # every command names it
        return await redeem_codes(commands, begin=self._begin_set)
