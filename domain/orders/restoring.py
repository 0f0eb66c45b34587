"""A cancelled order gives its coupons back, with the validity that they had, and its discounts to the budgets."""

from collections.abc import Sequence

from domain.coupons.model import Coupon, WalletChange
from domain.coupons.offer import CouponState
from domain.orders.model import Order, Redemption
from domain.orders.ports import OrdersTransaction
from domain.shared.events import REDEMPTIONS, WALLET, Event
from domain.shared.ids import MemberId

REVERSED = "REVERSED"


async def give_back(tx: OrdersTransaction, order: Order) -> Sequence[Event]:
    """Reverses the order's redemptions; returns what is to be told at the end, member and merchants at once."""
    redemptions = await tx.redemptions.of_order(order.key)
    if not redemptions:
        return ()
    restored = await tx.redemptions.restore([redemption.coupon for redemption in redemptions])
    await tx.redemptions.reverse(order.key)
    for redemption in sorted(redemptions, key=lambda one: str(one.campaign_id)):
        await tx.redemptions.give_back_to_budget(redemption)
    wallet = [_wallet_event(order.key.member_id, restored[one.coupon_id]) for one in redemptions]
    return (*wallet, *merchant_events(redemptions, kind=REVERSED))


def _wallet_event(member_id: MemberId, coupon: Coupon) -> Event:
    # The last event of a coupon says the state that it is in.
    over = coupon.state is CouponState.EXPIRED
    return Event(member_id, WALLET, (WalletChange.EXPIRED if over else WalletChange.RESTORED).value, coupon.id)


def merchant_events(redemptions: Sequence[Redemption], *, kind: str) -> list[Event]:
    """What the merchants are told of redemptions; the member's id leads to the row."""
    return [
        Event(one.merchant_id, REDEMPTIONS, kind, one.id, {"member_id": str(one.member_id)})
        for one in redemptions
        if one.merchant_id is not None
    ]
