"""A write that is sent again and again while something that has run out is in its way: that is cleared away once."""

import asyncio
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from domain.coupons.model import CouponClaimed, CouponKey
from domain.orders import lapsing
from domain.orders.lapsing import returner_of_points
from domain.orders.model import OrderState
from domain.orders.quote_tokens import QUOTE_TOKENS
from domain.orders.redeeming import RedeemReservation
from domain.orders.refunding import RefundOrder, refund_order
from domain.orders.reserving import reserve_coupons
from domain.orders.use_cases import RedeemCoupons, redeem_coupons
from domain.orders.voiding import VoidCoupon, void_coupon
from domain.points.errors import InsufficientPoints
from domain.points.use_cases import AdjustPoints, adjust_points
from domain.rewards.desk import ExchangeDesk
from domain.shared.errors import Refusal
from domain.shared.idempotency import Done
from domain.shared.ids import CampaignId, MemberId
from domain.shared.principal import Scope
from domain.shared.repeats import UnderWay
from persistence.unit_of_work import SqlUnitOfWork
from tests.coupon_world import NAMES, member, once
from tests.mall_world import Mall, asking, hold, mall, shop
from tests.order_world import SERVICE, TOKENS, Shop, cart
from tests.reservation_world import TTL_SECONDS, give_points, reserve, reserved, sweep

__all__ = ["mall", "shop"]

AT_ONCE = 100

Outcome = Done[Any] | Refusal


@dataclass(slots=True)
class Watched:
    """The database, counting the transactions that are begun, and how many of them are open at once."""

    shop: Shop
    begun: int = 0
    open: int = 0
    most_open: int = 0
    returned: int = 0
    swept: int = 0
    under_way: UnderWay = field(default_factory=UnderWay)

    def begin(self, scope: Scope) -> AbstractAsyncContextManager[SqlUnitOfWork]:
        return self._counted(self.shop.world.database.begin(scope))

    def begin_system(self) -> AbstractAsyncContextManager[SqlUnitOfWork]:
        return self.begin(Scope.system())

    def begin_set(self) -> AbstractAsyncContextManager[SqlUnitOfWork]:
        return self._counted(self.shop.world.database.begin_set(Scope.system(), tell_instant=True))

    async def sweep(self, campaign_id: CampaignId) -> int:
        self.swept += 1
        return await self.shop.sweep(campaign_id)

    async def return_lapsed(self, member_id: MemberId) -> None:
        self.returned += 1
        await returner_of_points(begin=self.begin)(member_id)

    @asynccontextmanager
    async def _counted(self, transaction: AbstractAsyncContextManager[SqlUnitOfWork]) -> AsyncIterator[SqlUnitOfWork]:
        self.begun += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            async with transaction as tx:
                yield tx
        finally:
            self.open -= 1


@pytest.fixture
def watched(shop: Shop) -> Watched:
    return Watched(shop)


async def sent(send: Callable[[], Awaitable[Done[Any]]], *, times: int = AT_ONCE) -> list[Outcome]:
    """What all of those are told who send it at once; nothing is raised but refusals, each of them one's own."""
    outcomes = await asyncio.gather(*(send() for _ in range(times)), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, Refusal):
            raise outcome
    assert len({id(outcome) for outcome in outcomes}) == times
    return outcomes  # type: ignore[return-value]


def kinds(outcomes: list[Outcome]) -> Counter[str]:
    return Counter(
        f"done, replayed {one.replayed}" if isinstance(one, Done) else type(one).__name__ for one in outcomes
    )


ONE_DONE = Counter({"done, replayed False": 1, "done, replayed True": AT_ONCE - 1})


async def held_too_long(shop: Shop, *, ref: str = "B1") -> CouponClaimed:
    """A coupon that an order holds though its time is over, as nobody has swept."""
    coupon = await shop.coupon()
    await reserved(shop, coupon, ref=ref)
    shop.world.clock.advance(seconds=TTL_SECONDS)
    return coupon


# ── one's own reservations ───────────────────────────────────────────────────────────────────────────────────────────


async def test_one_that_reserves_ends_what_has_run_out_for_all_who_have_sent_it(shop: Shop, watched: Watched) -> None:
    command = reserve([await held_too_long(shop)], ref="A1", key="mine")
    command = replace(command, once=replace(command.once, repeats=watched.under_way))
    outcomes = await sent(lambda: reserve_coupons(command, begin=watched.begin, tokens=QUOTE_TOKENS))
    assert kinds(outcomes) == ONE_DONE
    # It is found, ended, and decided; one connection for all who wait.
    assert (watched.begun, watched.most_open) == (3, 1)


async def test_so_does_one_that_redeems(shop: Shop, watched: Watched) -> None:
    coupon = await held_too_long(shop)
    asked = replace(once(NAMES, key="mine", mutation="redeemCoupons"), repeats=watched.under_way)
    command = RedeemCoupons("A1", shop.token(coupon), cart(), None, SERVICE, asked)
    outcomes = await sent(lambda: redeem_coupons(command, begin=watched.begin, tokens=TOKENS))
    assert kinds(outcomes) == ONE_DONE
    assert (watched.begun, watched.most_open) == (3, 1)


async def test_so_does_one_that_voids(shop: Shop, watched: Watched) -> None:
    coupon = await held_too_long(shop)
    asked = replace(once(NAMES, key="mine", mutation="voidCoupon"), repeats=watched.under_way)
    command = VoidCoupon(CouponKey(coupon.member_id, coupon.coupon_id), "it was a mistake", Scope.system(), asked)
    outcomes = await sent(lambda: void_coupon(command, begin=watched.begin))
    assert kinds(outcomes) == ONE_DONE
    assert (watched.begun, watched.most_open) == (3, 1)


