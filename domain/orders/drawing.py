"""What an order takes off is drawn on budgets: in full, or where they say so as much as they have left."""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Final, TypeAlias

from domain.coupons.model import CouponKey
from domain.coupons.offer import Funder
from domain.coupons.pricing import FunderAmount
from domain.orders.budgets import BudgetChange, Discount, Shortage
from domain.orders.errors import BudgetExhausted, LapsedBudget, OnlyRestLeft
from domain.orders.model import Quote
from domain.orders.ports import OrdersTransaction
from domain.orders.room import Room
from domain.shared.ids import CampaignId, CouponId


class Drawing(Enum):
    """What a transaction draws on budgets: whole discounts, or of those that allow it what they have left."""

    IN_FULL = "IN_FULL"
    WHAT_IS_LEFT = "WHAT_IS_LEFT"


_ANY: Final = FunderAmount(Funder.PLATFORM, 1)

PriceWith: TypeAlias = Callable[[Room], Quote]
"""The price of a cart with its coupons, where shared budgets have so much left."""


def discounts_of(quote: Quote, *, campaign_ids: Mapping[CouponId, CampaignId | None]) -> Sequence[Discount]:
    """What a quote costs budgets, coupon by coupon."""
    return [
        Discount(
            CouponKey(quote.member_id, one.coupon_id), campaign_ids[one.coupon_id], quote.currency, tuple(one.shares)
        )
        for one in quote.applied
    ]


def _of_named(quote: Quote, *, campaign_ids: Mapping[CouponId, CampaignId | None]) -> Sequence[Discount]:
    """A unit of each coupon, acting or not: enough to say which budgets it would draw on."""
    return [
        Discount(CouponKey(quote.member_id, coupon_id), campaign_id, quote.currency, (_ANY,))
        for coupon_id, campaign_id in campaign_ids.items()
    ]


async def draw(
    tx: OrdersTransaction,
    quote: Quote,
    *,
    campaign_ids: Mapping[CouponId, CampaignId | None],
    change: Callable[[Discount], BudgetChange],
    freed: Sequence[BudgetChange] = (),
    price_with: PriceWith | None = None,
    drawing: Drawing = Drawing.IN_FULL,
) -> Quote:
    """Draws what a quote takes off; the quote that was drawn. `freed` is what the order gives back.

    IN_FULL raises OnlyRestLeft where that is not covered and a coupon may take what there is. WHAT_IS_LEFT reads that
    under the locks of the budgets of all that are named, and makes the price anew with it: the same coupons act, one of
    them or more with less; and others may, for which less is enough that is taken off before them.
    `price_with` None: the price was promised, and is drawn as it is.

    Refusals: BudgetExhausted.
    """
    asked = [change(one) for one in discounts_of(quote, campaign_ids=campaign_ids)]
    if price_with is not None and drawing is Drawing.WHAT_IS_LEFT:
        named = [change(one) for one in _of_named(quote, campaign_ids=campaign_ids)]
        priced = price_with(Room(budgets=await tx.budgets.lock_left([*freed, *named])))
        if {one.coupon_id for one in priced.applied} >= {one.coupon_id for one in quote.applied}:
            quote = priced
            asked = [change(one) for one in discounts_of(quote, campaign_ids=campaign_ids)]
    # Where one of them finds nothing left the whole is asked for, which is refused.
    short = await tx.budgets.post([*freed, *asked])
    may_take_less = drawing is Drawing.IN_FULL and price_with is not None
    if short is not None and short.partial and not short.lapsed and may_take_less:
        raise OnlyRestLeft
    require_covered(short)
    return quote


def require_covered(short: Shortage | None) -> None:
    """Raise BudgetExhausted for what a budget does not cover, or LapsedBudget where it is only not swept yet.

    Refusals: BudgetExhausted.
    """
    if short is None:
        return
    posting = short.posting
    exhausted = BudgetExhausted(posting.drawn_minor, posting.currency, funder=posting.funder)
    if short.lapsed:
        raise LapsedBudget(posting.campaign_id, exhausted)
    raise exhausted
