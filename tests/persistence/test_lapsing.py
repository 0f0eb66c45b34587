"""What has run out and is in the way is ended by whoever finds it: so much of it, and no more, within one request."""

from dataclasses import dataclass

import pytest

from domain.coupons.model import CouponClaimed
from domain.orders import lapsing
from domain.orders.drawing import Drawing
from domain.orders.errors import BudgetExhausted, Lapsed
from domain.orders.lapsing import without_lapsed
from domain.points.errors import InsufficientPoints
from domain.points.lapsed import with_lapsed_returned
from domain.shared.errors import Unavailable
from domain.shared.ids import MemberId
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


async def test_so_is_who_always_finds_points_that_are_held_for_too_long() -> None:
    asked = Asked(found=1000)
    with pytest.raises(Unavailable):
        await asked.spend()
    assert asked.returned == asked.tries < 20


async def test_points_that_run_out_while_others_are_returned_are_returned_too() -> None:
    asked = Asked(found=3)
    assert await asked.spend() == "spent"
    assert (asked.tries, asked.returned) == (4, 3)


@dataclass(slots=True)
class Asked:
    """Somebody who spends points, and so many times finds some that are held for too long."""

    found: int
    tries: int = 0
    returned: int = 0

    async def spend(self) -> str:
        return await with_lapsed_returned(self._attempt, member_id=member(1), return_lapsed=self._return)

    async def _attempt(self) -> str:
        self.tries += 1
        if self.tries > self.found:
            return "spent"
        raise InsufficientPoints(required=2, available=1, shortfall=1, some_lapsed=True)

    async def _return(self, member_id: MemberId) -> None:
        assert member_id == member(1)
        self.returned += 1
