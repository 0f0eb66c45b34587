"""What is told of coupons that were used, and of those that were given back."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from domain.coupons.model import Coupon, WalletChange
from domain.coupons.offer import CouponState
from domain.orders.model import Redemption
from domain.orders.refund_model import RefundCause
from domain.shared.events import JSON, REDEMPTIONS, WALLET, Event
from domain.shared.time import end_of_validity

REVERSED = "REVERSED"
REFUNDED = "REFUNDED"
# The last event of a coupon leads to the state that it is in.
_RESTORED_TO: Final[Mapping[CouponState, WalletChange]] = {
    CouponState.CLAIMED: WalletChange.RESTORED,
    CouponState.EXPIRED: WalletChange.EXPIRED,
    # A balance gets its part back while the coupon is held for another order.
    CouponState.RESERVED: WalletChange.RESERVED,
}


def comes_back(coupon: Coupon) -> bool:
    """Whether the member has it again; one that was voided keeps its books straight, and nothing happens to it."""
    return coupon.state is not CouponState.VOIDED


def grace_until(redemption: Redemption, *, cause: RefundCause, at: datetime, zone: ZoneInfo) -> datetime | None:
    """Until when a coupon that comes back then is valid at least; None: as long as it was.

    The day of the return is the first of its days of grace, as that of the claim is of its validity.
    """
    days = redemption.merchant_fault_grace_days
    if cause is not RefundCause.MERCHANT_FAULT or not days:
        return None
    return end_of_validity(at, days_after_claim=days, zone=zone)


def wallet_event(coupon: Coupon) -> Event:
    """What the member is told of a coupon that comes back, wholly or a part of its balance."""
    return Event(coupon.member_id, WALLET, _RESTORED_TO[coupon.state].value, coupon.id, _left(coupon.balance_minor))


def redeemed_facts(coupon: Coupon, *, amount_minor: int) -> Mapping[str, JSON]:
    """What is told of a use besides that it was: what it leaves of a balance. `coupon` is as it was before."""
    return _left(None if coupon.balance_minor is None else coupon.balance_minor - amount_minor)


def _left(balance_minor: int | None) -> Mapping[str, JSON]:
    return {} if balance_minor is None else {"balance_minor": balance_minor}


def merchant_events(redemptions: Sequence[Redemption], *, kind: str) -> list[Event]:
    """What the merchants are told of redemptions; the member's id leads to the row."""
    return [
        Event(one.merchant_id, REDEMPTIONS, kind, one.id, {"member_id": str(one.member_id)})
        for one in redemptions
        if one.merchant_id is not None
    ]
