"""Each move of a coupon is one conditional write: what no rule stopped, the statement itself does not do."""

from datetime import timedelta

import pytest

from domain.coupons.model import CouponKey
from domain.orders.refund_model import Returned
from domain.shared.principal import Scope
from tests.order_world import Shop, cart, shop
from tests.reservation_world import reserved

__all__ = ["shop"]


async def test_an_expired_coupon_is_redeemed_for_a_scan_within_its_validity_alone(shop: Shop) -> None:
    coupon = await shop.coupon()
    key = CouponKey(coupon.member_id, coupon.coupon_id)
    until = await shop.world.value("SELECT valid_until FROM coupons")
    shop.world.clock.at = until + timedelta(hours=1)
    for scanned_at in (None, until):
        with pytest.raises(AssertionError):
            async with shop.world.database.begin(Scope.system()) as tx:
                await tx.redemptions.redeem(key, amount_minor=2000, scanned_at=scanned_at)
    assert await shop.state(coupon) == "CLAIMED"


async def test_what_is_held_is_redeemed_by_the_reservation_that_holds_it_alone(shop: Shop) -> None:
    coupon = await shop.coupon()
    other = await reserved(shop, await shop.coupon(), ref="A2")
    await reserved(shop, coupon, given=cart(12000))
    key = CouponKey(coupon.member_id, coupon.coupon_id)
    for reservation_id in (None, other.reservation_id):
        with pytest.raises(AssertionError):
            async with shop.world.database.begin(Scope.system()) as tx:
                await tx.redemptions.redeem(key, amount_minor=2000, reservation_id=reservation_id)
    assert await shop.state(coupon) == "RESERVED"


async def test_what_is_held_or_free_is_neither_taken_back_nor_given_back(shop: Shop) -> None:
    free, held = await shop.coupon(), await shop.coupon()
    await reserved(shop, held)
    with pytest.raises(AssertionError):
        async with shop.world.database.begin(Scope.system()) as tx:
            await tx.redemptions.void(CouponKey(held.member_id, held.coupon_id))
    for coupon in (free, held):
        with pytest.raises(AssertionError):
            async with shop.world.database.begin(Scope.system()) as tx:
                await tx.redemptions.restore([Returned(CouponKey(coupon.member_id, coupon.coupon_id), 2000, None)])
    assert [await shop.state(one) for one in (free, held)] == ["CLAIMED", "RESERVED"]


async def test_a_coupon_is_not_swept_before_its_time_is_over(shop: Shop) -> None:
    coupon = await shop.coupon()
    key = CouponKey(coupon.member_id, coupon.coupon_id)
    until = await shop.world.value("SELECT valid_until FROM coupons")
    shop.world.clock.at = until - timedelta.resolution
    async with shop.world.database.begin(Scope.system()) as tx:
        assert list(await tx.coupons.expire([key])) == []
    assert await shop.state(coupon) == "CLAIMED"
