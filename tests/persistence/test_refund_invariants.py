"""Each invariant of refunds is broken by hand, and found."""

from collections.abc import AsyncIterator

import pytest

from domain.coupons.model import RefundPolicy
from domain.orders.model import OrderState
from persistence.invariants import SqlInvariants
from persistence.orders.invariants import CHECKS
from tests.coupon_world import world
from tests.order_world import Shop, cart
from tests.refund_world import refunded

_EACH = "UPDATE refund_discounts SET "
BREAK = {
    "refunds_sum_to_order": "UPDATE orders SET refunded_minor = refunded_minor + 1",
    "refund_lines_sum_to_refund": "UPDATE refunds SET amount_minor = amount_minor + 1",
    "refunded_units_sum_to_line": "UPDATE order_lines SET refunded_quantity = 1",
    "taken_back_sums_to_redemption": "UPDATE redemptions SET reversed_at = now()",
    "taken_back_is_borne_as_it_was": _EACH + """shares = '{"PLATFORM": 2001}'""",
    "taken_back_is_shared_out": _EACH + """shares = '{"PLATFORM": 1}'""",
    "taken_back_within_allocation": _EACH + "amount_minor = 2001",
    "receivables_within_discount": "UPDATE receivables SET amount_minor = 1001",
    "points_of_refunds_match": "UPDATE refunds SET points_clawed_back = points_clawed_back + 1",
}


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with world(database_url, size=2) as made:
        opened = Shop(made)
        await opened.add_member(1)
        coupon = await opened.coupon(refund_policy=RefundPolicy.CLAWBACK)
        await opened.redeemed(coupon, ref="A1", given=cart(6000, 6000))
        await refunded(opened, "A1", {"l0": 1})
        await opened.recorded("A2", OrderState.PAID)
        await refunded(opened, "A2")
        await opened.consistent()
        yield opened


async def found(shop: Shop) -> set[str]:
    return {one.name for one in await SqlInvariants(shop.world.database, checks=CHECKS).violations(limit=5)}


@pytest.mark.parametrize("name", BREAK)
async def test_a_broken_invariant_is_found(shop: Shop, name: str) -> None:
    await shop.world.database.pool.execute(BREAK[name])
    assert name in await found(shop)
