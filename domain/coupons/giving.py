"""Where batches are handed in and codes redeemed: what is written belongs to others than the caller, or to nobody."""

from domain.coupons.codes import RedeemCode, redeem_code
from domain.coupons.distribution import IssuedBatch
from domain.coupons.issuing import Begin, IssueCoupons, issue_coupons
from domain.coupons.model import CouponClaimed
from domain.shared.idempotency import Done


class GivingDesk:
    """Gives coupons in transactions of the system, which `begin` opens; the command says how far its caller goes."""

    def __init__(self, *, begin: Begin) -> None:
        self._begin = begin

    async def issue(self, command: IssueCoupons) -> IssuedBatch:
        """The answers of a batch: `issue_coupons`.

        Refusals: NotFound, IdempotencyKeyReused.
        """
        return await issue_coupons(command, begin=self._begin)

    async def redeem(self, command: RedeemCode) -> Done[CouponClaimed]:
        """The coupon for a code: `redeem_code`.

        Refusals: NotFound, CodeUsedUp, CodeExpired, TooManyAttempts, NotStarted, Ended, ClaimLimitReached, SoldOut,
        IdempotencyKeyReused.
        """
        return await redeem_code(command, begin=self._begin)
