"""Budgets of campaigns: never more than the limit, all told and by funder, however many draw from it at once."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import pytest

from domain.coupons.model import CouponClaimed, CouponKey
from domain.coupons.offer import Funder, FunderShare
from domain.coupons.pricing import FunderAmount
from domain.orders.budgets import BudgetChange, Discount, free, give_back, hold, spend
from domain.orders.errors import BudgetExhausted
from domain.orders.model import OrderState
from domain.shared.idempotency import Done
from domain.shared.ids import CampaignId
from domain.shared.principal import Scope
from persistence.base import on_statement
from persistence.campaigns.rows import deal
from persistence.campaigns.tables import BUDGET_SHARDS
from tests.order_world import Shop, campaign, shop, shops_at_once
from tests.queries import names_into
from tests.refund_world import refunded
from tests.reservation_world import TTL_SECONDS, paid, release, reserved, sweep, try_reserve

__all__ = ["shop"]

HALF = (FunderShare(Funder.PLATFORM, 5000), FunderShare(Funder.MERCHANT, 5000))


@pytest.fixture
async def shops(database_url: str) -> AsyncIterator[list[Shop]]:
    async with shops_at_once(database_url, size=8, members=1) as made:
        yield made


def kinds(outcomes: Sequence[object]) -> Counter[str]:
    return Counter("done" if isinstance(outcome, Done) else type(outcome).__name__ for outcome in outcomes)


def discount(coupon: CouponClaimed, amount: int = 2000, *, of: CampaignId | None = None) -> Discount:
    shares = (FunderAmount(Funder.PLATFORM, amount),)
    return Discount(CouponKey(coupon.member_id, coupon.coupon_id), of or campaign(), "CNY", shares)


async def post(shop: Shop, *changes: BudgetChange) -> bool:
    async with shop.world.database.begin(Scope.system()) as tx:
        return await tx.budgets.post(changes) is None


def test_a_limit_is_dealt_out_to_the_last_unit() -> None:
    assert deal(10, shards=8) == [2, 2, 1, 1, 1, 1, 1, 1]
    assert all(sum(deal(limit, shards=8)) == limit for limit in (0, 1, 7, 8, 9, 20000))


async def test_a_limit_of_100_takes_100_of_1000_at_once_and_no_other_number(shops: list[Shop]) -> None:
    laurel = shops[0]
    campaign_id = await laurel.add_campaign(budget_minor=100 * 2000)
    template_id = await laurel.world.published(campaign_id=campaign_id, stock=1000)
    coupons = [await laurel.world.claimed(template_id, number) for number in range(1000)]
    began = time.perf_counter()
    outcomes = await asyncio.gather(
        *(try_reserve(shops[n % 4], one, ref=f"A{n}") for n, one in enumerate(coupons) if n % 2),
        *(shops[n % 4].redeem(one, ref=f"A{n}") for n, one in enumerate(coupons) if not n % 2),
    )
    assert time.perf_counter() - began < 60
    assert kinds(outcomes) == {"done": 100, "BudgetExhausted": 900}
    left, reserved, redeemed = await laurel.budget()
    assert (left, reserved + redeemed) == (0, 200000)


async def test_the_last_units_are_drawn_whatever_shards_they_lie_on(shop: Shop) -> None:
    await shop.add_campaign(budget_minor=BUDGET_SHARDS * 700)
    coupon = await shop.coupon(campaign_id=campaign())
    assert await post(shop, spend(discount(coupon, 2000)))
    assert await post(shop, spend(discount(coupon, 3600)))
    assert not await post(shop, spend(discount(coupon, 1)))
    assert await shop.budget() == (0, 0, 5600)
    await shop.world.database.pool.execute("UPDATE budget_accounts SET free_minor = 700, redeemed_minor = 0")


async def test_who_draws_does_not_wait_for_who_drew_before_and_has_not_committed(shops: list[Shop]) -> None:
    """One row for the whole budget would let one through at a time, as long as each transaction takes."""
    laurel = shops[0]
    await laurel.add_campaign(budget_minor=10**6)
    coupon = await laurel.coupon(campaign_id=campaign())
    async with AsyncExitStack() as stack:
        for n in range(BUDGET_SHARDS):
            tx = await stack.enter_async_context(shops[n % 4].world.database.begin(Scope.system()))
            async with asyncio.timeout(2):
                assert await tx.budgets.post([spend(discount(coupon))]) is None
        # All shards are held now: the next one waits, until any of them is free.
        asked: list[str] = []
        token = on_statement.set(names_into(asked))
        waiting = asyncio.create_task(post(shops[0], spend(discount(coupon))))
        on_statement.reset(token)
        await asyncio.sleep(0.3)
        assert not waiting.done()
    assert await waiting
    assert "lock_budget_shards" not in asked, "it waited for one, not for all: others still draw beside it"
    assert (await laurel.budget())[2] == (BUDGET_SHARDS + 1) * 2000
    await laurel.world.database.pool.execute("UPDATE budget_accounts SET free_minor = 125000, redeemed_minor = 0")


async def test_what_was_drawn_and_rolled_back_is_there_for_who_waited(shops: list[Shop]) -> None:
    laurel = shops[0]
    await laurel.add_campaign(budget_minor=2000)
    coupon = await laurel.coupon(campaign_id=campaign())

    async def draws_and_gives_up() -> None:
        async with laurel.world.database.begin(Scope.system()) as tx:
            assert await tx.budgets.post([spend(discount(coupon))]) is None
            second = asyncio.create_task(post(shops[1], spend(discount(coupon))))
            await asyncio.sleep(0.2)
            assert not second.done()
            waiting.append(second)
            raise TimeoutError

    waiting: list[asyncio.Task[bool]] = []
    with pytest.raises(TimeoutError):
        await draws_and_gives_up()
    assert await waiting[0], "it waited for what might come back, and it did"
    assert await post(shops[2], give_back(discount(coupon)))


async def test_each_funder_bears_no_more_than_its_part(shop: Shop) -> None:
    campaign_id = await shop.add_campaign(budget_minor=20000, MERCHANT=2500)
    template_id = await shop.world.published(campaign_id=campaign_id, funders=HALF, limit_per_member=None)
    coupons = [await shop.world.claimed(template_id) for _ in range(3)]
    await shop.redeemed(coupons[0], ref="A1")
    await shop.redeemed(coupons[1], ref="A2")
    refused = await shop.redeem(coupons[2], ref="A3")
    assert isinstance(refused, BudgetExhausted)
    assert (refused.required_minor, refused.funder) == (1000, Funder.MERCHANT)
    assert (await shop.budget(), await shop.budget("MERCHANT")) == ((16000, 0, 4000), (500, 0, 2000))
    await shop.recorded("A1", OrderState.CANCELLED)
    assert (await shop.budget(), await shop.budget("MERCHANT")) == ((18000, 0, 2000), (1500, 0, 1000))
    await shop.redeemed(coupons[2], ref="A4")


async def test_what_a_transaction_gives_back_it_may_draw_again(shop: Shop) -> None:
    await shop.add_campaign(budget_minor=2000)
    coupon = await shop.coupon(campaign_id=campaign())
    held = discount(coupon)
    assert await post(shop, hold(held))
    assert not await post(shop, hold(held))
    assert await post(shop, free(held), hold(held))
    assert await post(shop, free(held), spend(held))
    assert await shop.budget() == (0, 0, 2000)
    assert await post(shop, give_back(held))


async def test_a_budget_of_another_currency_covers_nothing_and_no_budget_everything(shop: Shop) -> None:
    yen = await shop.add_campaign(budget_minor=10**6, currency="JPY", number=2)
    refused = await shop.redeem(await shop.coupon(campaign_id=yen))
    assert isinstance(refused, BudgetExhausted)
    none = await shop.add_campaign(budget_minor=None, number=3)
    await shop.redeemed(await shop.coupon(campaign_id=none))


@pytest.mark.parametrize("funder", [None, Funder.MERCHANT])
async def test_a_budget_whose_accounts_are_gone_covers_nothing_more_and_takes_back_what_it_gave(
    shop: Shop, funder: Funder | None
) -> None:
    campaign_id = await shop.add_campaign(budget_minor=20000, MERCHANT=20000)
    template_id = await shop.world.published(campaign_id=campaign_id, funders=HALF, limit_per_member=None)
    coupons = [await shop.world.claimed(template_id) for _ in range(6)]
    await shop.redeemed(coupons[0], ref="A1")
    held = [await reserved(shop, coupon, ref=ref) for coupon, ref in zip(coupons[1:4], ("A2", "A3", "A4"), strict=True)]
    pool = shop.world.database.pool
    await pool.execute("DELETE FROM budget_accounts WHERE $1::text IS NULL OR funder = $1", funder and funder.value)
    for refused in (await shop.redeem(coupons[4], ref="B1"), await try_reserve(shop, coupons[5], ref="B2")):
        assert isinstance(refused, BudgetExhausted)
        assert refused.funder is funder
    assert [await shop.state(one) for one in coupons[4:]] == ["CLAIMED", "CLAIMED"]
    # What it had given and promised before stands, and comes back: the member has no part in what is lost.
    await paid(shop, held[0], ref="A2")
    assert isinstance(await release(shop, held[1]), Done)
    shop.world.clock.advance(seconds=TTL_SECONDS)
    assert await sweep(shop) == 1
    await refunded(shop, "A1")
    assert [await shop.state(one) for one in coupons[:4]] == ["CLAIMED", "REDEEMED", "CLAIMED", "CLAIMED"]
    # As an operator would mend it: from the limit and what stands.
    await pool.execute("DELETE FROM budget_accounts")
    await pool.executemany(
        "INSERT INTO budget_accounts VALUES ($1, $2, 0, NULL, 20000 - $3, 0, $3)",
        [(campaign_id, "ALL", 2000), (campaign_id, "MERCHANT", 1000)],
    )
