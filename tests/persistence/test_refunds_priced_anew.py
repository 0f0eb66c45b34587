"""What is left of an order is priced anew in the place of its quote, wherever the order was paid."""

from typing import Any

import pytest

from domain.coupons.cart import Channel
from domain.coupons.drafts import ConditionsDraft, ScopeDraft
from domain.coupons.model import RefundPolicy
from domain.shared.ids import StoreId
from tests.coupon_world import PROGRAMME
from tests.order_world import SERVICE, Shop, cart, shop, till
from tests.refund_world import refunded
from tests.reservation_world import paid, reserved

__all__ = ["shop"]

TWO_OF_6000 = cart(6000, 6000)
REPRICED: dict[str, Any] = {
    "kind": "AMOUNT_OFF",
    "terms": {"amountMinor": 1000},
    "refund_policy": RefundPolicy.REPRICE,
}


def not_in(store_id: StoreId) -> ConditionsDraft:
    return ConditionsDraft({"none": [{"store": [str(store_id)]}]}, zone=PROGRAMME.zone)


@pytest.mark.parametrize("by_till", [False, True], ids=["order system", "till"])
async def test_what_was_reserved_for_no_store_and_paid_in_one_is_priced_anew_as_for_no_store(
    shop: Shop, by_till: bool
) -> None:
    here = await shop.add_store(1)
    seller = till(1, here) if by_till else SERVICE
    scope = ScopeDraft(channels=[Channel.ONLINE])
    coupon = await shop.coupon(**REPRICED, conditions=not_in(here), scope=scope)
    held = await reserved(shop, coupon, given=TWO_OF_6000)
    await paid(shop, held, store_id=here, seller=seller)
    first = await refunded(shop, "A1", {"l0": 1}, seller=seller)
    assert (first.refund_minor, first.restored) == (5500, ()), "the rest qualifies as all of it did"
    last = await refunded(shop, "A1", seller=seller)
    assert (last.refund_minor, last.restored) == (5500, (coupon.coupon_id,))


async def test_what_was_reserved_for_a_store_is_priced_anew_there(shop: Shop) -> None:
    here = await shop.add_store(1)
    coupon = await shop.coupon(**REPRICED, scope=ScopeDraft(store_ids=[here]))
    held = await reserved(shop, coupon, given=cart(6000, 6000, store_id=here))
    await paid(shop, held)
    assert (await refunded(shop, "A1", {"l0": 1})).refund_minor == 5500


async def test_an_order_whose_quote_does_not_name_its_store_is_priced_anew_where_it_was_paid(shop: Shop) -> None:
    """Quotes that were stored before say nothing of it."""
    here = await shop.add_store(1)
    coupon = await shop.coupon(**REPRICED, scope=ScopeDraft(store_ids=[here]))
    held = await reserved(shop, coupon, given=cart(6000, 6000, store_id=here))
    await shop.world.database.pool.execute("UPDATE reservations SET quote = quote #- '{terms,storeId}'")
    await paid(shop, held)
    await shop.world.database.pool.execute("UPDATE orders SET quote = quote #- '{terms,storeId}'")
    assert (await refunded(shop, "A1", {"l0": 1})).refund_minor == 5500
