from dataclasses import replace
from datetime import timedelta

import pytest

from domain.coupons.cart import Cart, CartLine, Channel
from domain.coupons.drafts import ScopeDraft
from domain.coupons.offer import CouponState, Funder, FunderShare
from domain.orders.errors import BudgetExhausted, CouponExpired, CouponNotUsable, NotEligible, RedemptionCodeExpired
from domain.orders.model import ORDER_SYSTEM, OrderKey, OrderRecorded, OrderState, RedemptionKey
from domain.orders.use_cases import RedeemCoupons, redeem_coupons
from domain.shared.errors import BadUserInput, IdempotencyKeyReused, InvalidStateChange, NotFound
from domain.shared.idempotency import Done
from domain.shared.paging import PageRequest
from domain.shared.principal import Scope
from persistence.base import on_statement
from persistence.orders.reads import SqlOrderReads
from tests.coupon_world import NAMES, member, merchant, once
from tests.order_world import SERVICE, TOKENS, Shop, cart, shop, store, till
from tests.queries import names_into
from tests.refund_world import refunded

__all__ = ["shop"]

PAID, RECEIVED, CANCELLED = OrderState.PAID, OrderState.RECEIVED, OrderState.CANCELLED
FIRST = PageRequest(10)


# ── redeem ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_redemption_uses_the_coupon_records_the_order_and_promises_points(shop: Shop) -> None:
    coupon = await shop.coupon()
    done = await shop.redeemed(coupon, ref="A1", given=cart(8000, 4000, shipping_minor=500))
    assert await shop.state(coupon) == "REDEEMED"
    reads = SqlOrderReads(shop.world.database)
    order = await reads.order_by_key(OrderKey(member(1), done.result.order_id), scope=Scope.system())
    assert order is not None
    assert (order.state, order.ref.source_id, order.ref.ref) == (PAID, ORDER_SYSTEM, "A1")
    assert (order.subtotal_minor, order.discount_minor, order.shipping_minor, order.paid_minor) == (
        12000,
        2000,
        500,
        10500,
    )
    assert order.points_pending == 100, "shipping earns nothing"
    assert await shop.pending() == 100
    lines = await shop.world.rows("SELECT * FROM order_lines ORDER BY position")
    assert [(line["discount_minor"], line["payable_minor"]) for line in lines] == [(1333, 6667), (667, 3333)]
    key = RedemptionKey(member(1), done.result.redemption_ids[0])
    redemption = (await reads.redemptions_by_key([key], scope=Scope.system()))[key]
    assert (redemption.discount_minor, redemption.merchant_id) == (2000, merchant(1)), "the cart's only merchant"
    assert await shop.events("wallet") == ["CLAIMED", "REDEEMED"]
    assert await shop.events("redemptions") == ["REDEEMED"]


async def test_the_shares_of_a_redemption_are_exact_to_the_fen(shop: Shop) -> None:
    funders = [FunderShare(Funder.PLATFORM, 5000), FunderShare(Funder.MERCHANT, 5000)]
    coupon = await shop.coupon(kind="AMOUNT_OFF", terms={"amountMinor": 1001}, funders=funders)
    await shop.redeemed(coupon, given=cart(1000, 1000, 1000))
    (row,) = await shop.world.rows("SELECT shares, discount_minor FROM redemptions")
    assert row["discount_minor"] == 1001
    assert row["shares"] == {"PLATFORM": 501, "MERCHANT": 500}


async def test_categories_of_a_line_are_kept(shop: Shop) -> None:
    line = CartLine("a", "tea", merchant(1), 2, 10000, category_refs=frozenset({"drinks", "green"}))
    plain = CartLine("b", "cup", merchant(1), 1, 100)
    await shop.recorded("A1", PAID, given=Cart(currency="CNY", lines=(line, plain)))
    rows = await shop.world.rows("SELECT category_refs, quantity FROM order_lines ORDER BY position")
    assert [(row["category_refs"], row["quantity"]) for row in rows] == [(["drinks", "green"], 2), ([], 1)]


async def test_a_coupon_is_used_once(shop: Shop) -> None:
    coupon = await shop.coupon()
    await shop.redeemed(coupon)
    refused = await shop.redeem(coupon)
    assert isinstance(refused, CouponNotUsable)
    assert refused.state is CouponState.REDEEMED
    assert await shop.world.value("SELECT count(*) FROM orders") == 1


