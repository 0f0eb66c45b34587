"""What is held for an order: taken, paid in time or late, given up, run out; everything counts, nothing is lost."""

from datetime import timedelta
from typing import Any

import pytest

from domain.coupons.drafts import StackingDraft
from domain.coupons.model import WalletQuery
from domain.coupons.offer import CouponState
from domain.orders.errors import (
    BudgetExhausted,
    CouponExpired,
    CouponNotUsable,
    NotEligible,
    QuoteChanged,
    ReservationExpired,
    StackingConflict,
)
from domain.orders.model import OrderState
from domain.orders.quote_tokens import token_of
from domain.shared.errors import BadUserInput, IdempotencyKeyReused, InvalidStateChange, NotFound
from domain.shared.events import WALLET
from domain.shared.idempotency import Done
from domain.shared.paging import PageRequest
from domain.shared.principal import Scope
from persistence.campaigns.reads import SqlCampaignReads
from tests.coupon_world import member
from tests.order_world import Shop, cart, shop
from tests.reservation_world import (
    TTL_SECONDS,
    ended_as,
    paid,
    release,
    reserve,
    reserved,
    sweep,
    try_pay,
    try_reserve,
)

__all__ = ["shop"]

CANCELLED = OrderState.CANCELLED


async def test_what_is_reserved_is_paid_at_the_price_that_was_promised(shop: Shop) -> None:
    coupon = await shop.coupon()
    held = await reserved(shop, coupon)
    assert await shop.state(coupon) == "RESERVED"
    shop.world.clock.advance(seconds=TTL_SECONDS - 1)
    done = await paid(shop, held)
    assert (done.late_capture, done.repeated) == (False, False)
    assert await shop.state(coupon) == "REDEEMED"
    order = (await shop.world.rows("SELECT state, discount_minor, paid_minor FROM orders"))[0]
    assert tuple(order) == ("PAID", 2000, 10000)
    assert await shop.events(WALLET) == ["CLAIMED", "RESERVED", "REDEEMED"]
    assert await ended_as(shop, held) == "REDEEMED"


async def test_all_coupons_of_an_order_are_held_or_none(shop: Shop) -> None:
    apart = StackingDraft(tags=["a"], combines_with_tags=["a"])
    first, second = [await shop.coupon(stacking=apart) for _ in range(2)]
    used = await shop.coupon(stacking=apart)
    await shop.redeemed(used)
    refused = await try_reserve(shop, first, used, second, given=cart(30000))
    assert isinstance(refused, CouponNotUsable)
    assert [await shop.state(one) for one in (first, second)] == ["CLAIMED", "CLAIMED"]
    held = await reserved(shop, first, second, given=cart(30000))
    assert len((await paid(shop, held)).redemption_ids) == 2
    assert await shop.world.value("SELECT discount_minor FROM orders WHERE order_ref = 'A1'") == 4000


async def test_a_coupon_that_is_held_is_no_other_orders(shop: Shop) -> None:
    coupon = await shop.coupon()
    await reserved(shop, coupon, ref="A1")
    refused = await try_reserve(shop, coupon, ref="A2")
    assert isinstance(refused, CouponNotUsable)
    assert refused.state is CouponState.RESERVED
    scanned = await shop.redeem(coupon, ref="A3")
    assert isinstance(scanned, CouponNotUsable)


async def test_reserving_again_for_the_same_order_replaces_what_it_held(shop: Shop) -> None:
    campaign_id = await shop.add_campaign(budget_minor=2000)
    old, new = [await shop.coupon(campaign_id=campaign_id) for _ in range(2)]
    first = await reserved(shop, old)
    second = await reserved(shop, new)
    assert [await shop.state(one) for one in (old, new)] == ["CLAIMED", "RESERVED"]
    assert await shop.budget() == (0, 2000, 0), "what the first held is free for the second, and held no more"
    assert (await ended_as(shop, first), await ended_as(shop, second)) == ("RELEASED", "HELD")
    same = await reserved(shop, new)
    assert await ended_as(shop, second) == "RELEASED"
    refused = await try_pay(shop, second)
    assert isinstance(refused, InvalidStateChange)
    assert (refused.current, refused.wanted) == ("RELEASED", "REDEEMED")
    await paid(shop, same)
    assert await shop.events(WALLET) == [
        "CLAIMED", "CLAIMED", "RESERVED", "RELEASED", "RESERVED", "RELEASED", "RESERVED", "REDEEMED",
    ]  # fmt: skip


async def test_a_reservation_is_asked_for_twice_and_made_once(shop: Shop) -> None:
    coupon = await shop.coupon()
    first = await try_reserve(shop, coupon, key="mine")
    again = await try_reserve(shop, coupon, key="mine")
    assert isinstance(first, Done)
    assert isinstance(again, Done)
    assert (again.result, again.replayed) == (first.result, True)
    assert await shop.world.value("SELECT count(*) FROM reservations") == 1


