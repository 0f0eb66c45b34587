"""An order is paid with coupons: they are redeemed, their budgets charged, the order stored, its points promised."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from domain.coupons.model import CouponKey, WalletChange
from domain.coupons.wallet import HeldCoupon
from domain.orders.budgets import BudgetChange, spend
from domain.orders.drawing import Drawing, PriceWith, draw
from domain.orders.model import AppliedCoupon, Quote, Redemption
from domain.orders.paying import Payment, store_order
from domain.orders.places import Place
from domain.orders.ports import OrdersTransaction
from domain.orders.promises import promise_points
from domain.orders.restoring import merchant_events, redeemed_facts
from domain.orders.rules import merchant_of_redemption
from domain.orders.store_limits import require_room_in_store
from domain.shared.events import WALLET, Event
from domain.shared.ids import OrderId, RedemptionId, ReservationId

REDEEMED: Final = WalletChange.REDEEMED.value


@dataclass(frozen=True, slots=True)
class Purchase:
    """What is paid: whose cart, where, at which price, with which coupons, which were locked, as which order.

    `reservation_id` names what holds the coupons; None: they are free. `freed` is what budgets held for the order, and
    `told` what the member is told of what the order gave up.
    `scanned_at` is when a till without a network scanned them; None: they are used now. `price_with` makes the price
    where budgets have less left than that; None: it was promised.
    """

    payment: Payment
    place: Place
    quote: Quote
    coupons: Sequence[HeldCoupon]
    order_id: OrderId
    reservation_id: ReservationId | None = None
    freed: Sequence[BudgetChange] = ()
    told: Sequence[Event] = ()
    scanned_at: datetime | None = None
    price_with: PriceWith | None = None
    drawing: Drawing = Drawing.IN_FULL


async def complete(tx: OrdersTransaction, purchase: Purchase) -> Sequence[Redemption]:
    """Uses the coupons, records the order as paid and promises its points; members and merchants are told at the end.

    Refusals: NotEligible, BudgetExhausted, InvalidStateChange.
    """
    held = {one.coupon.id: one for one in purchase.coupons}
    # What is taken of a balance is known at once, unless budgets may cover only a part of it.
    draws_first = purchase.drawing is Drawing.WHAT_IS_LEFT
    if not draws_first:
        await _use(tx, purchase)
    await require_room_in_store(
        tx,
        [held[one.coupon_id] for one in purchase.quote.applied],
        store_id=purchase.payment.cart.store_id,
        currency=purchase.quote.currency,
    )
    quote = await draw(
        tx,
        purchase.quote,
        campaign_ids={coupon_id: one.template.campaign_id for coupon_id, one in held.items()},
        change=spend,
        freed=purchase.freed,
        price_with=purchase.price_with,
        drawing=purchase.drawing,
    )
    purchase = replace(purchase, quote=quote)
    if draws_first:
        await _use(tx, purchase)
    redemptions = [_redemption(tx, purchase, held=held[one.coupon_id], applied=one) for one in quote.applied]
    order = await store_order(tx, purchase.payment, quote=purchase.quote, order_id=purchase.order_id)
    for one in redemptions:
        await tx.redemptions.add(one)
    await promise_points(tx, order)
    wallet = [
        Event(
            one.member_id,
            WALLET,
            REDEEMED,
            one.coupon_id,
            redeemed_facts(held[one.coupon_id].coupon, amount_minor=one.discount_minor),
        )
        for one in redemptions
    ]
    await tx.events.append([*purchase.told, *wallet, *merchant_events(redemptions, kind=REDEEMED)])
    return redemptions


async def _use(tx: OrdersTransaction, purchase: Purchase) -> None:
    member_id = purchase.payment.member_id
    for one in sorted(purchase.quote.applied, key=lambda applied: str(applied.coupon_id)):
        await tx.redemptions.redeem(
            CouponKey(member_id, one.coupon_id),
            amount_minor=one.amount_minor,
            reservation_id=purchase.reservation_id,
            scanned_at=purchase.scanned_at,
        )


def _redemption(tx: OrdersTransaction, purchase: Purchase, *, held: HeldCoupon, applied: AppliedCoupon) -> Redemption:
    payment = purchase.payment
    merchant_id = merchant_of_redemption(
        store_merchant=purchase.place.store_merchant,
        coupon_merchant=held.coupon.merchant_id,
        cart_merchants={line.merchant_id for line in payment.cart.lines},
    )
    return Redemption(
        id=RedemptionId(tx.ids.new()),
        member_id=payment.member_id,
        coupon_id=held.coupon.id,
        template_id=held.template.id,
        campaign_id=held.template.campaign_id,
        merchant_id=merchant_id,
        store_id=payment.cart.store_id,
        order_id=purchase.order_id,
        order_ref=payment.ref.ref,
        currency=purchase.quote.currency,
        discount_minor=applied.amount_minor,
        shares=applied.shares,
        redeemed_at=tx.now,
        from_balance=held.coupon.balance_minor is not None,
        refund_policy=held.template.refund_policy,
        merchant_fault_grace_days=held.template.merchant_fault_grace_days,
    )
