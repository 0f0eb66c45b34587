"""What is left of an order, priced anew with its coupons as they were: the same functions as at payment."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from domain.coupons.cart import Cart
from domain.coupons.offer import CouponState, Offer
from domain.coupons.pricing import PricingPolicy, price
from domain.orders.model import Order, OrderLine, QuoteTerms
from domain.orders.refund_model import SHIPPING, Bearer, Part, bearer_of


def as_used(offer: Offer, *, used_minor: int, terms: QuoteTerms) -> Offer:
    """A coupon as it was when it was used: its validity is not asked again; of a balance there was what it gave."""
    return replace(
        offer,
        state=CouponState.REDEEMED,
        valid_from=terms.priced_at,
        valid_until=terms.priced_at + timedelta.resolution,
        balance_minor=None if offer.balance_minor is None else used_minor,
    )


def deserved_by(
    parts: Sequence[Part],
    *,
    order: Order,
    lines: Sequence[OrderLine],
    offers: Sequence[Offer],
    terms: QuoteTerms,
) -> Mapping[tuple[str, Bearer], int]:
    """What each coupon takes off each part that is left, were the rest all that is bought, by part and bearer."""
    remaining = {part.id: part.remaining for part in parts}
    cart = Cart(
        currency=order.currency,
        lines=tuple(replace(one.line, quantity=left) for one in lines if (left := remaining[one.line.id])),
        shipping_minor=order.shipping_minor,
        store_id=terms.store_id,
        channel=terms.channel,
    )
    used = (CouponState.REDEEMED,)
    policy = PricingPolicy(terms.min_payable_minor)
    pricing = price(cart, offers, policy=policy, at=terms.priced_at, usable_states=used)
    priced = [(line.line.id, line.allocations) for line in pricing.lines]
    return {
        (part_id, bearer_of(allocation.coupon_id)): allocation.amount_minor
        for part_id, allocations in [*priced, (SHIPPING, pricing.shipping_allocations)]
        for allocation in allocations
    }