async def test_one_that_refunds_looks_for_its_order_once(shop: Shop, watched: Watched) -> None:
    await shop.recorded("A1", OrderState.PAID, given=cart(10000))
    asked = replace(once(NAMES, key="mine", mutation="refundOrder"), repeats=watched.under_way)
    command = RefundOrder("A1", None, SERVICE, asked)
    outcomes = await sent(lambda: refund_order(command, begin=watched.begin))
    assert kinds(outcomes) == ONE_DONE
    assert (watched.begun, watched.most_open) == (2, 1)


# ── late capture ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("gone", ["points", "budget", "room in the store"])
async def test_all_who_pay_too_late_what_others_have_taken_are_told_that_it_has_expired(
    shop: Shop, watched: Watched, gone: str
) -> None:
    await give_points(shop, 1000)
    store_id = await shop.add_store(1)
    campaign_id = await shop.add_campaign(budget_minor=2000 if gone == "budget" else 4000)
    limit = 1 if gone == "room in the store" else None
    template_id = await shop.world.published(campaign_id=campaign_id, limit_per_member=2, limit_per_store=limit)
    coupon, other = [await shop.world.claimed(template_id) for _ in range(2)]
    held = await reserved(shop, coupon, points=600, given=cart(store_id=store_id))
    shop.world.clock.advance(seconds=TTL_SECONDS)
    await sweep(shop)
    if gone == "points":
        await reserved(shop, ref="B1", points=900)
    else:
        await shop.redeemed(other, ref="B1", given=cart(store_id=store_id), store_id=store_id)
    asked = replace(once(NAMES, key="mine", mutation="redeemCoupons"), repeats=watched.under_way)
    command = RedeemReservation("A1", held, store_id, SERVICE, asked)
    outcomes = await sent(lambda: redeem_coupons(command, begin=watched.begin, tokens=TOKENS, sweep=watched.sweep))
    assert kinds(outcomes) == Counter({"ReservationExpired": AT_ONCE})
    # Decided for the first one, and once more for all who came meanwhile: what it was refused for may be over.
    assert (watched.begun, watched.most_open) == (2, 1)


# ── budgets ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_budget_that_others_have_held_for_too_long_is_swept_for_all_who_have_sent_it(
    shop: Shop, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lapsing, "MOST_ENDED", 1)
    monkeypatch.setattr(lapsing, "MOST_SWEEPS", 1)
    campaign_id = await shop.add_campaign(budget_minor=8000)
    template_id = await shop.world.published(limit_per_member=None, campaign_id=campaign_id)
    for number in range(2, 6):
        if number > 2:
            await shop.add_member(number)
        await reserved(shop, await shop.world.claimed(template_id, number), ref=f"B{number}")
    shop.world.clock.advance(seconds=TTL_SECONDS)
    terms = {"thresholdMinor": 10000, "amountMinor": 8000}
    command = reserve([await shop.coupon(terms=terms, campaign_id=campaign_id)], key="mine")
    command = replace(command, once=replace(command.once, repeats=watched.under_way))

    async def send() -> Done[Any]:
        return await reserve_coupons(command, begin=watched.begin, tokens=QUOTE_TOKENS, sweep=watched.sweep)

    outcomes = await sent(send)
    assert kinds(outcomes) == Counter({"BudgetExhausted": AT_ONCE})
    assert watched.swept == 2
    # … and each of them is refused by an error that nobody else has raised.
    assert len({_depth(outcome) for outcome in outcomes[2:]}) == 1
    for _ in range(2):
        await shop.sweep(campaign_id)
    assert kinds(await sent(send)) == ONE_DONE


def _depth(outcome: Outcome) -> int:
    assert isinstance(outcome, Refusal)
    return len(traceback.extract_tb(outcome.__traceback__))


# ── points ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_points_return_once_to_all_who_take_them_by_hand(mall: Mall, watched: Watched) -> None:
    await mall.give(1000)
    await hold(mall, 600)
    mall.run_out()
    asked = replace(once(NAMES, key="mine", mutation="adjustPoints"), repeats=watched.under_way)
    command = AdjustPoints(member(1), -1000, "a correction", None, asked)
    outcomes = await sent(
        lambda: adjust_points(command, begin=watched.begin_system, return_lapsed=watched.return_lapsed)
    )
    assert kinds(outcomes) == ONE_DONE
    assert (watched.returned, watched.begun, watched.most_open) == (1, 3, 1)


async def test_points_return_once_to_all_who_exchange_them(mall: Mall, watched: Watched) -> None:
    await mall.give(1000)
    await hold(mall, 600)
    mall.run_out()
    command = asking(await mall.reward(1000), key="mine")
    desk = ExchangeDesk(begin=watched.begin_set, return_lapsed=watched.return_lapsed)
    outcomes = await sent(lambda: desk.exchange(command))
    await desk.drain()
    assert kinds(outcomes) == ONE_DONE
    assert (watched.returned, watched.begun, watched.most_open) == (1, 3, 1)


async def test_of_what_is_too_little_even_so_all_are_told(mall: Mall, watched: Watched) -> None:
    await mall.give(1000)
    await hold(mall, 600)
    mall.run_out()
    command = asking(await mall.reward(1001), key="mine")
    desk = ExchangeDesk(begin=watched.begin_set, return_lapsed=watched.return_lapsed)
    outcomes = await sent(lambda: desk.exchange(command))
    await desk.drain()
    assert kinds(outcomes) == Counter({"InsufficientPoints": AT_ONCE})
    assert {(one.available, one.shortfall) for one in outcomes if isinstance(one, InsufficientPoints)} == {(1000, 1)}
    assert watched.returned == 1