async def test_vendure_5278_a_coupon_that_takes_nothing_off_is_refused_and_stays_claimed(shop: Shop) -> None:
    # https://github.com/vendure-ecommerce/vendure/issues/5278: there the coupon was used up all the same.
    free_shipping = await shop.coupon(kind="FREE_SHIPPING", terms={})
    refused = await shop.redeem(free_shipping, given=cart(12000))
    assert isinstance(refused, NotEligible)
    assert [one.name for one in refused.eligibility.because.children if not one.passed] == ["effect"]
    assert (await shop.state(free_shipping), await shop.events("wallet")) == ("CLAIMED", ["CLAIMED"])
    assert await shop.world.value("SELECT count(*) FROM orders") == 0
    await shop.redeemed(free_shipping, given=cart(12000, shipping_minor=500))
    assert await shop.state(free_shipping) == "REDEEMED"


async def test_an_expired_coupon_is_refused_swept_or_not(shop: Shop) -> None:
    coupon = await shop.coupon()
    shop.world.clock.advance(days=7)
    assert isinstance(await shop.redeem(coupon), CouponExpired)
    assert await shop.world.value("SELECT count(*) FROM events WHERE stream = 'wallet'") == 1


async def test_a_code_that_is_too_old_is_refused_and_a_repeat_of_what_was_done_is_not(shop: Shop) -> None:
    first, second = await shop.coupon(), await shop.coupon()
    tokens = [shop.token(one) for one in (first, second)]
    done = await shop.redeemed(first, ref="A1", token=tokens[0], key="mine")
    shop.world.clock.advance(seconds=60)
    assert isinstance(await shop.redeem(second, token=tokens[1]), RedemptionCodeExpired)
    assert await shop.redeemed(first, ref="A1", token=tokens[0], key="mine") == replace(done, replayed=True)


async def test_what_is_no_code_of_ours_is_not_found(shop: Shop) -> None:
    coupon = await shop.coupon()
    for token in ("", "lrt1.", "x" * 160, shop.token(coupon)[:-1] + "="):
        refused = await shop.redeem(coupon, token=token)
        assert isinstance(refused, NotFound)
        assert refused.noun == "RedemptionCode"
    forged = replace(coupon, member_id=member(2))
    assert isinstance(await shop.redeem(forged), NotFound), "signed, but not a coupon of that member"


async def test_a_cart_that_does_not_qualify_is_refused_with_the_proof(shop: Shop) -> None:
    coupon = await shop.coupon()
    refused = await shop.redeem(coupon, given=cart(9000))
    assert isinstance(refused, NotEligible)
    assert refused.eligibility.shortfall_minor == 1000
    assert await shop.state(coupon) == "CLAIMED"
    assert await shop.world.value("SELECT count(*) FROM order_directory") == 0


async def test_a_key_is_answered_again_and_refused_with_another_input(shop: Shop) -> None:
    coupon = await shop.coupon()
    first = await shop.redeemed(coupon, ref="A1", key="mine")
    assert await shop.redeemed(coupon, ref="A1", key="mine") == replace(first, replayed=True)
    other = once(NAMES, key="mine", mutation="redeemCoupons", content=b"2")
    command = RedeemCoupons("A1", shop.token(coupon), cart(), None, SERVICE, other)
    with pytest.raises(IdempotencyKeyReused):
        await redeem_coupons(command, begin=shop.world.database.begin, tokens=TOKENS)


# ── the same order again ────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_second_completion_of_an_order_is_no_second_use(shop: Shop) -> None:
    coupon = await shop.coupon()
    first = await shop.redeemed(coupon, ref="A1")
    second = await shop.redeemed(coupon, ref="A1")
    assert second.result == replace(first.result, repeated=True)
    assert await shop.pending() == 100
    assert await shop.world.value("SELECT count(*) FROM redemptions") == 1


async def test_saleor_7588_an_order_that_was_refunded_and_is_completed_again_is_answered_again(shop: Shop) -> None:
    """The order system may be late: what it tells again was done once, and what was given back stays given back."""
    coupon = await shop.coupon()
    first = await shop.redeemed(coupon, ref="A1", given=cart(10000, 5000))
    await refunded(shop, "A1", {"l1": 1})
    part = await shop.redeemed(coupon, ref="A1", given=cart(10000, 5000))
    await refunded(shop, "A1")
    whole = await shop.redeemed(coupon, ref="A1", given=cart(10000, 5000))
    assert part.result == whole.result == replace(first.result, repeated=True)
    assert await shop.state(coupon) == "CLAIMED"
    assert await shop.world.value("SELECT count(*) FROM redemptions") == 1
    await shop.recorded("A2", PAID)
    again = await shop.redeemed(coupon, ref="A3")
    assert not again.result.repeated, "the coupon is the member's to use again, for another order"
    await shop.consistent()


