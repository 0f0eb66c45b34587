"""What has run out and is in the way is ended by whoever finds it: so much of it, and no more, within one request."""

import pytest

from domain.coupons.model import CouponClaimed
from domain.orders import lapsing
from domain.orders.drawing import Drawing
from domain.orders.errors import BudgetExhausted, Lapsed
from domain.orders.lapsing import without_lapsed
from domain.shared.errors import Unavailable
from tests.coupon_world import member
from tests.order_world import Shop, cart, shop
from tests.reservation_world import TTL_SECONDS, reserved

__all__ = ["shop"]


async def held_by_three_that_have_run_out(shop: Shop) -> CouponClaimed:
    """A budget of 6000 of which three members hold 2000 each, their time over; a coupon that needs all of it."""
    campaign_id = await shop.add_campaign(budget_minor=6000)
    template_id = await shop.world.published(limit_per_member=None, campaign_id=campaign_id)
    await shop.add_member(3)
    for number in (1, 2, 3):
        await reserved(shop, await shop.world.claimed(template_id, number), ref=f"B{number}")
    shop.world.clock.advance(seconds=TTL_SECONDS)
    return await shop.coupon(terms={"thresholdMinor": 10000, "amountMinor": 6000}, campaign_id=campaign_id)


async def test_what_stands_in_the_way_is_ended_before_the_sweeper_comes(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lapsing, "MOST_ENDED", 1)
    coupon = await held_by_three_that_have_run_out(shop)
    await shop.redeemed(coupon, given=cart(12000))
    assert await shop.budget() == (0, 0, 6000)


async def test_a_request_ends_so_much_and_then_the_budget_is_exhausted_until_the_sweeper_was_there(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lapsing, "MOST_ENDED", 1)
    monkeypatch.setattr(lapsing, "MOST_SWEEPS", 2)
    coupon = await held_by_three_that_have_run_out(shop)
    refused = await shop.redeem(coupon, given=cart(12000))
    assert isinstance(refused, BudgetExhausted)
    assert (refused.required_minor, await shop.state(coupon)) == (6000, "CLAIMED")
    ended = await shop.world.value("SELECT count(*) FROM reservations WHERE state = 'EXPIRED'")
    assert (ended, await shop.budget()) == (2, (4000, 2000, 0))
    # The next one goes on.
    await shop.redeemed(coupon, given=cart(12000))


def test_one_request_ends_the_reservations_of_some_hundreds_of_members_at_most() -> None:
    assert lapsing.MOST_SWEEPS * lapsing.MOST_ENDED <= 300


async def test_who_always_finds_something_that_has_run_out_is_told_to_try_again(shop: Shop) -> None:
    tries = 0

    async def attempt(_: Drawing) -> None:
        nonlocal tries
        tries += 1
        raise Lapsed(member(1))

    with pytest.raises(Unavailable):
        await without_lapsed(attempt, begin=shop.world.database.begin)
    assert tries < 20
