"""Goods at a member's price are known as such by whatever decides: quote, reservation, payment, refund."""

from dataclasses import replace
from typing import Any

import pytest

from domain.coupons.cart import Cart, MemberPriceRule
from domain.coupons.model import RefundPolicy
from domain.orders.errors import NotEligible
from domain.orders.model import OrderState
from domain.shared.errors import InvalidStateChange
from domain.shared.idempotency import Done
from tests.order_world import Shop, cart, shop
from tests.refund_world import refunded
from tests.reservation_world import paid, reserved, try_reserve

__all__ = ["shop"]

SPARING: dict[str, Any] = {"with_member_price": MemberPriceRule.EXCLUDED}


def with_members(given: Cart, *places: int) -> Cart:
    """The cart with these lines at a member's price."""
    lines = tuple(replace(line, at_member_price=n in places) for n, line in enumerate(given.lines))
    return replace(given, lines=lines)


async def taken(shop: Shop) -> list[int]:
    rows = await shop.world.rows("SELECT discount_minor FROM order_lines ORDER BY position")
    return [row["discount_minor"] for row in rows]


async def test_a_redemption_spares_goods_at_a_members_price(shop: Shop) -> None:
    coupon = await shop.coupon(**SPARING)
    await shop.redeemed(coupon, given=with_members(cart(6000, 6000, 6000), 0))
    assert await taken(shop) == [0, 1000, 1000]
    kept = await shop.world.rows("SELECT at_member_price FROM order_lines ORDER BY position")
    assert [row["at_member_price"] for row in kept] == [True, False, False]


@pytest.mark.parametrize("places", [(0, 1), (0, 1, 2)])
async def test_what_is_left_may_be_too_little(shop: Shop, places: tuple[int, ...]) -> None:
    coupon, given = await shop.coupon(**SPARING), with_members(cart(6000, 6000, 6000), *places)
    assert isinstance(await shop.redeem(coupon, given=given), NotEligible)
    assert isinstance(await try_reserve(shop, coupon, given=given), NotEligible)
    assert await shop.state(coupon) == "CLAIMED"


async def test_a_coupon_combines_with_member_prices_unless_its_template_excludes_them(shop: Shop) -> None:
    await shop.redeemed(await shop.coupon(), given=with_members(cart(6000, 6000), 0, 1))
    assert await taken(shop) == [1000, 1000]


async def test_what_was_reserved_is_paid_as_the_cart_that_it_was(shop: Shop) -> None:
    coupon, given = await shop.coupon(**SPARING), with_members(cart(6000, 6000, 6000), 0)
    held = await reserved(shop, coupon, given=given)
    await paid(shop, held)
    assert await taken(shop) == [0, 1000, 1000]
    assert await shop.world.value("SELECT count(*) FROM order_lines WHERE at_member_price") == 1


async def test_a_refund_prices_the_rest_with_its_member_prices(shop: Shop) -> None:
    coupon = await shop.coupon(**SPARING, refund_policy=RefundPolicy.REPRICE)
    await shop.redeemed(coupon, ref="A1", given=with_members(cart(6000, 6000, 6000), 0))
    done = await refunded(shop, "A1", {"l1": 1})
    # ¥60 of ordinary goods are left, and ¥60 at a member's price, which count towards no threshold.
    assert (done.refund_minor, done.restored) == (4000, (coupon.coupon_id,))


async def test_the_same_goods_at_another_sort_of_price_are_another_cart(shop: Shop) -> None:
    given = cart(6000, 6000)
    await shop.recorded("A1", OrderState.PAID, given=with_members(given, 0))
    assert isinstance(await shop.record("A1", OrderState.PAID, given=given), InvalidStateChange)
    assert isinstance(await shop.record("A1", OrderState.PAID, given=with_members(given, 0)), Done)