# ── what was reserved is given up, or runs out ───────────────────────────────────────────────────────────────────────


async def test_what_is_released_is_free_at_once_with_the_validity_that_it_had(shop: Shop) -> None:
    campaign_id = await shop.add_campaign(budget_minor=2000)
    coupon = await shop.coupon(campaign_id=campaign_id)
    until = await shop.world.value("SELECT valid_until FROM coupons")
    held = await reserved(shop, coupon)
    done = await release(shop, held)
    assert isinstance(done, Done)
    assert done.result.coupon_ids == (coupon.coupon_id,)
    assert await shop.world.value("SELECT valid_until FROM coupons") == until
    assert await shop.budget() == (2000, 0, 0)
    await shop.redeemed(coupon)
    assert await shop.events(WALLET) == ["CLAIMED", "RESERVED", "RELEASED", "REDEEMED"]


async def test_blnk_152_what_was_released_is_not_released_again(shop: Shop) -> None:
    """blnk#152 voided one hold twice, and credited twice."""
    campaign_id = await shop.add_campaign(budget_minor=2000)
    held = await reserved(shop, await shop.coupon(campaign_id=campaign_id))
    first = await release(shop, held, key="mine")
    assert isinstance(first, Done)
    again = await release(shop, held)
    assert isinstance(again, InvalidStateChange)
    assert (again.current, again.wanted) == ("RELEASED", "RELEASED")
    replayed = await release(shop, held, key="mine")
    assert isinstance(replayed, Done)
    assert replayed.replayed
    assert await shop.budget() == (2000, 0, 0)


async def test_blnk_41_what_was_redeemed_is_not_released_nor_reversed_twice(shop: Shop) -> None:
    """blnk#41 let a transaction be refunded more than once."""
    campaign_id = await shop.add_campaign(budget_minor=2000)
    coupon = await shop.coupon(campaign_id=campaign_id)
    held = await reserved(shop, coupon)
    await paid(shop, held)
    refused = await release(shop, held)
    assert isinstance(refused, InvalidStateChange)
    assert refused.current == "REDEEMED"
    await shop.recorded("A1", CANCELLED)
    again = await shop.record("A1", CANCELLED)
    assert isinstance(again, Done)
    assert again.result.repeated
    assert await shop.budget() == (2000, 0, 0)
    assert await shop.events(WALLET) == ["CLAIMED", "RESERVED", "REDEEMED", "RESTORED"]


async def test_blnk_182_what_was_given_up_is_not_redeemed_afterwards(shop: Shop) -> None:
    """blnk#182 committed an inflight transaction after it had been voided."""
    coupon = await shop.coupon()
    held = await reserved(shop, coupon)
    await release(shop, held)
    refused = await try_pay(shop, held)
    assert isinstance(refused, InvalidStateChange)
    assert (refused.current, refused.wanted) == ("RELEASED", "REDEEMED")
    assert await shop.state(coupon) == "CLAIMED"
    assert await shop.world.value("SELECT count(*) FROM orders") == 0


@pytest.mark.parametrize("swept", [False, True])
async def test_what_has_run_out_reads_the_same_swept_or_not(shop: Shop, swept: bool) -> None:
    campaign_id = await shop.add_campaign(budget_minor=2000)
    coupon = await shop.coupon(campaign_id=campaign_id)
    held = await reserved(shop, coupon)
    shop.world.clock.advance(seconds=TTL_SECONDS - 0.001)
    assert await _wallet(shop) == ("RESERVED", (0, 1), 2000)
    shop.world.clock.advance(seconds=0.001)
    if swept:
        assert await sweep(shop) == 1
        assert await sweep(shop) == 0
        assert await shop.events(WALLET) == ["CLAIMED", "RESERVED", "RELEASED"]
    assert await _wallet(shop) == ("CLAIMED", (1, 0), 0)
    refused = await release(shop, held)
    assert isinstance(refused, InvalidStateChange)
    assert refused.current == "EXPIRED"
    shop.world.clock.advance(days=30)
    assert await _wallet(shop) == ("EXPIRED", (0, 0), 0)
    await shop.world.database.pool.execute("UPDATE coupons SET valid_until = valid_until + interval '60 days'")
    other = await try_reserve(shop, coupon, ref="A2")
    assert isinstance(other, Done), "nobody waits for the sweeper"
    assert await shop.state(coupon) == "RESERVED"
    assert await ended_as(shop, held) == "EXPIRED"
    await shop.world.database.pool.execute("UPDATE coupons SET valid_until = valid_until - interval '60 days'")


