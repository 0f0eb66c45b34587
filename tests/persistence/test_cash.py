"""Coupons that keep a balance: several orders draw on one, and what is given back is exactly what was taken."""

import asyncio
from typing import Any

import asyncpg
import pytest

from domain.coupons.model import CouponClaimed, CouponKey
from domain.orders.errors import CouponNotUsable, NotEligible, ReservationExpired
from domain.orders.model import CouponsRedeemed, Order, OrderKey, OrderState
from domain.orders.voiding import VoidCoupon, void_coupon
from domain.shared.errors import Refusal
from domain.shared.events import WALLET
from domain.shared.idempotency import Done
from domain.shared.principal import Scope
from persistence.orders.reads import SqlOrderReads
from tests.coupon_world import NAMES, once
from tests.order_world import Shop, cart, shop
from tests.refund_world import refunded
from tests.reservation_world import TTL_SECONDS, paid, reserved, try_pay

__all__ = ["shop"]

FACE = 10_000


async def cash(shop: Shop, *, face_minor: int = FACE, **changed: Any) -> CouponClaimed:
    return await shop.coupon(kind="CASH", terms={"faceMinor": face_minor}, **changed)


async def balance(shop: Shop, coupon: CouponClaimed) -> int:
    return int(await shop.world.value("SELECT balance_minor FROM coupons WHERE id = $1", coupon.coupon_id))


async def order_of(shop: Shop, done: Done[CouponsRedeemed]) -> Order:
    key = OrderKey(done.result.member_id, done.result.order_id)
    order = await SqlOrderReads(shop.world.database).order_by_key(key, scope=Scope.system())
    assert order is not None
    return order


async def history(shop: Shop, coupon: CouponClaimed) -> list[tuple[str, object]]:
    told = (
        "SELECT kind, facts->'balance_minor' AS left FROM events WHERE subject_id = $1 AND stream = $2 "
        "ORDER BY sequence"
    )
    return [(row["kind"], row["left"]) for row in await shop.world.rows(told, coupon.coupon_id, WALLET)]


async def test_what_an_order_leaves_of_a_balance_pays_for_the_next(shop: Shop) -> None:
    coupon = await cash(shop)
    assert (await balance(shop, coupon), await shop.state(coupon)) == (FACE, "CLAIMED")
    first = await order_of(shop, await shop.redeemed(coupon, given=cart(3000, 4000)))
    assert (first.discount_minor, first.paid_minor) == (7000, 0)
    assert (await balance(shop, coupon), await shop.state(coupon)) == (3000, "CLAIMED")
    second = await order_of(shop, await shop.redeemed(coupon, given=cart(5000)))
    assert (second.discount_minor, second.paid_minor) == (3000, 2000)
    assert (await balance(shop, coupon), await shop.state(coupon)) == (0, "REDEEMED")
    assert isinstance(await shop.redeem(coupon, given=cart(5000)), CouponNotUsable)
    assert await history(shop, coupon) == [("CLAIMED", None), ("REDEEMED", 3000), ("REDEEMED", 0)]


async def test_a_coupon_without_a_balance_is_used_as_a_whole(shop: Shop) -> None:
    coupon = await shop.coupon(kind="AMOUNT_OFF", terms={"amountMinor": 20_000})
    await shop.redeemed(coupon, given=cart(3000))
    assert await shop.state(coupon) == "REDEEMED"
    assert await shop.world.value("SELECT balance_minor FROM coupons WHERE id = $1", coupon.coupon_id) is None


async def test_a_cancelled_order_gives_its_part_of_the_balance_back_whatever_the_others_took(shop: Shop) -> None:
    coupon = await cash(shop)
    await shop.redeemed(coupon, given=cart(7000), ref="A1")
    await shop.redeemed(coupon, given=cart(5000), ref="A2")
    assert await shop.state(coupon) == "REDEEMED"
    await shop.recorded("A1", OrderState.CANCELLED)
    assert (await balance(shop, coupon), await shop.state(coupon)) == (7000, "CLAIMED")
    await shop.recorded("A2", OrderState.CANCELLED)
    assert (await balance(shop, coupon), await shop.state(coupon)) == (FACE, "CLAIMED")
    assert (await history(shop, coupon))[-2:] == [("RESTORED", 7000), ("RESTORED", FACE)]


async def test_a_balance_given_back_after_its_time_is_over_is_expired(shop: Shop) -> None:
    coupon = await cash(shop)
    await shop.redeemed(coupon, given=cart(4000), ref="A1")
    shop.world.clock.advance(days=8)
    await shop.recorded("A1", OrderState.CANCELLED)
    assert (await balance(shop, coupon), await shop.state(coupon)) == (FACE, "EXPIRED")


async def test_a_balance_gets_its_part_back_while_the_coupon_is_held_for_another_order(shop: Shop) -> None:
    coupon = await cash(shop)
    await shop.redeemed(coupon, given=cart(4000), ref="A1")
    await reserved(shop, coupon, ref="A2", given=cart(1000))
    await shop.recorded("A1", OrderState.CANCELLED)
    assert (await balance(shop, coupon), await shop.state(coupon)) == (FACE, "RESERVED")
    assert (await history(shop, coupon))[-1] == ("RESERVED", FACE)