async def test_an_order_told_with_another_cart_coupon_or_member_is_refused(shop: Shop) -> None:
    coupon, other, foreign = await shop.coupon(), await shop.coupon(), await shop.coupon(2)
    await shop.redeemed(coupon, ref="A1")
    for outcome in (
        await shop.redeem(coupon, ref="A1", given=cart(12001)),
        await shop.redeem(other, ref="A1"),
        await shop.redeem(foreign, ref="A1"),
        await shop.record("A1", PAID, given=cart(13000)),
        await shop.record("A1", PAID, number=2),
    ):
        assert isinstance(outcome, InvalidStateChange), outcome
        assert outcome.current == "PAID"
    assert [await shop.state(one) for one in (other, foreign)] == ["CLAIMED", "CLAIMED"]


async def test_telling_that_a_redeemed_order_was_paid_changes_nothing(shop: Shop) -> None:
    await shop.redeemed(await shop.coupon(), ref="A1")
    told = await shop.recorded("A1", PAID)
    assert told == OrderRecorded("A1", PAID, 100, 0, repeated=True)


# ── tills ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_till_redeems_in_its_own_stores_alone(shop: Shop) -> None:
    mine, other = await shop.add_store(1), await shop.add_store(2)
    foreign = await shop.add_store(3, of=2)
    coupon = await shop.coupon()
    for place in (other, foreign, store(99)):
        refused = await shop.redeem(coupon, seller=till(1, mine), store_id=place)
        assert isinstance(refused, NotFound)
        assert refused.noun == "Store"
    await shop.redeemed(coupon, ref="1001", seller=till(1, mine), store_id=mine)
    (row,) = await shop.world.rows("SELECT source_id, store_id FROM orders")
    assert (row["source_id"], row["store_id"]) == (merchant(1), mine)
    (row,) = await shop.world.rows("SELECT merchant_id, store_id FROM redemptions")
    assert (row["merchant_id"], row["store_id"]) == (merchant(1), mine)


async def test_two_tills_may_have_an_order_of_the_same_number(shop: Shop) -> None:
    coupons = [await shop.coupon(), await shop.coupon(2)]
    await shop.redeemed(coupons[0], ref="1001", seller=till(1))
    await shop.redeemed(coupons[1], ref="1001", seller=till(2), given=cart(of=merchant(2)))
    assert await shop.world.value("SELECT count(*) FROM orders") == 2


async def test_a_till_sells_nothing_but_its_own_merchants_goods(shop: Shop) -> None:
    coupon = await shop.coupon()
    with pytest.raises(BadUserInput, match="own merchant"):
        await shop.redeem(coupon, seller=till(1), given=cart(of=merchant(2)))
    with pytest.raises(BadUserInput, match="name the store"):
        await shop.redeem(coupon, seller=till(1, store(1)))
    with pytest.raises(BadUserInput, match="storeId"):
        await shop.redeem(coupon, seller=till(1), store_id=store(1), given=cart(store_id=store(2)))


async def test_a_coupon_for_online_use_is_not_redeemed_at_a_till_whatever_the_cart_says(shop: Shop) -> None:
    coupon = await shop.coupon(scope=ScopeDraft(channels=[Channel.ONLINE]))
    assert isinstance(await shop.redeem(coupon, seller=till(1)), NotEligible)
    in_store = await shop.coupon(scope=ScopeDraft(channels=[Channel.IN_STORE]))
    await shop.redeemed(in_store, seller=till(1))


async def test_a_coupon_of_named_stores_is_used_in_those(shop: Shop) -> None:
    here, there = await shop.add_store(1), await shop.add_store(2)
    coupon = await shop.coupon(scope=ScopeDraft(store_ids=[here]))
    assert isinstance(await shop.redeem(coupon, store_id=there), NotEligible)
    assert isinstance(await shop.redeem(coupon), NotEligible)
    await shop.redeemed(coupon, store_id=here)


# ── budgets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_budget_pays_until_it_does_not_cover_a_discount(shop: Shop) -> None:
    campaign_id = await shop.add_campaign(budget_minor=5000)
    coupons = [await shop.coupon(campaign_id=campaign_id) for _ in range(3)]
    await shop.redeemed(coupons[0])
    await shop.redeemed(coupons[1], seller=till(1))
    refused = await shop.redeem(coupons[2])
    assert isinstance(refused, BudgetExhausted)
    assert refused.required_minor == 2000
    assert await shop.state(coupons[2]) == "CLAIMED"
    assert (await shop.budget())[2] == 4000


async def test_a_campaign_without_a_budget_pays_always_and_one_of_another_currency_never(shop: Shop) -> None:
    await shop.redeemed(await shop.coupon(campaign_id=await shop.add_campaign(budget_minor=None)))
    dollars = await shop.add_campaign(budget_minor=10**9, currency="USD", number=2)
    assert isinstance(await shop.redeem(await shop.coupon(campaign_id=dollars)), BudgetExhausted)


# ── the second wall, and its price ──────────────────────────────────────────────────────────────────────────────────


