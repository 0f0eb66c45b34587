"""A cancelled order gives its coupons back, with the validity that they had, and its discounts to the budgets."""

from collections.abc import Mapping, Sequence
from typing import Final

from domain.coupons.model import Coupon, WalletChange
from domain.coupons.offer import CouponState
from domain.orders import budgets
from domain.orders.model import Order, Redemption
from domain.orders.ports import OrdersTransaction
from domain.shared.events import JSON, REDEMPTIONS, WALLET, Event

REVERSED = "REVERSED"
# The last event of a coupon leads to the state that it is in.
_RESTORED_TO: Final[Mapping[CouponState, WalletChange]] = {
    CouponState.CLAIMED: WalletChange.RESTORED,
    CouponState.EXPIRED: WalletChange.EXPIRED,
    # A balance gets its part back while the coupon is held for another order, or was taken back.
    CouponState.RESERVED: WalletChange.RESERVED,
    CouponState.VOIDED: WalletChange.VOIDED,
}


async def give_back(tx: OrdersTransaction, order: Order) -> Sequence[Event]:
    """Reverses the order's redemptions; returns what is to be told at the end, member and merchants at once."""
    redemptions = await tx.redemptions.of_order(order.key)
    if not redemptions:
        return ()
    restored = await tx.redemptions.restore({one.coupon: one.discount_minor for one in redemptions})
    await tx.redemptions.reverse(order.key)
    await tx.budgets.post([budgets.give_back(budgets.discount_of(one)) for one in redemptions])
    wallet = [wallet_event(restored[one.coupon_id]) for one in redemptions]
    return (*wallet, *merchant_events(redemptions, kind=REVERSED))


async def restore_balance(tx: OrdersTransaction, redemption: Redemption, *, amount_minor: int) -> Event:
    """Gives a part of what a redemption took back to the coupon's balance; returns what the member is told at the end.

    A coupon that was empty can be used again, or is expired where its time is over. How much of the redemption was
    given back before is the caller's to know: never more than its discount in all.
    """
    assert redemption.from_balance, "any other coupon is given back as a whole"
    restored = await tx.redemptions.restore({redemption.coupon: amount_minor})
    return wallet_event(restored[redemption.coupon_id])


def wallet_event(coupon: Coupon) -> Event:
    """What the member is told of a coupon that was given back, wholly or a part of its balance."""
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
