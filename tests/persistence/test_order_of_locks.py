"""Locks are taken in one order: streams, coupons, limits, budgets, accounts, and a merchant's stream at the end."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from domain.coupons.drafts import StackingDraft
from domain.coupons.model import CouponClaimed, RefundPolicy
from domain.orders.model import OrderState
from domain.orders.offline import OfflineRedemption, SyncOfflineRedemptions, sync_offline_redemptions
from domain.shared.ids import StoreId, TemplateId
from persistence.base import on_statement
from persistence.orders.store_uses import SqlStoreUses
from tests.coupon_world import NAMES, once
from tests.order_world import TOKENS, Shop, cart, shop, till
from tests.queries import names_into
from tests.refund_world import refunded
from tests.reservation_world import give_points, paid, reserved

__all__ = ["shop"]

TOGETHER = StackingDraft(tags=["t"], combines_with_tags=["t"])


@contextmanager
def names() -> Iterator[list[str]]:
    """The names of the statements that are run, in their order."""
    run: list[str] = []
    token = on_statement.set(names_into(run))
    try:
        yield run
    finally:
        on_statement.reset(token)


def require_order(run: Sequence[str], *places: str) -> None:
    """The member's streams come first, then each of these before the next, and a merchant's stream after them all."""
    assert run.index("advance_streams") < run.index(places[0]), run
    assert sorted(places, key=run.index) == list(places), run
    last = len(run) - 1 - run[::-1].index("advance_streams")
    assert run.index(places[-1]) < last == run.index("insert_events", last) - 1, run


async def limited(shop: Shop, **changed: Any) -> tuple[StoreId, CouponClaimed]:
    """A store, and a coupon of a budget and of a limit by the store."""
    campaign_id = await shop.add_campaign(budget_minor=20000)
    place = await shop.add_store(1)
    return place, await shop.coupon(campaign_id=campaign_id, limit_per_store=5, **changed)


@pytest.mark.parametrize("policy", RefundPolicy)
async def test_a_refund_takes_its_locks_in_the_one_order(shop: Shop, policy: RefundPolicy) -> None:
    place, coupon = await limited(shop, refund_policy=policy)
    await give_points(shop, 500)
    held = await reserved(shop, coupon, ref="A1", given=cart(12000, 4000, store_id=place), points=100)
    await paid(shop, held, ref="A1")
    # What gives the coupon back: the last of it, or by REPRICE what leaves too little for it.
    units = {"l0": 1} if policy is RefundPolicy.REPRICE else None
    with names() as run:
        await refunded(shop, "A1", units)
    priced_anew = ["lock_coupon"] if "lock_coupon" in run else []
    places = ["restore_coupons", "post_on_free_budget_shard", "lock_points_account"]
    require_order(run, "lock_order", *priced_anew, *places)
    assert run[-1] == "record_receipt"


async def test_a_cancel_takes_its_locks_in_the_order_of_a_refund(shop: Shop) -> None:
    place, coupon = await limited(shop)
    await shop.redeemed(coupon, ref="A1", given=cart(12000), store_id=place)
    with names() as run:
        await shop.recorded("A1", OrderState.CANCELLED)
    require_order(run, "lock_order", "restore_coupons", "post_on_free_budget_shard", "lock_points_account")


async def test_what_was_scanned_without_a_network_takes_its_locks_in_the_one_order(shop: Shop) -> None:
    place, coupon = await limited(shop)
    row = OfflineRedemption(shop.token(coupon, seconds=60), "R1", cart(12000), shop.world.clock.at)
    shop.world.clock.advance(hours=1)
    command = SyncOfflineRedemptions(place, (row,), till(1, place), once(NAMES, mutation="syncOfflineRedemptions"))
    with names() as run:
        done = await sync_offline_redemptions(command, begin=shop.world.database.begin, tokens=TOKENS, sweep=shop.sweep)
    assert [one.refusal for one in done.result.outcomes] == [None]
    places = [
        "lock_coupon",
        "lock_offline_day",
        "lock_store_uses",
        "post_on_free_budget_shard",
        "lock_points_account",
    ]
    require_order(run, *places)
    assert run.index("lock_coupon") < run.index("redeem_coupon") < run.index("lock_store_uses")


async def test_a_limit_by_store_is_locked_after_the_coupons_and_before_the_budgets(shop: Shop) -> None:
    place, coupon = await limited(shop)
    await give_points(shop, 500)
    with names() as run:
        held = await reserved(shop, coupon, ref="A1", given=cart(12000, store_id=place))
    require_order(run, "lock_coupons", "lock_store_uses", "post_on_free_budget_shard")
    with names() as run:
        await paid(shop, held, ref="A1")
    require_order(run, "lock_coupons", "lock_store_uses", "post_on_free_budget_shard", "lock_points_account")
    other = await shop.coupon(limit_per_store=5)
    with names() as run:
        await shop.redeemed(other, given=cart(12000), seller=till(1, place), store_id=place)
    require_order(run, "lock_coupon", "lock_store_uses", "lock_points_account")


async def test_limits_of_several_templates_in_a_store_are_locked_by_template(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In whatever order the coupons are named: two orders with the same two coupons' templates never wait in a ring."""
    place = await shop.add_store(1)
    locked: list[TemplateId] = []
    lock_and_count = SqlStoreUses.lock_and_count

    async def noted(self: SqlStoreUses, template_id: TemplateId, *, store_id: StoreId) -> int:
        locked.append(template_id)
        return await lock_and_count(self, template_id, store_id=store_id)

    monkeypatch.setattr(SqlStoreUses, "lock_and_count", noted)
    templates = [
        await shop.world.published(limit_per_member=None, limit_per_store=5, stacking=TOGETHER) for _ in range(3)
    ]
    for number, order in enumerate((templates, templates[::-1])):
        coupons = [await shop.world.claimed(template_id) for template_id in order]
        locked.clear()
        await reserved(shop, *coupons, ref=f"A{number}", given=cart(90000, store_id=place))
        assert locked == sorted(templates, key=str)