async def test_orders_at_once_never_take_more_than_the_balance(shop: Shop) -> None:
    coupon = await cash(shop)
    outcomes = await asyncio.gather(*(shop.redeem(coupon, given=cart(3000)) for _ in range(10)))
    taken = [await order_of(shop, one) for one in outcomes if isinstance(one, Done)]
    refused = [one for one in outcomes if isinstance(one, Refusal)]
    assert sorted(order.discount_minor for order in taken) == [1000, 3000, 3000, 3000]
    assert all(isinstance(one, CouponNotUsable) for one in refused)
    assert len(refused) == 6
    assert (await balance(shop, coupon), await shop.state(coupon)) == (0, "REDEEMED")


async def test_cancelling_and_using_at_once_leaves_the_sums_right(shop: Shop) -> None:
    coupon = await cash(shop)
    for number in range(3):
        await shop.redeemed(coupon, given=cart(3000), ref=f"A{number}")
    work = [shop.record(f"A{number}", OrderState.CANCELLED) for number in range(3)]
    work += [shop.redeem(coupon, given=cart(2500)) for _ in range(3)]  # type: ignore[misc]
    await asyncio.gather(*work)
    taken = await shop.world.value("SELECT coalesce(sum(discount_minor), 0) FROM redemptions WHERE reversed_at IS NULL")
    assert await balance(shop, coupon) + taken == FACE


async def test_a_part_of_a_redemption_goes_back_to_the_balance(shop: Shop) -> None:
    coupon = await cash(shop)
    await shop.redeemed(coupon, ref="A1", given=cart(2500, FACE - 2500))
    await refunded(shop, "A1", {"l0": 1})
    assert (await balance(shop, coupon), await shop.state(coupon)) == (2500, "CLAIMED")
    assert (await history(shop, coupon))[-1] == ("RESTORED", 2500)


async def test_only_of_a_balance_two_uses_can_be_stored(shop: Shop) -> None:
    again = (
        "INSERT INTO redemptions SELECT (jsonb_populate_record(r, jsonb_build_object('id', gen_random_uuid(), "
        "'order_id', gen_random_uuid()))).* FROM redemptions r WHERE coupon_id = $1"
    )
    async with shop.world.database.pool.acquire() as connection:
        work = connection.transaction()
        await work.start()
        used = [await shop.coupon(kind="AMOUNT_OFF", terms={"amountMinor": 1}), await cash(shop)]
        for coupon in used:
            await shop.redeemed(coupon, given=cart(3000))
        await work.rollback()
        work = connection.transaction()
        await work.start()
        await connection.execute(again, used[1].coupon_id)
        with pytest.raises(asyncpg.UniqueViolationError, match="redemptions_once_idx"):
            await connection.execute(again, used[0].coupon_id)
        await work.rollback()


async def test_goods_out_of_scope_and_shipping_are_not_paid_by_a_balance(shop: Shop) -> None:
    coupon = await cash(shop, merchant_id=(await shop.world.add_merchant(3)))
    assert isinstance(await shop.redeem(coupon, given=cart(3000)), NotEligible)
    own = await cash(shop)
    order = await order_of(shop, await shop.redeemed(own, given=cart(3000, shipping_minor=600)))
    assert (order.discount_minor, order.paid_minor) == (3000, 600)


async def test_a_late_payment_finds_what_others_have_left_of_a_balance(shop: Shop) -> None:
    coupon = await cash(shop)
    first = await reserved(shop, coupon, ref="A1", given=cart(7000))
    shop.world.clock.advance(seconds=TTL_SECONDS)
    await shop.redeemed(coupon, given=cart(4000), ref="A2")
    assert isinstance(await try_pay(shop, first, ref="A1"), ReservationExpired), "¥60.00 are left of it"
    assert (await balance(shop, coupon), await shop.state(coupon)) == (6000, "CLAIMED")
    second = await reserved(shop, coupon, ref="A3", given=cart(5000))
    shop.world.clock.advance(seconds=TTL_SECONDS)
    await shop.redeemed(coupon, given=cart(1000), ref="A4")
    assert (await paid(shop, second, ref="A3")).late_capture, "exactly as much is left"
    assert (await balance(shop, coupon), await shop.state(coupon)) == (0, "REDEEMED")


async def test_a_balance_that_was_voided_gets_its_part_back_and_the_coupon_does_not_come_back(shop: Shop) -> None:
    coupon = await cash(shop)
    await shop.redeemed(coupon, ref="A1", given=cart(2000, 3000))
    key = CouponKey(coupon.member_id, coupon.coupon_id)
    voided = VoidCoupon(key, "a mistake", Scope.system(), once(NAMES, mutation="voidCoupon"))
    await void_coupon(voided, begin=shop.world.database.begin)
    for line, left in (("l0", FACE - 3000), ("l1", FACE)):
        assert (await refunded(shop, "A1", {line: 1})).restored == ()
        assert (await balance(shop, coupon), await shop.state(coupon)) == (left, "VOIDED")
    assert await shop.events(WALLET) == ["CLAIMED", "REDEEMED", "VOIDED"], "nothing happened to it any more"
