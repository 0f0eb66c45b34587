"""What a quote of chosen coupons says is what their redemption stores, to the fen: random carts, coupons and points."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from domain.coupons.cart import Cart
from domain.coupons.drafts import ScopeDraft, StackingDraft
from domain.coupons.kinds import KINDS
from domain.coupons.lanes import Lane
from domain.coupons.model import CouponClaimed
from domain.coupons.offer import ThresholdBase
from domain.orders.errors import QuoteChanged
from domain.orders.model import OrderKey, Quote
from domain.orders.points_payment import PointsOffered
from domain.orders.quote_tokens import token_of
from domain.orders.quotes import Buyer, make_quote
from domain.points.policy import DEFAULT_POLICY
from domain.shared.principal import Scope
from persistence.orders.reads import SqlOrderReads
from tests.coupon_world import merchant
from tests.domain.coupons.wallets import random_cart, random_terms
from tests.order_world import Shop, shop
from tests.reservation_world import give_points, paid, reserved, try_reserve

__all__ = ["shop"]

LANES_OF: Mapping[str, Collection[Lane]] = {
    "CASH": [Lane.TENDER],
    "FREE_SHIPPING": [Lane.SHIPPING],
    **{
        kind: [Lane.ITEM, Lane.STORE_ORDER, Lane.PLATFORM_ORDER]
        for kind in ("BUY_X_GET_Y", "FIXED_PRICE", "PRODUCT_EXCHANGE")
    },
}
FRIENDLY = StackingDraft(tags=["p"], combines_with_tags=["p"])


def cart_of(chance: Random) -> Cart:
    """A random cart of the two merchants that there are, which costs something."""
    cart = random_cart(chance)
    lines = tuple(
        replace(line, merchant_id=merchant(chance.choice([1, 2])), unit_price_minor=line.unit_price_minor + 500)
        for line in cart.lines
    )
    return replace(cart, lines=lines)


def template_of(chance: Random) -> dict[str, Any]:
    """A random template; three of four go together with the others of their lane."""
    kind = chance.choice(list(KINDS))
    lanes = [None, None, *LANES_OF.get(kind, Lane)]
    stacking = replace(FRIENDLY, lane=chance.choice(lanes), priority=chance.randint(-1, 1))
    return {
        "kind": kind,
        "terms": random_terms(chance, kind),
        "merchant_id": chance.choice([None, None, merchant(1)]),
        "scope": ScopeDraft(category_refs=chance.choice([None, None, ["x", "y"]])),
        "stacking": stacking if chance.random() < 0.75 else None,
        "threshold_base": chance.choice(list(ThresholdBase)),
    }


async def quoted(shop: Shop, cart: Cart, coupons: list[CouponClaimed], *, points: int) -> Quote:
    """The cart with these coupons and points, as `quote` makes it."""
    member_id = coupons[0].member_id
    found = await SqlOrderReads(shop.world.database).quotable(
        member_id, coupon_ids=[one.coupon_id for one in coupons], with_points=True, scope=Scope.of_member(member_id)
    )
    assert found is not None
    return make_quote(
        cart,
        list(found.held.values()),
        buyer=Buyer(member_id, found.bonus_basis_points, "CNY"),
        points_policy=DEFAULT_POLICY,
        at=found.at,
        points=PointsOffered(points, available=found.points_available, debt=found.points_debt) if points else None,
    )


@pytest.mark.parametrize("seed", range(12))
async def test_the_quote_of_chosen_coupons_is_what_is_stored_when_they_are_redeemed(shop: Shop, seed: int) -> None:
    chance = Random(seed)
    await give_points(shop, 100_000)
    cart, points = cart_of(chance), chance.choice([0, 300, 50_000])
    owned = {one.coupon_id: one for one in [await shop.coupon(**template_of(chance)) for _ in range(5)]}
    first = await quoted(shop, cart, list(owned.values()), points=points)
    acting = [owned[one.coupon_id] for one in first.applied]
    if not acting:
        return
    quote = await quoted(shop, cart, acting, points=points)
    assert [one.coupon_id for one in quote.applied] == [one.coupon_id for one in acting]
    held = await reserved(shop, *acting, given=cart, points=points, quote_token=token_of(quote))
    done = await paid(shop, held)
    order = await SqlOrderReads(shop.world.database).order_by_key(
        OrderKey(done.member_id, done.order_id), scope=Scope.system()
    )
    assert order is not None
    assert order.quote is not None
    assert (order.quote.lines, order.quote.applied) == (quote.lines, quote.applied)
    assert order.quote.shipping_allocations == quote.shipping_allocations
    assert (order.paid_minor, order.discount_minor) == (quote.payable_minor, quote.discount_minor)
    assert (order.points_used, order.points_minor) == (quote.points_used, quote.points_minor)
    assert order.points_pending == quote.points_earned
    taken = "SELECT coupon_id, discount_minor FROM redemptions"
    stored = {row["coupon_id"]: row["discount_minor"] for row in await shop.world.rows(taken)}
    assert stored == {one.coupon_id: one.amount_minor for one in quote.applied}
    assert await shop.available() == 100_000 - quote.points_used


async def test_a_token_of_another_price_is_told_the_price_of_now(shop: Shop) -> None:
    coupon = await shop.coupon(kind="CASH", terms={"faceMinor": 3000})
    cart = cart_of(Random(1))
    token = token_of(await quoted(shop, cart, [coupon], points=0))
    await shop.redeemed(coupon, given=replace(cart, lines=(replace(cart.lines[0], quantity=1, unit_price_minor=1000),)))
    refused = await try_reserve(shop, coupon, given=cart, quote_token=token)
    assert isinstance(refused, QuoteChanged)
    assert refused.quote.discount_minor == 2000