async def test_a_merchant_reads_what_was_redeemed_at_it_and_nothing_else(shop: Shop) -> None:
    here, there = await shop.add_store(1), await shop.add_store(2)
    mine, at_other, unused = await shop.coupon(), await shop.coupon(2), await shop.coupon()
    first = await shop.redeemed(mine, seller=till(1), store_id=here)
    await shop.redeemed(at_other, seller=till(2), given=cart(of=merchant(2)))
    reads, staff = SqlOrderReads(shop.world.database), till(1).scope
    pages = await reads.redemptions_of_merchants(
        [merchant(1), merchant(2)], store_ids=frozenset(), page=FIRST, scope=staff
    )
    assert [r.coupon_id for r in pages[merchant(1)].items] == [mine.coupon_id]
    assert pages[merchant(2)].items == []
    elsewhere = await reads.redemptions_of_merchants(
        [merchant(1)], store_ids=frozenset({there}), page=FIRST, scope=staff
    )
    assert elsewhere[merchant(1)].items == []
    keys = [r.coupon for page in pages.values() for r in page.items]
    assert len(await reads.redeemed_coupons(keys, scope=staff)) == 1
    for scope in (till(2).scope, Scope.of_member(member(2)), Scope.nobody()):
        assert await reads.redeemed_coupons(keys, scope=scope) == {}
    others = [replace(keys[0], coupon_id=unused.coupon_id), replace(keys[0], member_id=member(2))]
    assert await reads.redeemed_coupons(others, scope=staff) == {}
    for scope in (staff, Scope.of_member(member(2)), Scope.nobody()):
        key = OrderKey(member(1), first.result.order_id)
        assert await reads.order_by_key(key, scope=scope) is None
        assert await reads.quotable(member(1), coupon_ids=[mine.coupon_id], scope=scope) is None
    own = RedemptionKey(member(1), first.result.redemption_ids[0])
    for scope, count in ((staff, 1), (till(2).scope, 0), (Scope.of_member(member(1)), 1), (Scope.nobody(), 0)):
        assert len(await reads.redemptions_by_key([own], scope=scope)) == count


async def test_a_quote_reads_four_statements_whatever_the_number_of_coupons(shop: Shop) -> None:
    coupons = [await shop.coupon() for _ in range(5)]
    names: list[str] = []
    token = on_statement.set(names_into(names))
    try:
        found = await SqlOrderReads(shop.world.database).quotable(
            member(1), coupon_ids=[one.coupon_id for one in coupons], scope=Scope.of_member(member(1))
        )
    finally:
        on_statement.reset(token)
    assert found is not None
    assert len(found.held) == 5
    assert names == ["buyer_instant", "quoted_coupons", "templates_of_coupons", "tier_standings"]


async def test_the_best_is_searched_in_what_of_the_wallet_may_be_used_now(shop: Shop) -> None:
    live, used = await shop.coupon(), await shop.coupon()
    await shop.redeemed(used)
    reads = SqlOrderReads(shop.world.database)
    names: list[str] = []
    token = on_statement.set(names_into(names))
    try:
        found = await reads.quotable(member(1), coupon_ids=None, scope=Scope.of_member(member(1)))
    finally:
        on_statement.reset(token)
    assert found is not None
    assert list(found.held) == [live.coupon_id]
    assert names == ["buyer_instant", "quoted_wallet", "templates_of_coupons", "tier_standings"]
    at, change = found.at, "UPDATE coupons SET valid_from = $2, valid_until = $3 WHERE id = $1"
    (as_claimed,) = await shop.world.rows(
        "SELECT id, valid_from, valid_until FROM coupons WHERE id = $1", live.coupon_id
    )
    for valid_from, valid_until in ((at - timedelta(days=1), at), (at + timedelta(days=1), at + timedelta(days=2))):
        await shop.world.database.pool.execute(change, live.coupon_id, valid_from, valid_until)
        later = await reads.quotable(member(1), coupon_ids=None, scope=Scope.of_member(member(1)))
        assert later is not None
        assert later.held == {}
    assert await reads.quotable(member(1), coupon_ids=None, scope=Scope.of_member(member(2))) is None
    await shop.world.database.pool.execute(change, *as_claimed)


async def test_locks_are_taken_in_the_documented_order(shop: Shop) -> None:
    coupon = await shop.coupon(campaign_id=await shop.add_campaign(budget_minor=5000))
    names: list[str] = []
    token = on_statement.set(names_into(names))
    try:
        done = await shop.redeemed(coupon)
    finally:
        on_statement.reset(token)
    assert isinstance(done, Done)
    places = [
        "advance_streams",
        "lock_coupon",
        "redeem_coupon",
        "post_on_free_budget_shard",
        "lock_points_account",
        "insert_events",
    ]
    assert sorted(places, key=names.index) == places
    assert names[-1] == "record_receipt"
