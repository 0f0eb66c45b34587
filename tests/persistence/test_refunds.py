"""Refunds in the database: money, coupons, budgets, points, tiers, events, each to the unit."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from domain.coupons.cart import Cart, CartLine
from domain.coupons.drafts import ConditionsDraft, StackingDraft
from domain.coupons.model import RefundPolicy
from domain.orders.errors import NotEligible, RefundExceedsOrder
from domain.orders.model import OrderRecorded, OrderState
from domain.orders.rules import Seller
from domain.orders.use_cases import release_points
from domain.points.errors import InsufficientPoints
from domain.points.ledger import live_lots, open_account, post
from domain.points.rules import spend
from domain.shared.errors import BadUserInput, IdempotencyKeyReused, InvalidStateChange, NotFound
from domain.shared.idempotency import Done
from domain.shared.principal import Scope
from tests.coupon_world import PROGRAMME, member, merchant
from tests.order_world import Shop, cart, shop, till
from tests.published_templates import change_published
from tests.refund_world import receive_and_release, refund, refunded
from tests.reservation_world import paid, reserved, try_reserve

__all__ = ["shop"]

PAID, RECEIVED, CANCELLED = OrderState.PAID, OrderState.RECEIVED, OrderState.CANCELLED
TWO_OF_6000 = cart(6000, 6000)


def units(count: int, price_minor: int) -> Cart:
    return Cart("CNY", (CartLine("l0", "p0", merchant(1), count, price_minor),))


async def tier_metric(shop: Shop) -> int:
    return int(await shop.world.value("SELECT coalesce(sum(amount), 0) FROM tier_metric_days"))


async def spent_of_budgets(shop: Shop) -> int:
    return int(await shop.world.value("SELECT sum(redeemed_minor) FROM budget_accounts WHERE funder = 'ALL'"))


async def spend_points(shop: Shop, points: int) -> None:
    """Spends points on nothing in particular."""
    async with shop.world.database.begin(Scope.system()) as tx:
        account = await open_account(tx, member(1))
        entry = spend(points, lots=await live_lots(tx, member(1)), debt=account.debt, at=tx.now)
        await post(tx, account, entry, reason="spent")


async def debt(shop: Shop) -> int:
    return int(await shop.world.value("SELECT coalesce(sum(debt), 0) FROM points_accounts"))


@pytest.mark.parametrize(
    ("policy", "paid_back", "due", "state"),
    [
        ("KEEP_ALLOCATION", 5000, 0, "REDEEMED"),
        ("REPRICE", 4000, 0, "CLAIMED"),
        ("CLAWBACK", 5000, 1000, "REDEEMED"),
    ],
)
async def test_one_of_two_lines_is_refunded_by_the_policy_of_its_coupon(
    shop: Shop, policy: str, paid_back: int, due: int, state: str
) -> None:
    coupon = await shop.coupon(refund_policy=RefundPolicy[policy])
    await shop.redeemed(coupon, ref="A1", given=TWO_OF_6000)
    done = await refunded(shop, "A1", {"l0": 1})
    assert (done.refund_minor, done.receivable_minor) == (paid_back, due)
    assert done.restored == ((coupon.coupon_id,) if state == "CLAIMED" else ())
    assert await shop.state(coupon) == state
    assert done.points_clawed_back == paid_back // 100
    assert await shop.world.value("SELECT refunded_minor FROM orders") == paid_back
    await shop.consistent()
    rest = await refunded(shop, "A1")
    assert (rest.refund_minor, rest.receivable_minor) == (10000 - paid_back, -due)
    assert await shop.state(coupon) == "CLAIMED"
    assert await shop.world.value("SELECT coalesce(sum(amount_minor), 0) FROM receivables") == 0
    assert await shop.events("wallet") == ["CLAIMED", "REDEEMED", "RESTORED"]
    told = ["REVERSED"] if policy == "REPRICE" else ["REFUNDED", "REVERSED"]
    assert await shop.events("redemptions") == ["REDEEMED", *told]


async def test_the_policy_is_that_of_the_redemption(shop: Shop) -> None:
    coupon = await shop.coupon(refund_policy=RefundPolicy.REPRICE)
    await shop.redeemed(coupon, ref="A1", given=TWO_OF_6000)
    await change_published(shop.world.database.pool, "UPDATE coupon_templates SET refund_policy = 'KEEP_ALLOCATION'")
    assert (await refunded(shop, "A1", {"l0": 1})).refund_minor == 4000
    await change_published(shop.world.database.pool, "UPDATE coupon_templates SET refund_policy = 'REPRICE'")


async def test_units_of_a_line_are_refunded_one_by_one(shop: Shop) -> None:
    coupon = await shop.coupon(kind="AMOUNT_OFF", terms={"amountMinor": 1000})
    await shop.redeemed(coupon, ref="A1", given=units(3, 4000))
    given = []
    for _ in range(3):
        given.append((await refunded(shop, "A1", {"l0": 1})).refund_minor)
        await shop.consistent()
    assert given == [3667, 3666, 3667]
    rows = await shop.world.rows(
        "SELECT d.amount_minor FROM refund_discounts d JOIN refunds r ON r.id = d.refund_id ORDER BY r.ordinal"
    )
    assert [row["amount_minor"] for row in rows] == [333, 334, 333]
    assert await shop.world.value("SELECT refunded_quantity FROM order_lines") == 3


async def test_points_of_100_yuan_are_taken_back_as_34_33_33_from_what_is_promised(shop: Shop) -> None:
    await shop.recorded("A1", PAID, given=cart(3333, 3333, 3334))
    taken = []
    for line in ("l0", "l1", "l2"):
        taken.append((await refunded(shop, "A1", {line: 1})).points_clawed_back)
        await shop.consistent()
    assert taken == [34, 33, 33]
    assert (await shop.pending(), await shop.available(), await shop.events("points")) == (0, 0, [])
    assert await shop.recorded("A1", RECEIVED) == OrderRecorded("A1", RECEIVED, 0, 0, repeated=False)


async def test_what_is_left_of_a_promise_is_released_when_it_is_due(shop: Shop) -> None:
    await shop.recorded("A1", PAID, given=cart(3333, 3333, 3334))
    await refunded(shop, "A1", {"l0": 1})
    await shop.recorded("A1", RECEIVED)
    await refunded(shop, "A1", {"l1": 1})
    shop.world.clock.advance(days=8)
    await release_points(begin=lambda: shop.world.database.begin(Scope.system()))
    assert (await shop.pending(), await shop.available(), await tier_metric(shop)) == (0, 33, 33)


async def test_released_points_are_taken_from_the_orders_own_lot_and_then_owed(shop: Shop) -> None:
    for ref in ("A1", "A2"):
        await shop.recorded(ref, PAID, given=cart(6000, 6000))
        await receive_and_release(shop, ref)
    assert (await shop.available(), await tier_metric(shop)) == (240, 240)
    # Both orders' lots are spent from, the first one's wholly.
    await spend_points(shop, 150)
    assert (await refunded(shop, "A2", {"l0": 1})).points_clawed_back == 60
    assert (await shop.available(), await debt(shop), await tier_metric(shop)) == (30, 0, 180)
    assert (await refunded(shop, "A1", {"l0": 1})).points_clawed_back == 60
    assert (await shop.available(), await debt(shop), await tier_metric(shop)) == (30, 60, 120)
    assert (await refunded(shop, "A2")).points_clawed_back == 60
    assert (await shop.available(), await debt(shop), await tier_metric(shop)) == (0, 90, 60)
    assert (await shop.events("points"))[-2:] == ["CLAWBACK", "CLAWBACK"]
    await shop.recorded("A3", PAID, given=cart(10000))
    await receive_and_release(shop, "A3")
    assert (await shop.available(), await debt(shop)) == (10, 0), "what is earned repays what is owed first"


async def test_points_that_expired_unused_are_not_owed_when_their_order_is_refunded(shop: Shop) -> None:
    await shop.recorded("A1", PAID, given=cart(6000, 3000, 3000))
    await receive_and_release(shop, "A1")
    await spend_points(shop, 50)
    shop.world.clock.advance(days=800)
    outcomes = []
    for line in ("l0", "l1", "l2"):
        taken = (await refunded(shop, "A1", {line: 1})).points_clawed_back
        outcomes.append((taken, await debt(shop)))
        await shop.consistent()
    # Of 120 points 70 expired: those are lost already. The 50 that were spent are owed.
    assert outcomes == [(60, 0), (30, 20), (30, 50)]
    assert (await shop.available(), await tier_metric(shop)) == (0, 0)
    posted = "SELECT account, sum(amount)::int AS points FROM points_postings GROUP BY account ORDER BY account"
    assert {row["account"]: row["points"] for row in await shop.world.rows(posted)} == {
        "AVAILABLE": 0, "PENDING": 0, "DEBT": -50, "ISSUED": 0, "SPENT": 50, "EXPIRED": 0,
    }  # fmt: skip


async def test_while_points_are_owed_none_are_held_for_an_order(shop: Shop) -> None:
    for ref in ("A1", "A2"):
        await shop.recorded(ref, PAID, given=cart(6000, 6000))
        await receive_and_release(shop, ref)
    await spend_points(shop, 150)
    await refunded(shop, "A1", {"l0": 1})
    assert (await shop.available(), await debt(shop)) == (90, 60)
    refused = await try_reserve(shop, ref="A3", points=10)
    assert isinstance(refused, InsufficientPoints)
    assert (refused.required, refused.available, refused.shortfall) == (10, 0, 70)


async def test_a_refund_lowers_the_metric_of_the_day_it_was_earned_and_the_tier_is_kept(shop: Shop) -> None:
    await shop.recorded("A1", PAID, given=cart(60000, 60000))
    await receive_and_release(shop, "A1")
    assert await shop.world.value("SELECT tier_code FROM member_tiers") == "SILVER"
    shop.world.clock.advance(days=30)
    await refunded(shop, "A1", {"l0": 1})
    rows = await shop.world.rows("SELECT on_date, amount FROM tier_metric_days")
    assert [(row["on_date"], row["amount"]) for row in rows] == [(date(2026, 6, 1), 600)]
    assert await shop.world.value("SELECT tier_code FROM member_tiers") == "SILVER", "until its keep is over"


async def test_a_refund_gives_each_budget_its_part_back(shop: Shop) -> None:
    campaign_id = await shop.add_campaign(budget_minor=2000)
    coupon = await shop.coupon(campaign_id=campaign_id)
    await shop.redeemed(coupon, ref="A1", given=units(3, 4000))
    left = []
    for _ in range(3):
        await refunded(shop, "A1", {"l0": 1})
        await shop.consistent()
        left.append(await spent_of_budgets(shop))
    assert left == [1333, 667, 0]


async def test_a_full_refund_restores_the_coupon_with_its_original_validity(shop: Shop) -> None:
    coupon = await shop.coupon()
    until = await shop.world.value("SELECT valid_until FROM coupons")
    await shop.redeemed(coupon, ref="A1")
    shop.world.clock.at = until - timedelta(seconds=1)
    assert (await refunded(shop, "A1")).restored == (coupon.coupon_id,)
    assert await shop.state(coupon) == "CLAIMED"
    assert await shop.world.value("SELECT valid_until FROM coupons") == until


async def test_a_coupon_whose_time_is_over_comes_back_expired(shop: Shop) -> None:
    coupon = await shop.coupon()
    await shop.redeemed(coupon, ref="A1")
    shop.world.clock.advance(days=7)
    assert (await refunded(shop, "A1")).restored == (coupon.coupon_id,)
    assert await shop.state(coupon) == "EXPIRED"
    assert await shop.events("wallet") == ["CLAIMED", "REDEEMED", "EXPIRED"]


async def test_the_same_units_are_refused_twice_and_the_same_key_is_answered_twice(shop: Shop) -> None:
    await shop.recorded("A1", PAID, given=units(3, 4000))
    first = await refund(shop, "A1", {"l0": 2}, key="mine")
    again = await refund(shop, "A1", {"l0": 2}, key="mine")
    assert isinstance(first, Done)
    assert again == replace(first, replayed=True)
    assert isinstance(await refund(shop, "A1", {"l0": 1}, key="mine"), IdempotencyKeyReused)
    refused = await refund(shop, "A1", {"l0": 2})
    assert isinstance(refused, RefundExceedsOrder)
    assert (refused.line_id, refused.requested, refused.remaining) == ("l0", 2, 1)
    assert isinstance(await refund(shop, "A1", {"l9": 1}), NotFound)
    await refunded(shop, "A1")
    assert isinstance(await refund(shop, "A1"), RefundExceedsOrder)
    assert await shop.world.value("SELECT refunded_minor FROM orders") == 12000
    for nothing in ({}, {"l0": 0}):
        with pytest.raises(BadUserInput):
            await refund(shop, "A1", nothing)


async def test_a_refund_is_answered_again_though_another_merchant_has_an_order_of_that_name_by_now(shop: Shop) -> None:
    stores = [await shop.add_store(number, of=number) for number in (1, 2)]
    both = Seller(Scope(everything=False, member_id=None, merchant_ids=(merchant(1), merchant(2))))
    carts = [cart(12000, of=merchant(number), store_id=store) for number, store in zip((1, 2), stores, strict=True)]
    await shop.recorded("1001", PAID, seller=both, given=carts[0])
    first = await refund(shop, "1001", seller=both, key="mine")
    assert isinstance(first, Done)
    await shop.recorded("1001", PAID, seller=both, given=carts[1])
    assert await refund(shop, "1001", seller=both, key="mine") == replace(first, replayed=True)
    assert isinstance(await refund(shop, "1001", {"l0": 1}, seller=both, key="mine"), IdempotencyKeyReused)
    with pytest.raises(BadUserInput, match="several of your merchants"):
        await refund(shop, "1001", seller=both)


async def test_a_refunded_order_is_cancelled_for_what_is_left_of_it(shop: Shop) -> None:
    coupon = await shop.coupon()
    await shop.redeemed(coupon, ref="A1", given=TWO_OF_6000)
    await refunded(shop, "A1", {"l0": 1})
    assert await shop.recorded("A1", CANCELLED) == OrderRecorded("A1", CANCELLED, 0, 0, repeated=False)
    assert await shop.world.value("SELECT refunded_minor FROM orders") == 10000
    assert await shop.state(coupon) == "CLAIMED"
    refused = await refund(shop, "A1")
    assert isinstance(refused, InvalidStateChange)
    assert (refused.current, refused.wanted) == ("CANCELLED", "REFUNDED")


async def test_a_wholly_refunded_order_is_received_or_cancelled_and_nothing_more_happens(shop: Shop) -> None:
    for ref, state in (("A1", RECEIVED), ("A2", CANCELLED)):
        await shop.recorded(ref, PAID)
        await refunded(shop, ref)
        assert await shop.recorded(ref, state) == OrderRecorded(ref, state, 0, 0, repeated=False)
    assert await shop.world.value("SELECT sum(amount_minor) FROM refunds") == 24000


async def test_shipping_is_refunded_with_the_last_unit(shop: Shop) -> None:
    await shop.recorded("A1", PAID, given=cart(1000, 1000, shipping_minor=800))
    assert [(await refunded(shop, "A1", {line: 1})).refund_minor for line in ("l0", "l1")] == [1000, 1800]


async def test_a_till_refunds_the_orders_of_its_own_stores_alone(shop: Shop) -> None:
    here, there = await shop.add_store(1), await shop.add_store(2)
    await shop.recorded("1001", PAID, seller=till(1, here), given=cart(store_id=here))
    await shop.recorded("A1", PAID)
    for ref, seller in (("A1", till(1)), ("1001", till(2)), ("1001", till(1, there)), ("A9", till(1))):
        refused = await refund(shop, ref, seller=seller)
        assert isinstance(refused, NotFound), (ref, seller)
        assert refused.noun == "Order"
    assert isinstance(await refund(shop, "1001"), NotFound), "the order system has its own references"
    assert (await refunded(shop, "1001", seller=till(1, here))).refund_minor == 12000


async def test_an_order_that_was_brought_in_is_refunded_in_proportion(shop: Shop) -> None:
    await shop.recorded("A1", PAID, given=cart(3333, 3333, 3334, shipping_minor=500))
    await shop.world.database.pool.execute(
        "UPDATE orders SET quote = NULL, discount_minor = 999, paid_minor = paid_minor - 999"
    )
    await shop.world.database.pool.execute(
        "UPDATE order_lines SET discount_minor = 333, payable_minor = payable_minor - 333"
    )
    given = [await refunded(shop, "A1", {line: 1}) for line in ("l0", "l1", "l2")]
    assert [one.refund_minor for one in given] == [3000, 3000, 3001 + 500]
    assert sum(one.points_clawed_back for one in given) == 100


async def test_an_order_whose_quote_has_no_terms_keeps_its_allocation(shop: Shop) -> None:
    await shop.redeemed(await shop.coupon(refund_policy=RefundPolicy.REPRICE), ref="A1", given=TWO_OF_6000)
    await shop.world.database.pool.execute("UPDATE orders SET quote = quote - 'terms'")
    done = await refunded(shop, "A1", {"l0": 1})
    assert (done.refund_minor, done.points_clawed_back) == (5000, 50)


async def test_conditions_on_the_member_are_not_asked_again_when_the_rest_is_priced_anew(shop: Shop) -> None:
    newcomers = ConditionsDraft({"firstOrder": True}, zone=PROGRAMME.zone)
    coupon = await shop.coupon(refund_policy=RefundPolicy.REPRICE, conditions=newcomers)
    await shop.redeemed(coupon, ref="A1", given=cart(10000, 5000))
    await shop.recorded("A2", PAID)
    assert (await refunded(shop, "A1", {"l1": 1})).refund_minor == 4333, "the rest qualifies, and keeps its part"
    assert (await refunded(shop, "A1")).restored == (coupon.coupon_id,)


async def test_validity_and_hours_are_those_of_the_payment_when_the_rest_is_priced_anew(shop: Shop) -> None:
    noon = ConditionsDraft({"timeOfDay": {"from": "11:00", "until": "14:00"}}, zone=PROGRAMME.zone)
    coupon = await shop.coupon(refund_policy=RefundPolicy.REPRICE, conditions=noon)
    await shop.redeemed(coupon, ref="A1", given=cart(10000, 5000))
    shop.world.clock.advance(days=20, hours=9)
    assert (await refunded(shop, "A1", {"l1": 1})).refund_minor == 4333


async def test_a_foreign_currency_is_refunded_without_points(shop: Shop) -> None:
    await shop.recorded("A1", PAID, given=Cart(currency="USD", lines=cart(5000, 5000).lines))
    done = await refunded(shop, "A1", {"l0": 1})
    assert (done.refund_minor, done.points_clawed_back, done.currency) == (5000, 0, "USD")


async def test_an_order_that_came_back_whole_is_no_first_order_and_one_of_which_a_unit_stays_is(shop: Shop) -> None:
    newcomers = ConditionsDraft({"firstOrder": True}, zone=PROGRAMME.zone)
    first, second = [await shop.coupon(conditions=newcomers) for _ in range(2)]
    await shop.redeemed(first, ref="A1", given=cart(10000, 5000))
    await refunded(shop, "A1", {"l0": 1})
    assert isinstance(await shop.redeem(second, ref="A2"), NotEligible)
    await refunded(shop, "A1")
    await shop.redeemed(second, ref="A2")


async def test_a_coupon_that_was_given_back_takes_no_part_in_later_refunds(shop: Shop) -> None:
    def rank(priority: int) -> StackingDraft:
        return StackingDraft(tags=("t",), combines_with_tags=("t",), priority=priority)

    first, second, third = [
        await shop.coupon(
            terms={"thresholdMinor": threshold, "amountMinor": amount}, stacking=rank(priority), refund_policy=policy
        )
        for threshold, amount, priority, policy in (
            (8000, 3000, 30, RefundPolicy.KEEP_ALLOCATION),
            (7000, 2000, 20, RefundPolicy.REPRICE),
            (5600, 400, 10, RefundPolicy.REPRICE),
        )
    ]
    await paid(shop, await reserved(shop, first, second, third, given=cart(7500, 3000, 1500)))
    done = await refunded(shop, "A1", {"l1": 1})
    assert (done.refund_minor, done.restored) == (150, (second.coupon_id,))
    done = await refunded(shop, "A1", {"l2": 1})
    # Of 7500 the third takes its 400 still: the second, which would take 2000 before it, is gone.
    assert (done.refund_minor, done.restored) == (1075, ())
    assert [await shop.state(one) for one in (first, second, third)] == ["REDEEMED", "CLAIMED", "REDEEMED"]
    assert (await refunded(shop, "A1")).refund_minor == 5375
