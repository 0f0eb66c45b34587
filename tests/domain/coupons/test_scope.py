"""Where a coupon may be used: each store and channel that its scope names, and no other."""

from dataclasses import replace
from uuid import UUID

import pytest

from domain.coupons.cart import Channel, Scope
from domain.shared.ids import StoreId
from tests.domain.coupons.carts import cart, offer, priced

NORTH, SOUTH, WEST = (StoreId(UUID(int=number)) for number in (71, 72, 73))
BOTH = frozenset({NORTH, SOUTH})


@pytest.mark.parametrize(
    ("scope", "store_id", "channel", "failed"),
    [
        (Scope(store_ids=frozenset({NORTH})), NORTH, Channel.ONLINE, []),
        (Scope(store_ids=frozenset({NORTH})), NORTH, Channel.IN_STORE, []),
        (Scope(store_ids=frozenset({NORTH})), SOUTH, Channel.IN_STORE, ["store"]),
        (Scope(store_ids=frozenset({NORTH})), None, Channel.IN_STORE, ["store"]),
        (Scope(store_ids=BOTH), SOUTH, Channel.IN_STORE, []),
        (Scope(store_ids=BOTH), WEST, Channel.IN_STORE, ["store"]),
        (Scope(channels=frozenset({Channel.IN_STORE})), NORTH, Channel.IN_STORE, []),
        (Scope(channels=frozenset({Channel.IN_STORE})), None, Channel.IN_STORE, []),
        (Scope(channels=frozenset({Channel.IN_STORE})), NORTH, Channel.ONLINE, ["channel"]),
        (Scope(channels=frozenset({Channel.ONLINE})), None, Channel.ONLINE, []),
        (Scope(channels=frozenset({Channel.ONLINE})), None, Channel.IN_STORE, ["channel"]),
        (Scope(channels=frozenset(Channel)), NORTH, Channel.IN_STORE, []),
        (Scope(channels=frozenset({Channel.ONLINE}), store_ids=BOTH), WEST, Channel.IN_STORE, ["channel", "store"]),
        (Scope(), WEST, Channel.IN_STORE, []),
    ],
)
def test_a_coupon_is_used_where_its_scope_says_and_nowhere_else(
    scope: Scope, store_id: StoreId | None, channel: Channel, failed: list[str]
) -> None:
    coupon = replace(offer(1, "AMOUNT_OFF", amount_minor=100), scope=scope)
    pricing = priced(replace(cart(1000), store_id=store_id, channel=channel), [coupon])
    assert pricing.discount_minor == (0 if failed else 100)
    decided = pricing.not_applied[0] if failed else pricing.applied[0]
    assert [check.name for check in decided.eligibility.because.children if not check.passed] == failed
