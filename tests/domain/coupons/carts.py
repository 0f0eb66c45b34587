"""Small carts and coupons for tests: only what a test is about is named in it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from domain.coupons.cart import Cart, CartLine
from domain.coupons.kinds import KINDS
from domain.coupons.offer import Offer
from domain.coupons.pricing import Pricing, PricingPolicy, price
from domain.shared.ids import CouponId, MerchantId, TemplateId

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
TEA_HOUSE = MerchantId(UUID(int=1))
BOOK_SHOP = MerchantId(UUID(int=2))
POLICY = PricingPolicy()


def cart(*prices_minor: int, currency: str = "CNY", shipping_minor: int = 0) -> Cart:
    """One line of one unit for each price, all of the tea house: line "1", product "p1" …"""
    lines = tuple(
        CartLine(str(place), f"p{place}", TEA_HOUSE, 1, unit_price) for place, unit_price in enumerate(prices_minor, 1)
    )
    return Cart(currency, lines, shipping_minor=shipping_minor)


def offer(number: int, kind: str, **terms: int) -> Offer:
    """A claimed coupon of the platform; change the rest with dataclasses.replace."""
    return Offer(
        coupon_id=CouponId(UUID(int=number)),
        template_id=TemplateId(UUID(int=1000 + number)),
        kind=kind,
        terms=KINDS[kind].terms(**terms),
        currency="CNY",
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        valid_until=datetime(2027, 1, 1, tzinfo=UTC),
    )


def of_merchant(coupon: Offer, merchant_id: MerchantId = TEA_HOUSE) -> Offer:
    """The same coupon, issued by a merchant."""
    return replace(coupon, merchant_id=merchant_id)


def priced(what: Cart, offers: Sequence[Offer], *, policy: PricingPolicy = POLICY) -> Pricing:
    """Price it now."""
    return price(what, offers, policy=policy, at=NOW)


def applied_ids(pricing: Pricing) -> list[int]:
    """The numbers of the coupons that act, in the order in which they act."""
    return [coupon.offer.coupon_id.int for coupon in pricing.applied]
