"""How many coupons of a template one store may use: used and held, given back, and asked for at once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest

from domain.coupons.model import CouponClaimed
from domain.orders.errors import NotEligible, ReservationExpired
from domain.orders.model import OrderState, Quote
from domain.orders.redeeming import RedeemReservation, redeem_reservation
from domain.orders.refunding import RefundOrder, refund_order
from domain.orders.reservation_model import ReservationKey
from domain.orders.reserving import ReleaseReservation, ReserveCoupons, release_reservation, reserve_coupons
from domain.shared.errors import Refusal
from domain.shared.idempotency import Done
from domain.shared.ids import StoreId, TemplateId
from domain.shared.principal import Scope
from persistence.base import on_statement
from tests.coupon_world import NAMES, member, once, world
from tests.order_world import SERVICE, Shop, cart, shop
from tests.queries import names_into

__all__ = ["shop"]


class AnyPrice:
    """Believes every quote token."""

    def matches(self, token: str, quote: Quote) -> bool:
        del token, quote
        return True


async def limited(shop: Shop, limit: int, *numbers: int) -> tuple[TemplateId, list[CouponClaimed]]:
    template_id = await shop.world.published(limit_per_member=None, limit_per_store=limit)
    return template_id, [await shop.world.claimed(template_id, number) for number in numbers]


def at(store_id: StoreId | None) -> dict[str, Any]:
    return {"given": cart(store_id=store_id), "store_id": store_id}


async def reserve(shop: Shop, coupon: CouponClaimed, *, ref: str, at: StoreId, seconds: int = 60) -> ReservationKey:
    command = ReserveCoupons(
        order_ref=ref,
        member_id=coupon.member_id,
        cart=cart(store_id=at),
        coupon_ids=[coupon.coupon_id],
        points=0,
        quote_token=None,
        ttl_seconds=seconds,
        scope=Scope.of_member(coupon.member_id),
        once=once(coupon.member_id, mutation="reserveCoupons"),
    )
    done = await reserve_coupons(command, begin=shop.world.database.begin, tokens=AnyPrice())
    return ReservationKey(done.result.member_id, done.result.reservation_id)


async def pay(shop: Shop, key: ReservationKey, *, ref: str, at: StoreId) -> Done[object]:
    command = RedeemReservation(ref, key, at, SERVICE, once(NAMES, mutation="redeemCoupons"))
    return await redeem_reservation(command, begin=shop.world.database.begin)  # type: ignore[return-value]


async def test_a_store_uses_as_many_as_it_may_and_others_as_many_again(shop: Shop) -> None:
    first, second = await shop.add_store(1), await shop.add_store(2)
    _, coupons = await limited(shop, 2, 1, 1, 1, 1, 1)
    await shop.redeemed(coupons[0], **at(first))
    await shop.redeemed(coupons[1], **at(first))
    refusal = await shop.redeem(coupons[2], **at(first))
    assert isinstance(refusal, NotEligible)
    because = refusal.eligibility.because
    assert (because.name, because.required, because.actual) == ("limit_per_store", "≤ 2", "3")
    assert await shop.state(coupons[2]) == "CLAIMED", "nothing was written"
    await shop.redeemed(coupons[2], **at(second))
    await shop.redeemed(coupons[3], **at(None))
    await shop.consistent()


async def test_vendure_1466_a_cancelled_order_gives_the_use_back(shop: Shop) -> None:
    """Vendure counted what cancelled orders had used against the limit for ever."""
    place = await shop.add_store(1)
    _, coupons = await limited(shop, 1, 1, 1)
    await shop.redeemed(coupons[0], ref="A", **at(place))
    assert isinstance(await shop.redeem(coupons[1], **at(place)), NotEligible)
    await shop.recorded("A", OrderState.CANCELLED)
    await shop.redeemed(coupons[1], **at(place))
    assert isinstance(await shop.redeem(coupons[0], **at(place)), NotEligible), "given back, and the store is full"
    await shop.consistent()


async def test_a_full_refund_gives_the_use_back_and_a_part_of_one_does_not(shop: Shop) -> None:
    place = await shop.add_store(1)
    _, coupons = await limited(shop, 1, 1, 1)
    both = cart(6000, 6000, store_id=place)
    await shop.redeemed(coupons[0], given=both, store_id=place, ref="A")
    for line in ("l0", "l1"):
        assert isinstance(await shop.redeem(coupons[1], **at(place)), NotEligible)
        command = RefundOrder("A", {line: 1}, SERVICE, once(NAMES, mutation="refundOrder"))
        await refund_order(command, begin=shop.world.database.begin)
    await shop.redeemed(coupons[1], **at(place))
    await shop.consistent()


async def test_what_is_held_counts_until_it_is_given_up_or_its_time_is_over(shop: Shop) -> None:
    place = await shop.add_store(1)
    _, coupons = await limited(shop, 1, 1, 2)
    key = await reserve(shop, coupons[0], ref="A", at=place)
    assert isinstance(await shop.redeem(coupons[1], **at(place)), NotEligible)
    with pytest.raises(NotEligible):
        await reserve(shop, coupons[1], ref="B", at=place)
    again = await reserve(shop, coupons[0], ref="A", at=place)
    release = ReleaseReservation(again, Scope.of_member(member(1)), once(member(1), mutation="releaseReservation"))
    assert again != key
    await release_reservation(release, begin=shop.world.database.begin)
    held = await reserve(shop, coupons[1], ref="B", at=place)
    await pay(shop, held, ref="B", at=place)
    assert isinstance(await shop.redeem(coupons[0], **at(place)), NotEligible)
    await shop.consistent()


async def test_a_late_payment_finds_the_store_full_and_must_be_priced_anew(shop: Shop) -> None:
    place = await shop.add_store(1)
    _, coupons = await limited(shop, 1, 1, 2)
    held = await reserve(shop, coupons[0], ref="A", at=place, seconds=60)
    shop.world.clock.at += timedelta(seconds=61)
    await shop.redeemed(coupons[1], **at(place))
    with pytest.raises(ReservationExpired):
        await pay(shop, held, ref="A", at=place)
    assert await shop.state(coupons[0]) == "CLAIMED"
    await shop.consistent()


@pytest.fixture
async def tills(database_url: str, shop: Shop) -> AsyncIterator[list[Shop]]:
    del shop  # made the database
    async with AsyncExitStack() as stack:
        yield [Shop(await stack.enter_async_context(world(database_url, size=3))) for _ in range(4)]


async def test_30_tills_at_once_use_exactly_as_many_as_the_store_may(shop: Shop, tills: list[Shop]) -> None:
    place = await shop.add_store(1)
    for number in range(3, 33):
        await shop.add_member(number)
    _, coupons = await limited(shop, 7, *range(3, 33))
    outcomes = await asyncio.gather(*(tills[n % 4].redeem(coupon, **at(place)) for n, coupon in enumerate(coupons)))
    assert Counter(type(outcome).__name__ for outcome in outcomes) == {"Done": 7, "NotEligible": 23}
    await shop.consistent()


async def test_holding_and_using_at_once_never_pass_the_limit(shop: Shop, tills: list[Shop]) -> None:
    place = await shop.add_store(1)
    for number in range(3, 23):
        await shop.add_member(number)
    _, coupons = await limited(shop, 5, *range(3, 23))

    async def hold(n: int) -> object:
        try:
            return await reserve(tills[n % 4], coupons[n], ref=f"R{n}", at=place)
        except Refusal as refusal:
            return refusal

    async def use(n: int) -> object:
        return await tills[n % 4].redeem(coupons[n], **at(place))

    outcomes = await asyncio.gather(*(hold(n) if n % 2 else use(n) for n in range(20)))
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
    assert len(refused) == 15
    assert all(isinstance(refusal, NotEligible) for refusal in refused)
    await shop.consistent()


async def test_a_template_without_such_a_limit_is_not_counted(shop: Shop) -> None:
    place = await shop.add_store(1)
    coupon = await shop.coupon()
    told: list[str] = []
    token = on_statement.set(names_into(told))
    await shop.redeemed(coupon, **at(place))
    on_statement.reset(token)
    assert not {"lock_store_uses", "uses_in_store"} & set(told)
