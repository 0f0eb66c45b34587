"""An order is paid with coupons: they are redeemed, their budgets charged, the order stored, its points promised."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from domain.coupons.model import WalletChange
from domain.coupons.wallet import HeldCoupon
from domain.orders.budgets import BudgetChange, spend
from domain.orders.drawing import Drawing, PriceWith, draw
from domain.orders.model import AppliedCoupon, Quote, Redemption
from domain.orders.paying import Payment, store_order
from domain.orders.places import Place
from domain.orders.ports import OrdersTransaction
from domain.orders.promises import promise_points
from domain.orders.refund_model import Returned
from domain.orders.restoring import merchant_events, redeemed_facts
from domain.orders.rules import merchant_of_redemption
from domain.orders.store_limits import require_room_in_store
from domain.shared.events import WALLET, Event
from domain.shared.ids import CouponId, OrderId, RedemptionId, ReservationId

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
    redemptions = _redemptions(tx, purchase, held=held)
    for one in sorted(redemptions, key=lambda redemption: str(redemption.coupon_id)):
        await tx.redemptions.redeem(
            one.coupon,
            amount_minor=one.discount_minor,
            reservation_id=purchase.reservation_id,
            scanned_at=purchase.scanned_at,
        )
    await require_room_in_store(
        tx,
        [held[one.coupon_id] for one in redemptions],
        store_id=purchase.payment.cart.store_id,
        currency=purchase.quote.currency,
    )
    full = purchase.quote
    quote = await draw(
        tx,
        full,
        campaign_ids={one.coupon_id: one.campaign_id for one in redemptions},
        change=spend,
        freed=purchase.freed,
        price_with=purchase.price_with,
        drawing=purchase.drawing,
    )
    if quote is not full:
        purchase = replace(purchase, quote=quote)
        redemptions = _redemptions(tx, purchase, held=held)
        await _keep_on_balances(tx, redemptions, full=full)
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


def _redemptions(
    tx: OrdersTransaction, purchase: Purchase, *, held: Mapping[CouponId, HeldCoupon]
) -> Sequence[Redemption]:
    return [_redemption(tx, purchase, held=held[one.coupon_id], applied=one) for one in purchase.quote.applied]


async def _keep_on_balances(tx: OrdersTransaction, redemptions: Sequence[Redemption], *, full: Quote) -> None:
    """What a budget did not cover of a balance stays on it."""
    taken = {one.coupon_id: one.amount_minor for one in full.applied}
    kept = [
        Returned(one.coupon, minor, valid_until_at_least=None)
        for one in redemptions
        if one.from_balance and (minor := taken[one.coupon_id] - one.discount_minor)
    ]
    if kept:
        await tx.redemptions.restore(kept)


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
