"""A coupon that is cut leaves more for the thresholds of those after it: they are held for what they were quoted."""

from collections.abc import Mapping
from typing import Any

import pytest

from domain.campaigns.model import RemainderPolicy
from domain.coupons.drafts import StackingDraft
from domain.coupons.model import CouponClaimed
from domain.orders.errors import BudgetExhausted, NotEligible
from domain.orders.quote_tokens import token_of
from tests.order_world import Shop, campaign, cart, shop
from tests.persistence.test_partial_budgets import held_amounts, order_of
from tests.persistence.test_quote_is_what_is_redeemed import quoted
from tests.reservation_world import reserved, try_pay, try_reserve

__all__ = ["shop"]


async def pair(shop: Shop, *, budget_minor: int, **threshold: Any) -> tuple[CouponClaimed, CouponClaimed]:
    """立减30 of a budget that covers a part, then 满90减10, which does not act after all of the thirty."""

    def stacking(priority: int) -> Mapping[str, Any]:
        return {"stacking": StackingDraft(tags=["t"], combines_with_tags=["t"], priority=priority)}

    first = await shop.add_campaign(budget_minor=budget_minor, remainder=RemainderPolicy.PARTIAL)
    cut = await shop.coupon(kind="AMOUNT_OFF", terms={"amountMinor": 3000}, campaign_id=first, **stacking(9))
    terms = {"thresholdMinor": 9000, "amountMinor": 1000}
    return cut, await shop.coupon(kind="THRESHOLD_AMOUNT_OFF", terms=terms, **stacking(1), **threshold)


async def test_what_is_quoted_with_a_cut_is_reserved_and_paid_so(shop: Shop) -> None:
    cut, after = await pair(shop, budget_minor=50)
    quote = await quoted(shop, cart(10_000), [cut, after], points=0)
    assert [one.amount_minor for one in quote.applied] == [50, 1000]
    held = await reserved(shop, cut, after, given=cart(10_000), quote_token=token_of(quote))
    assert await held_amounts(shop) == [50, 1000]
    assert await shop.budget() == (0, 50, 0)
    order = await order_of(shop, await try_pay(shop, held))
    assert order.paid_minor == quote.payable_minor == 8950


async def test_both_draw_on_what_their_budgets_have_left(shop: Shop) -> None:
    second = await shop.add_campaign(budget_minor=300, number=2, remainder=RemainderPolicy.PARTIAL)
    cut, after = await pair(shop, budget_minor=50, campaign_id=second)
    await reserved(shop, cut, after, given=cart(10_000))
    assert await held_amounts(shop) == [50, 300]
    spent = await shop.world.rows("SELECT sum(reserved_minor) FROM budget_accounts WHERE campaign_id = $1", campaign(2))
    assert spent[0][0] == 300


@pytest.mark.parametrize(("budget_minor", "refusal"), [(0, BudgetExhausted), (1001, NotEligible)])
async def test_where_not_all_act_nothing_is_held(shop: Shop, budget_minor: int, refusal: type[Exception]) -> None:
    cut, after = await pair(shop, budget_minor=budget_minor)
    outcome = await try_reserve(shop, cut, after, given=cart(10_000))
    assert isinstance(outcome, refusal)
    assert await shop.state(after) == "CLAIMED"
