"""What of a wallet a cart can use, and what it is worth there. The functions are those that price the cart itself."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from domain.coupons.cart import Cart
from domain.coupons.eligibility import Eligibility
from domain.coupons.facts import FactsOfMembers, Owner
from domain.coupons.model import Coupon, CouponOrder, CouponTemplate
from domain.coupons.offer import Offer
from domain.coupons.pricing import PricingPolicy, explain, price
from domain.shared.money import SAFE_INT_MAX
from domain.shared.paging import Page, PageRequest

# Of a larger wallet the coupons that expire soonest are considered.
MAX_CONSIDERED: Final = 500
PLAIN_POLICY: Final = PricingPolicy()

_DIGITS: Final = len(str(SAFE_INT_MAX))


@dataclass(frozen=True, slots=True)
class HeldCoupon:
    """A coupon with the template that it is of, and what its conditions may ask of the member (None: nothing)."""

    coupon: Coupon
    template: CouponTemplate
    owner: Owner | None = None

    @property
    def offer(self) -> Offer:
        """The coupon as pricing sees it."""
        return self.coupon.offer(self.template, owner=self.owner)


async def with_owner(facts: FactsOfMembers, held: Sequence[HeldCoupon]) -> Sequence[HeldCoupon]:
    """Coupons of one member with what their conditions ask of it, read once, and not where none asks."""
    if not any(one.template.asks_of_member for one in held):
        return held
    owner = await facts.facts_of(held[0].coupon.member_id)
    return [replace(one, owner=owner) for one in held]


def eligibility_for(held: HeldCoupon, *, cart: Cart, at: datetime, policy: PricingPolicy) -> Eligibility:
    """Whether the coupon, alone, acts on the cart at that instant, and why."""
    return explain(held.offer, cart=cart, policy=policy, at=at)


def value_for(held: HeldCoupon, *, cart: Cart, at: datetime, policy: PricingPolicy) -> int:
    """What the coupon, alone, takes off the cart, in minor units; 0 where it does not act."""
    return price(cart, [held.offer], policy=policy, at=at).discount_minor


def usable_page(
    held: Sequence[HeldCoupon],
    *,
    cart: Cart,
    order: CouponOrder,
    page: PageRequest,
    at: datetime,
    policy: PricingPolicy,
) -> Page[Coupon]:
    """A page of the coupons that act on the cart, each by itself; the best value is what takes most off."""
    values = [(value_for(one, cart=cart, at=at, policy=policy), one.coupon) for one in held]
    keyed = [(_key(value, coupon, order=order), coupon) for value, coupon in values if value > 0]
    latest_first = order is CouponOrder.CLAIMED_LATEST
    keyed.sort(key=lambda pair: pair[0], reverse=latest_first)
    after = page.after
    if after is not None:
        keyed = [pair for pair in keyed if (pair[0] < after if latest_first else pair[0] > after)]
    shown = keyed[: page.first]
    return Page(
        items=[coupon for _, coupon in shown],
        keys=[key for key, _ in shown],
        has_next=len(keyed) > page.first,
        has_previous=after is not None,
    )


def _key(value: int, coupon: Coupon, *, order: CouponOrder) -> tuple[str, ...]:
    """The place in the order, as text that compares as the values do."""
    match order:
        case CouponOrder.CLAIMED_LATEST:
            return coupon.claimed_at.isoformat(), str(coupon.id)
        case CouponOrder.EXPIRES_SOONEST:
            return coupon.valid_until.isoformat(), str(coupon.id)
        case CouponOrder.BEST_VALUE:
            return str(SAFE_INT_MAX - value).zfill(_DIGITS), coupon.valid_until.isoformat(), str(coupon.id)
