"""Random orders in the database, with coupons, a balance and points, refunded bit by bit until nothing is left of them.

Each refund on the way is held against a reckoning of its own, and what budgets have spent by funder. Whatever the way,
in the end everything is as if the order had never been: money, coupons, budgets, points, tier metric.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import pytest

from domain.coupons.cart import Cart, CartLine
from domain.coupons.drafts import StackingDraft, ValidityDraft
from domain.coupons.model import CouponClaimed, CouponKey, RefundPolicy
from domain.coupons.offer import Funder, FunderShare
from domain.coupons.pricing import PricingPolicy, price
from domain.orders.model import OrderState
from domain.orders.use_cases import release_points
from domain.shared.principal import Scope
from tests.coupon_world import merchant
from tests.order_world import Shop, shop
from tests.refund_reckoning import Reckoning
from tests.refund_world import refunded
from tests.reservation_world import give_points, paid, reserved

__all__ = ["shop"]

PAID, RECEIVED = OrderState.PAID, OrderState.RECEIVED
TOGETHER = StackingDraft(tags=("t",), combines_with_tags=("t",))
SIXTY_DAYS = ValidityDraft(days_after_claim=60)
THIRDS = (FunderShare(Funder.PLATFORM, 3333), FunderShare(Funder.MERCHANT, 6667))
TEMPLATES: tuple[Mapping[str, Any], ...] = (
    {"kind": "THRESHOLD_AMOUNT_OFF", "terms": {"thresholdMinor": 3000, "amountMinor": 701}, "stacking": TOGETHER},
    {"kind": "PERCENT_OFF", "terms": {"payableBasisPoints": 8765}, "stacking": TOGETHER},
    {"kind": "FREE_SHIPPING", "terms": {"maxMinor": 333, "thresholdMinor": 2000}},
    {"kind": "BUY_X_GET_Y", "terms": {"buyQuantity": 1, "getQuantity": 1}},
    {"kind": "CASH", "terms": {"faceMinor": 1234}},
)


async def random_coupons(shop: Shop, chance: Random) -> list[CouponClaimed]:
    """A coupon of some of the templates, each with a policy of its own; a balance has none but the one it must."""
    coupons = []
    for template in chance.sample(TEMPLATES, chance.randint(1, len(TEMPLATES))):
        policy = RefundPolicy.KEEP_ALLOCATION if template["kind"] == "CASH" else chance.choice(list(RefundPolicy))
        shares = chance.choice([None, THIRDS])
        campaign_id = await _campaign(shop)
        how = {
            **template,
            "refund_policy": policy,
            "funders": shares,
            "campaign_id": campaign_id,
            "validity": SIXTY_DAYS,
        }
        coupons.append(await shop.coupon(**how))
    return coupons


async def _campaign(shop: Shop) -> Any:
    known = await shop.world.value("SELECT id FROM campaigns")
    return known or await shop.add_campaign(budget_minor=100_000, PLATFORM=60_000, MERCHANT=60_000)


def random_cart(chance: Random) -> Cart:
    """Dear enough that every coupon acts; a threshold may fail once something is returned."""
    lines = [
        CartLine(f"l{n}", f"p{n}", merchant(1), chance.randint(1, 4), chance.randint(700, 1999))
        for n in range(chance.randint(2, 4))
    ]
    first = CartLine("big", "p", merchant(1), 2, 2500)
    return Cart("CNY", (first, *lines), shipping_minor=chance.choice([599, 1200]))


async def reckoned(shop: Shop, coupons: Sequence[CouponClaimed], *, cart: Cart, points: int) -> Reckoning:
    """What the order must cost, and what each refund of it must give."""
    async with shop.world.database.begin(Scope.system()) as tx:
        held = [await tx.redemptions.lock_coupon(CouponKey(one.member_id, one.coupon_id)) for one in coupons]
    known = [one for one in held if one is not None]
    at = shop.world.clock.at
    pricing = price(cart, [one.offer for one in known], policy=PricingPolicy(), at=at, points_minor=points)
    return Reckoning.of(
        pricing,
        cart=cart,
        at=at,
        policies={one.coupon.id: one.template.refund_policy for one in known},
        points_minor={line.line.id: line.points_minor for line in pricing.lines},
        points_used=pricing.points_minor,
    )


async def spent_by_funder(shop: Shop) -> list[int]:
    """What the platform and the merchant have spent of the budget."""
    return [(await shop.budget(funder))[2] for funder in ("PLATFORM", "MERCHANT")]


async def refund_bit_by_bit(shop: Shop, chance: Random, *, cart: Cart, reckoning: Reckoning) -> None:
    left = {line.id: line.quantity for line in cart.lines}
    spent = await spent_by_funder(shop)
    while left:
        lines = chance.sample(list(left), chance.randint(1, len(left)))
        units = {line: chance.randint(1, left[line]) for line in lines}
        done, expected = await refunded(shop, "A1", units), reckoning.refund(units)
        assert (done.refund_minor, done.receivable_minor) == (expected.money_minor, expected.due_minor)
        assert done.points_returned == expected.points_returned
        assert done.points_clawed_back == expected.points_clawed_back
        balances = {one.coupon_id for one in reckoning.offers if one.balance_minor is not None}
        assert set(done.restored) == expected.given_back | {one for _, one in expected.taken if one in balances}
        for shares in expected.shares.values():
            spent = [before - back for before, back in zip(spent, (*shares, 0), strict=False)]
        assert await spent_by_funder(shop) == spent
        left = {line: left[line] - units.get(line, 0) for line in left if left[line] > units.get(line, 0)}
        await shop.consistent()


@pytest.mark.parametrize("seed", range(8))
async def test_an_order_that_is_refunded_bit_by_bit_leaves_no_trace(shop: Shop, seed: int) -> None:
    chance = Random(seed)
    cart, coupons = random_cart(chance), await random_coupons(shop, chance)
    points = chance.choice([0, 77, 500])
    await give_points(shop, 500)
    reckoning = await reckoned(shop, coupons, cart=cart, points=points)
    await paid(shop, await reserved(shop, *coupons, given=cart, points=points))
    if received := chance.random() < 0.6:
        await shop.recorded("A1", RECEIVED)
        if chance.random() < 0.7:
            shop.world.clock.advance(days=6, hours=16)
            await release_points(begin=lambda: shop.world.database.begin(Scope.system()))
    await refund_bit_by_bit(shop, chance, cart=cart, reckoning=reckoning)
    assert await shop.world.value("SELECT refunded_minor - paid_minor FROM orders") == 0
    assert {await shop.state(coupon) for coupon in coupons} == {"CLAIMED"}
    assert await shop.world.value("SELECT coalesce(sum(redeemed_minor + reserved_minor), 0) FROM budget_accounts") == 0
    assert await shop.world.value("SELECT count(*) FROM redemptions WHERE reversed_at IS NULL") == 0
    assert (await shop.available(), await shop.pending()) == (500, 0)
    assert await shop.world.value("SELECT sum(debt) FROM points_accounts") == 0
    assert await shop.world.value("SELECT coalesce(sum(amount), 0) FROM tier_metric_days") == 0
    assert await shop.world.value("SELECT coalesce(sum(amount_minor), 0) FROM receivables") == 0
    assert await shop.world.value("SELECT state FROM orders") == ("RECEIVED" if received else "PAID")