async def _wallet(shop: Shop) -> tuple[str, tuple[int, int], int]:
    """The coupon's state as lists, single reads and filters tell it, the counts, and what the budget shows as held."""
    scope = Scope.of_member(member(1))
    reads = shop.world.reads
    page = await reads.wallet_page(member(1), query=WalletQuery(), page=PageRequest(first=10), scope=scope)
    (listed,) = [entry.state for entry in page.items]
    assert listed is page.items[0].whole.state
    for state in CouponState:
        query = WalletQuery(states=frozenset({state}))
        found = await reads.wallet_page(member(1), query=query, page=PageRequest(first=10), scope=scope)
        assert len(found.items) == (state is listed), state
    counts = (await reads.wallet_counts([member(1)], scope=scope))[member(1)]
    (campaign_id,) = [row["id"] for row in await shop.world.rows("SELECT id FROM campaigns")]
    budget = (await SqlCampaignReads(shop.world.database).budgets([campaign_id], scope=Scope.system()))[campaign_id]
    return listed.value, (counts.claimed, counts.reserved), budget.reserved_minor


async def test_a_hold_that_has_run_out_does_not_keep_a_till_waiting_for_the_sweeper(shop: Shop) -> None:
    coupon = await shop.coupon()
    held = await reserved(shop, coupon)
    shop.world.clock.advance(seconds=TTL_SECONDS)
    await shop.redeemed(coupon, ref="B1")
    assert await ended_as(shop, held) == "EXPIRED"
    assert await shop.events(WALLET) == ["CLAIMED", "RESERVED", "RELEASED", "REDEEMED"]


async def test_a_budget_that_is_held_by_what_has_run_out_is_free_for_others(shop: Shop) -> None:
    campaign_id = await shop.add_campaign(budget_minor=2000)
    template_id = await shop.world.published(campaign_id=campaign_id)
    theirs, mine = await shop.world.claimed(template_id, 1), await shop.world.claimed(template_id, 2)
    held = await reserved(shop, theirs)
    refused = await shop.redeem(mine)
    assert isinstance(refused, BudgetExhausted)
    assert (refused.required_minor, refused.funder) == (2000, None)
    shop.world.clock.advance(seconds=TTL_SECONDS)
    await shop.redeemed(mine)
    assert await ended_as(shop, held) == "EXPIRED"
    late = await try_pay(shop, held)
    assert isinstance(late, ReservationExpired)


async def test_a_coupon_may_expire_while_it_is_held_and_is_used_all_the_same(shop: Shop) -> None:
    coupon, other = await shop.coupon(), await shop.coupon()
    until = await shop.world.value("SELECT min(valid_until) FROM coupons")
    shop.world.clock.at = until - timedelta(seconds=60)
    first, second = await reserved(shop, coupon, ref="A1"), await reserved(shop, other, ref="A2")
    shop.world.clock.advance(seconds=120)
    await paid(shop, first)
    assert await shop.state(coupon) == "REDEEMED"
    await release(shop, second)
    assert isinstance(await try_reserve(shop, other, ref="A3"), CouponExpired)


# ── late ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("swept", [False, True])
async def test_blnk_42_a_late_payment_is_taken_while_nobody_else_has_the_capacity(
    shop: Shop,
    swept: bool,
) -> None:
    """blnk#42: a payment that arrives after the hold has expired."""
    campaign_id = await shop.add_campaign(budget_minor=2000)
    coupon = await shop.coupon(campaign_id=campaign_id)
    held = await reserved(shop, coupon)
    shop.world.clock.advance(seconds=TTL_SECONDS)
    if swept:
        await sweep(shop)
    done = await paid(shop, held)
    assert done.late_capture
    assert await shop.budget() == (0, 0, 2000)
    assert await shop.events(WALLET) == ["CLAIMED", "RESERVED", "RELEASED", "REDEEMED"]
    again = await paid(shop, held)
    assert (again.late_capture, again.repeated, again.redemption_ids) == (True, True, done.redemption_ids)
    assert await ended_as(shop, held) == "REDEEMED"


@pytest.mark.parametrize("taken", ["used", "held", "expired", "budget"])
async def test_what_others_took_in_the_meantime_is_not_captured_late(shop: Shop, taken: str) -> None:
    campaign_id = await shop.add_campaign(budget_minor=2000)
    template_id = await shop.world.published(campaign_id=campaign_id, limit_per_member=2)
    coupon = await shop.world.claimed(template_id)
    other = await shop.world.claimed(template_id)
    held = await reserved(shop, coupon)
    shop.world.clock.advance(seconds=TTL_SECONDS)
    expired_at = shop.world.clock.at
    if taken == "used":
        await shop.redeemed(coupon, ref="B1")
    elif taken == "held":
        await reserved(shop, coupon, ref="B1")
    elif taken == "budget":
        await shop.redeemed(other, ref="B1")
    else:
        shop.world.clock.advance(days=8)
    refused = await try_pay(shop, held)
    assert isinstance(refused, ReservationExpired)
    assert refused.expired_at == expired_at
    assert await shop.world.value("SELECT count(*) FROM orders WHERE order_ref = 'A1'") == 0
    assert await ended_as(shop, held) == "EXPIRED"


