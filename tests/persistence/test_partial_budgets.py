"""Budgets of which a coupon takes what there is: exactly what is left, however many draw from it at once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from domain.campaigns.model import RemainderPolicy
from domain.coupons.drafts import StackingDraft
from domain.coupons.model import CouponClaimed, RefundPolicy
from domain.coupons.offer import Funder, FunderShare
from domain.orders.errors import BudgetExhausted, QuoteChanged
from domain.orders.model import Order, OrderKey, OrderState, Quote
from domain.orders.offline import OfflineRedemption, SyncOfflineRedemptions, sync_offline_redemptions
from domain.orders.quote_tokens import token_of
from domain.orders.quotes import make_best_quote, make_quote
from domain.orders.reservation_model import ReservationKey
from domain.shared.idempotency import Done
from domain.shared.ids import CampaignId
from domain.shared.principal import Scope
from persistence.base import on_statement
from persistence.invariants import SqlInvariants
from persistence.orders.invariants import CHECKS
from persistence.orders.reads import SqlOrderReads
from tests.coupon_world import NAMES, once
from tests.order_world import TOKENS, Shop, campaign, cart, shop, shops_at_once, till
from tests.persistence.test_quote_room import quotable
from tests.queries import names_into
from tests.refund_world import refunded
from tests.reservation_world import TTL_SECONDS, paid, release, reserved, sweep, try_pay, try_reserve

__all__ = ["shop"]

PARTIAL = RemainderPolicy.PARTIAL
HALF = (FunderShare(Funder.PLATFORM, 5000), FunderShare(Funder.MERCHANT, 5000))
HUNDRED = {"kind": "AMOUNT_OFF", "terms": {"amountMinor": 100}, "limit_per_member": None}
TOGETHER = StackingDraft(tags=["t"], combines_with_tags=["t"], max_per_order=2)


@pytest.fixture
async def shops(database_url: str) -> AsyncIterator[list[Shop]]:
    async with shops_at_once(database_url, size=8, members=1) as made:
        yield made


def kinds(outcomes: Sequence[object]) -> Counter[str]:
    return Counter("done" if isinstance(outcome, Done) else type(outcome).__name__ for outcome in outcomes)


async def amounts(shop: Shop) -> Counter[int]:
    """What redemptions took off, and how many took as much."""
    return Counter(row[0] for row in await shop.world.rows("SELECT discount_minor FROM redemptions"))


async def held_amounts(shop: Shop) -> list[int]:
    rows = await shop.world.rows("SELECT discount_minor FROM reserved_coupons WHERE held ORDER BY 1")
    return [row[0] for row in rows]


async def order_of(shop: Shop, done: object) -> Order:
    assert isinstance(done, Done), done
    key = OrderKey(done.result.member_id, done.result.order_id)
    order = await SqlOrderReads(shop.world.database).order_by_key(key, scope=Scope.system())
    assert order is not None
    return order


def taken(quote: Quote | None) -> list[tuple[int, int | None]]:
    """What each coupon takes off, and what it would."""
    assert quote is not None
    return [(one.amount_minor, one.full_minor) for one in quote.applied]


async def partial(shop: Shop, budget_minor: int, **funders: Any) -> CampaignId:
    return await shop.add_campaign(budget_minor=budget_minor, remainder=PARTIAL, **funders)


# ── at once ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_of_50_redemptions_of_100_at_once_a_budget_of_1050_takes_ten_and_a_half(shops: list[Shop]) -> None:
    laurel = shops[0]
    template_id = await laurel.world.published(campaign_id=await partial(laurel, 1050), **HUNDRED)
    coupons = [await laurel.world.claimed(template_id, number) for number in range(50)]
    outcomes = await asyncio.gather(*(shops[n % 4].redeem(one) for n, one in enumerate(coupons)))
    assert kinds(outcomes) == {"done": 11, "BudgetExhausted": 39}
    assert await amounts(laurel) == {100: 10, 50: 1}
    assert await laurel.budget() == (0, 0, 1050)


async def test_the_part_of_a_funder_is_used_up_as_exactly(shops: list[Shop]) -> None:
    laurel = shops[0]
    campaign_id = await partial(laurel, 100_000, MERCHANT=525, PLATFORM=600)
    template_id = await laurel.world.published(campaign_id=campaign_id, funders=HALF, **HUNDRED)
    coupons = [await laurel.world.claimed(template_id, number) for number in range(50)]
    outcomes = await asyncio.gather(*(shops[n % 4].redeem(one) for n, one in enumerate(coupons)))
    assert kinds(outcomes) == {"done": 11, "BudgetExhausted": 39}
    # Of 51 the merchant bears 25, which is what it has left.
    assert await amounts(laurel) == {100: 10, 51: 1}
    assert await laurel.budget() == (100_000 - 1051, 0, 1051)
    assert (await laurel.budget("MERCHANT"), await laurel.budget("PLATFORM")) == ((0, 0, 525), (74, 0, 526))


async def test_orders_with_two_coupons_of_the_campaign_share_what_is_left(shops: list[Shop]) -> None:
    laurel = shops[0]
    template_id = await laurel.world.published(campaign_id=await partial(laurel, 1150), stacking=TOGETHER, **HUNDRED)
    pairs = [[await laurel.world.claimed(template_id, number) for _ in range(2)] for number in range(12)]
    outcomes = await asyncio.gather(
        *(try_reserve(shops[n % 4], *pair, ref=f"A{n}") for n, pair in enumerate(pairs)),
    )
    assert kinds(outcomes) == {"done": 6, "BudgetExhausted": 6}
    assert await held_amounts(laurel) == [50, *[100] * 11]
    assert await laurel.budget() == (0, 1150, 0)
    held = [(n, one.result) for n, one in enumerate(outcomes) if isinstance(one, Done)]
    keys = [(n, ReservationKey(one.member_id, one.reservation_id)) for n, one in held]
    done = await asyncio.gather(*(try_pay(shops[n % 4], key, ref=f"A{n}") for n, key in keys))
    assert kinds(done) == {"done": 6}
    assert (await laurel.budget(), await amounts(laurel)) == ((0, 0, 1150), {100: 11, 50: 1})


async def test_an_order_in_which_one_of_two_coupons_finds_nothing_left_is_refused_whole(shop: Shop) -> None:
    template_id = await shop.world.published(campaign_id=await partial(shop, 50), stacking=TOGETHER, **HUNDRED)
    pair = [await shop.world.claimed(template_id) for _ in range(2)]
    refused = await try_reserve(shop, *pair)
    assert isinstance(refused, BudgetExhausted)
    assert (await shop.budget(), [await shop.state(one) for one in pair]) == ((50, 0, 0), ["CLAIMED", "CLAIMED"])
    held = await reserved(shop, pair[0])
    assert await held_amounts(shop) == [50]
    await paid(shop, held)


async def test_reserving_paying_giving_up_and_scanning_at_once_leave_nothing_drawn_twice_or_lost(
    shops: list[Shop],
) -> None:
    laurel = shops[0]
    campaign_id = await partial(laurel, 1050, MERCHANT=700)
    template_id = await laurel.world.published(campaign_id=campaign_id, funders=HALF, stock=500, **HUNDRED)
    for round_ in range(4):
        coupons = [await laurel.world.claimed(template_id, 1 + n % 4) for n in range(16)]
        held = [await try_reserve(laurel, one, ref=f"A{round_}-{n}") for n, one in enumerate(coupons[:6])]
        laurel.world.clock.advance(seconds=TTL_SECONDS if round_ % 2 else 1)
        outcomes = await asyncio.gather(
            *(shops[n % 4].redeem(one, ref=f"B{round_}-{n}") for n, one in enumerate(coupons[6:])),
            *(try_reserve(shops[n % 4], one, ref=f"A{round_}-{n}") for n, one in enumerate(coupons[:6])),
            *(
                shops[n % 4].record(f"B{round_ - 1}-{n}", OrderState.CANCELLED, number=1 + (n + 6) % 4)
                for n in range(9)
            ),
            sweep(shops[1]),
            return_exceptions=True,
        )
        assert not any(isinstance(one, asyncpg.PostgresError | AssertionError) for one in [*held, *outcomes]), outcomes
    left, reserved_minor, redeemed_minor = await laurel.budget()
    assert left + reserved_minor + redeemed_minor == 1050


# ── by itself ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_till_takes_what_is_left_and_the_order_says_from_what_it_was_cut(shop: Shop) -> None:
    coupon = await shop.coupon(campaign_id=await partial(shop, 701))
    order = await order_of(shop, await shop.redeem(coupon, ref="A1", given=cart(8000, 4000)))
    assert taken(order.quote) == [(701, 2000)]
    assert order.quote is not None
    # 701 over 8000 and 4000: 467⅓ and 233⅔.
    assert [line.discount_minor for line in order.quote.lines] == [467, 234]
    assert (order.discount_minor, order.paid_minor) == (701, 11_299)
    assert await shop.budget() == (0, 0, 701)
    refused = await shop.redeem(await shop.coupon(campaign_id=campaign()))
    assert isinstance(refused, BudgetExhausted)
    assert refused.required_minor == 2000


@pytest.mark.parametrize("policy", RefundPolicy)
async def test_a_refund_gives_back_exactly_what_was_drawn(shop: Shop, policy: RefundPolicy) -> None:
    campaign_id = await partial(shop, 701, MERCHANT=351)
    coupon = await shop.coupon(campaign_id=campaign_id, funders=HALF, refund_policy=policy)
    await shop.redeemed(coupon, ref="A1", given=cart(8000, 4000, 1000))
    assert (await shop.budget(), await shop.budget("MERCHANT")) == ((0, 0, 701), (1, 0, 350))
    for line in ("l2", "l1", "l0"):
        await refunded(shop, "A1", {line: 1})
        await shop.consistent()
    assert (await shop.budget(), await shop.budget("MERCHANT")) == ((701, 0, 0), (351, 0, 0))
    assert await shop.state(coupon) == "CLAIMED"


async def test_what_was_reserved_in_part_is_paid_released_and_lapses_as_it_was_drawn(shop: Shop) -> None:
    template_id = await shop.world.published(campaign_id=await partial(shop, 2500), limit_per_member=None)
    coupons = [await shop.world.claimed(template_id) for _ in range(4)]
    await reserved(shop, coupons[0], ref="A1")
    held = await reserved(shop, coupons[1], ref="A2")
    assert await held_amounts(shop) == [500, 2000]
    assert isinstance(await release(shop, held), Done)
    assert await shop.budget() == (500, 2000, 0)
    held = await reserved(shop, coupons[2], ref="A3")
    await paid(shop, held, ref="A3")
    assert await shop.budget() == (0, 2000, 500)
    shop.world.clock.advance(seconds=TTL_SECONDS)
    # What has run out and was not swept is there for others as if it had been.
    order = await order_of(shop, await shop.redeem(coupons[3]))
    assert taken(order.quote) == [(2000, None)]
    assert await shop.budget() == (0, 0, 2500)


async def test_what_an_order_held_before_it_may_draw_again_in_part(shop: Shop) -> None:
    coupon = await shop.coupon(campaign_id=await partial(shop, 700))
    await reserved(shop, coupon, ref="A1")
    await reserved(shop, coupon, ref="A1", given=cart(11_000))
    assert await held_amounts(shop) == [700]
    assert await shop.budget() == (0, 700, 0)


async def test_a_part_that_has_run_out_is_paid_late_only_while_it_is_there(shop: Shop) -> None:
    template_id = await shop.world.published(campaign_id=await partial(shop, 700), limit_per_member=None)
    coupon = await shop.world.claimed(template_id)
    held = await reserved(shop, coupon, ref="A1")
    shop.world.clock.advance(seconds=TTL_SECONDS)
    done = await paid(shop, held, ref="A1")
    assert done.late_capture
    assert (await shop.budget(), await amounts(shop)) == ((0, 0, 700), {700: 1})


async def test_a_quote_says_what_the_budget_leaves_of_a_discount_and_that_is_what_is_reserved(shop: Shop) -> None:
    coupon = await shop.coupon(campaign_id=await partial(shop, 700))
    quote = make_quote(cart(), **await quotable(shop, cart(), [coupon]))
    best = make_best_quote(cart(), **await quotable(shop, cart(), None), budget=_Endless())
    assert taken(quote) == taken(best.quote) == [(700, 2000)]
    (proof,) = [one.eligibility for one in quote.applied]
    assert proof is not None
    assert proof.eligible
    last = proof.because.children[-1]
    assert (last.name, last.passed, last.required, last.actual) == (
        "budget_remainder",
        True,
        "> ¥0.00",
        "¥7.00 of ¥20.00",
    )
    assert isinstance(await try_reserve(shop, coupon, quote_token=token_of(quote)), Done)
    assert await shop.budget() == (0, 700, 0)


class _Endless:
    def is_spent(self, *, explored: int) -> bool:
        return explored > 10**6


async def test_a_token_that_promised_more_than_the_budget_has_left_is_answered_with_the_new_quote(shop: Shop) -> None:
    template_id = await shop.world.published(campaign_id=await partial(shop, 2700), limit_per_member=None)
    first, second = [await shop.world.claimed(template_id) for _ in range(2)]
    shown = make_quote(cart(), **await quotable(shop, cart(), [second]))
    assert taken(shown) == [(2000, None)]
    await shop.redeemed(first)
    changed = await try_reserve(shop, second, quote_token=token_of(shown))
    assert isinstance(changed, QuoteChanged)
    assert (taken(changed.quote), changed.quote.payable_minor) == ([(700, 2000)], 11_300)
    assert (await shop.budget(), await shop.state(second)) == ((700, 0, 2000), "CLAIMED")
    assert isinstance(await try_reserve(shop, second, quote_token=token_of(changed.quote)), Done)


async def test_a_balance_keeps_what_the_budget_does_not_cover(shop: Shop) -> None:
    coupon = await shop.coupon(kind="CASH", terms={"faceMinor": 5000}, campaign_id=await partial(shop, 700))
    order = await order_of(shop, await shop.redeem(coupon, ref="A1", given=cart(9000)))
    assert taken(order.quote) == [(700, 5000)]
    balance = "SELECT balance_minor FROM coupons"
    assert (await shop.world.value(balance), await shop.state(coupon)) == (4300, "CLAIMED")
    await shop.consistent()
    await refunded(shop, "A1")
    assert (await shop.world.value(balance), await shop.budget()) == (5000, (700, 0, 0))


async def test_what_was_scanned_without_a_network_takes_what_is_left_and_counts_as_much(shop: Shop) -> None:
    place = await shop.add_store(1)
    coupon = await shop.coupon(campaign_id=await partial(shop, 700))
    row = OfflineRedemption(shop.token(coupon, seconds=60), "R1", cart(12000), shop.world.clock.at)
    shop.world.clock.advance(hours=1)
    command = SyncOfflineRedemptions(place, (row,), till(1, place), once(NAMES, mutation="syncOfflineRedemptions"))
    done = await sync_offline_redemptions(command, begin=shop.world.database.begin, tokens=TOKENS, sweep=shop.sweep)
    assert [one.refusal for one in done.result.outcomes] == [None]
    assert await amounts(shop) == {700: 1}
    assert await shop.world.value("SELECT accepted_minor FROM offline_days") == 700
    assert await shop.world.value("SELECT offline_minor FROM redemption_token_uses") == 700


async def test_a_balance_that_expired_since_it_was_scanned_keeps_what_the_budget_does_not_cover(shop: Shop) -> None:
    place = await shop.add_store(1)
    coupon = await shop.coupon(kind="CASH", terms={"faceMinor": 5000}, campaign_id=await partial(shop, 700))
    until = await shop.world.value("SELECT valid_until FROM coupons")
    shop.world.clock.at = until - timedelta(minutes=1)
    row = OfflineRedemption(shop.token(coupon, seconds=50), "R1", cart(12000), shop.world.clock.at)
    shop.world.clock.advance(hours=1)
    command = SyncOfflineRedemptions(place, (row,), till(1, place), once(NAMES, mutation="syncOfflineRedemptions"))
    done = await sync_offline_redemptions(command, begin=shop.world.database.begin, tokens=TOKENS, sweep=shop.sweep)
    assert [one.refusal for one in done.result.outcomes] == [None]
    assert await shop.world.value("SELECT balance_minor FROM coupons") == 4300
    await shop.consistent()


async def test_points_are_promised_and_offered_for_the_price_that_was_drawn(shop: Shop) -> None:
    coupon = await shop.coupon(campaign_id=await partial(shop, 700))
    order = await order_of(shop, await shop.redeem(coupon))
    assert (order.paid_minor, order.points_pending) == (11_300, 113)


async def test_a_budget_with_enough_left_is_drawn_as_any_other(shop: Shop) -> None:
    """The last units alone are read under the lock."""
    template_id = await shop.world.published(campaign_id=await partial(shop, 10**6), limit_per_member=None)
    first, second = [await shop.world.claimed(template_id) for _ in range(2)]
    await shop.redeemed(first)
    asked: list[str] = []
    token = on_statement.set(names_into(asked))
    await shop.redeemed(second)
    on_statement.reset(token)
    assert asked.count("post_on_free_budget_shard") == 1
    assert not {"lock_budget_shards", "deal_budget_shards", "budget_has_lapsed"} & set(asked)


async def test_a_part_is_drawn_under_the_locks_in_the_one_order(shop: Shop) -> None:
    place = await shop.add_store(1)
    coupon = await shop.coupon(campaign_id=await partial(shop, 700, MERCHANT=700), funders=HALF, limit_per_store=5)
    asked: list[str] = []
    token = on_statement.set(names_into(asked))
    await shop.redeemed(coupon, given=cart(12000), seller=till(1, place), store_id=place)
    on_statement.reset(token)
    places = ["lock_coupon", "lock_store_uses", "lock_budget_shards", "lock_points_account"]
    assert sorted(places, key=asked.index) == places
    assert await shop.budget() == (0, 0, 700)


async def test_what_becomes_of_a_remainder_never_changes(shop: Shop) -> None:
    await partial(shop, 700)
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="never changes"):
        await shop.world.rows("UPDATE campaigns SET budget_remainder = 'REJECT'")
    await shop.world.rows("UPDATE campaigns SET name = 'other'")


async def test_a_cut_of_a_campaign_that_allows_none_is_found(shop: Shop) -> None:
    await shop.redeemed(await shop.coupon(campaign_id=await partial(shop, 700)))
    assert await violated(shop) == []
    fixed = "ALTER TABLE campaigns {} TRIGGER budget_remainder_is_fixed"
    await shop.world.rows(fixed.format("DISABLE"))
    await shop.world.rows("UPDATE campaigns SET budget_remainder = 'REJECT'")
    assert await violated(shop) == ["cuts_are_of_partial_budgets", "remainders_are_published"]
    await shop.world.rows("UPDATE campaigns SET budget_remainder = 'PARTIAL'")
    await shop.world.rows(fixed.format("ENABLE"))


async def violated(shop: Shop) -> list[str]:
    return sorted(one.name for one in await SqlInvariants(shop.world.database, checks=CHECKS).violations(limit=5))


async def test_a_budget_of_another_currency_or_without_accounts_covers_no_part(shop: Shop) -> None:
    yen = await shop.add_campaign(budget_minor=10**6, currency="JPY", number=2, remainder=PARTIAL)
    assert isinstance(await shop.redeem(await shop.coupon(campaign_id=yen)), BudgetExhausted)
    await partial(shop, 700, MERCHANT=700)
    coupon: CouponClaimed = await shop.coupon(campaign_id=campaign(), funders=HALF)
    for funder in ("MERCHANT", "ALL"):
        copy: list[Any] = await shop.world.rows("SELECT * FROM budget_accounts WHERE funder = $1", funder)
        await shop.world.rows("DELETE FROM budget_accounts WHERE funder = $1", funder)
        assert isinstance(await shop.redeem(coupon), BudgetExhausted)
        for row in copy:
            await shop.world.rows("INSERT INTO budget_accounts VALUES ($1, $2, $3, $4, $5, $6, $7)", *row)
    await shop.redeemed(coupon)