# ── the same order again ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_saleor_7588_completing_an_order_twice_redeems_once(shop: Shop) -> None:
    """saleor#7588: a voucher's usage was counted at each completion of one checkout."""
    campaign_id = await shop.add_campaign(budget_minor=20000)
    held = await reserved(shop, await shop.coupon(campaign_id=campaign_id))
    first = await try_pay(shop, held, key="one")
    again = await try_pay(shop, held, key="two")
    assert isinstance(first, Done)
    assert isinstance(again, Done)
    assert again.result.redemption_ids == first.result.redemption_ids
    assert again.result.repeated
    assert await shop.budget() == (18000, 0, 2000)
    assert await shop.world.value("SELECT count(*) FROM redemptions") == 1


async def test_saleor_8219_a_completion_that_failed_part_way_leaves_the_use_as_it_was(shop: Shop) -> None:
    """saleor#8219: a voucher stayed used although the completion of the checkout had failed."""
    coupon = await shop.coupon()
    held = await reserved(shop, coupon)
    await shop.world.database.pool.execute(
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'down'; END $$;"
        "CREATE TRIGGER fail BEFORE INSERT ON redemptions FOR EACH ROW EXECUTE FUNCTION fail()"
    )
    with pytest.raises(Exception, match="down"):
        await try_pay(shop, held)
    assert await shop.state(coupon) == "RESERVED"
    await shop.world.database.pool.execute("DROP TRIGGER fail ON redemptions; DROP FUNCTION fail")
    assert not (await paid(shop, held)).repeated


async def test_an_order_that_is_paid_reserves_nothing_more(shop: Shop) -> None:
    coupon, other = await shop.coupon(), await shop.coupon()
    await paid(shop, await reserved(shop, coupon))
    refused = await try_reserve(shop, other)
    assert isinstance(refused, InvalidStateChange)
    assert (refused.current, refused.wanted) == ("PAID", "RESERVED")


# ── what cannot be held ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_cannot_act_is_not_held(shop: Shop) -> None:
    coupon, rival = await shop.coupon(), await shop.coupon()
    assert isinstance(await try_reserve(shop, coupon, given=cart(5000)), NotEligible)
    conflict = await try_reserve(shop, coupon, rival)
    assert isinstance(conflict, StackingConflict)
    assert {conflict.coupon.coupon_id, conflict.conflicts_with.coupon_id} == {coupon.coupon_id, rival.coupon_id}
    missing = await try_reserve(shop, coupon, member_id=member(2))
    assert isinstance(missing, NotFound)
    shop.world.clock.advance(days=30)
    assert isinstance(await try_reserve(shop, coupon), CouponExpired)
    assert await shop.world.value("SELECT count(*) FROM reservations") == 0


async def test_a_price_that_is_not_the_one_shown_is_told(shop: Shop) -> None:
    coupon = await shop.coupon()
    shown = await try_reserve(shop, coupon, quote_token="q1.1.nonsense")
    assert isinstance(shown, QuoteChanged)
    assert shown.quote.payable_minor == 10000
    assert isinstance(await try_reserve(shop, coupon, quote_token=token_of(shown.quote)), Done)
    other = await try_reserve(shop, coupon, quote_token=token_of(shown.quote), given=cart(13000))
    assert isinstance(other, QuoteChanged)


@pytest.mark.parametrize(
    "wrong", [{"ttl_seconds": 9}, {"ttl_seconds": 86_401}, {"points": -1}, {"coupon_ids": []}], ids=str
)
async def test_a_reservation_of_nothing_or_for_no_sensible_time_is_refused(shop: Shop, wrong: dict[str, Any]) -> None:
    coupon = await shop.coupon()
    with pytest.raises(BadUserInput):
        reserve([coupon], **wrong)


async def test_a_key_is_used_for_one_reservation(shop: Shop) -> None:
    coupon = await shop.coupon()
    await reserved(shop, coupon, key="mine")
    command = reserve([coupon], key="mine")
    other = type(command.once)(command.once.caller_id, "reserveCoupons", "mine", b"2".ljust(32))
    assert isinstance(await try_reserve(shop, coupon, once=other), IdempotencyKeyReused)
