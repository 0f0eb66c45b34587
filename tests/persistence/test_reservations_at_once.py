"""Reservations that race: several pools, as several server processes have."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import pytest

from domain.coupons.use_cases import expire_coupons
from domain.orders.model import OrderState
from domain.orders.reservation_model import ReservationKey
from domain.shared.errors import Refusal
from domain.shared.idempotency import Done
from domain.shared.principal import Scope
from tests.order_world import Shop, shops_at_once
from tests.reservation_world import (
    TTL_SECONDS,
    ended_as,
    give_points,
    release,
    reserved,
    sweep,
    try_pay,
    try_reserve,
)

CANCELLED = OrderState.CANCELLED


@pytest.fixture
async def shops(database_url: str) -> AsyncIterator[list[Shop]]:
    async with shops_at_once(database_url, size=6, members=2) as made:
        yield made


def kinds(outcomes: Sequence[object]) -> Counter[str]:
    return Counter("done" if isinstance(outcome, Done) else type(outcome).__name__ for outcome in outcomes)


async def test_two_orders_reserve_one_coupon_at_once_and_one_has_it(shops: list[Shop]) -> None:
    for number in range(10):
        coupon = await shops[0].coupon()
        outcomes = await asyncio.gather(
            *(try_reserve(shops[n], coupon, ref=f"A{number}-{n}") for n in range(4)),
        )
        assert kinds(outcomes) == {"done": 1, "CouponNotUsable": 3}
    assert await shops[0].world.value("SELECT count(*) FROM reserved_coupons WHERE held") == 10


async def test_one_order_reserves_at_once_under_many_keys_and_holds_once(shops: list[Shop]) -> None:
    coupon = await shops[0].coupon()
    outcomes = await asyncio.gather(*(try_reserve(shops[n % 4], coupon, ref="A1") for n in range(12)))
    assert kinds(outcomes) == {"done": 12}
    states = await shops[0].world.rows("SELECT state, count(*) FROM reservations GROUP BY state")
    assert {row["state"]: row["count"] for row in states} == {"HELD": 1, "RELEASED": 11}
    assert await shops[0].world.value("SELECT count(*) FROM reserved_coupons WHERE held") == 1


async def test_a_release_and_a_payment_at_once_leave_one_of_two_ends(shops: list[Shop]) -> None:
    campaign_id = await shops[0].add_campaign(budget_minor=10**6)
    ends: Counter[str] = Counter()
    for number in range(12):
        coupon = await shops[0].coupon(campaign_id=campaign_id)
        held = await reserved(shops[0], coupon, ref=f"A{number}")
        first = (release(shops[1], held), try_pay(shops[2], held, ref=f"A{number}"))
        outcomes = await asyncio.gather(*(first if number % 2 else reversed(first)))
        assert kinds(outcomes) == {"done": 1, "InvalidStateChange": 1}
        end, state = await ended_as(shops[0], held), await shops[0].state(coupon)
        assert (end, state) in {("RELEASED", "CLAIMED"), ("REDEEMED", "REDEEMED")}
        ends[end] += 1
    spent = ends["REDEEMED"] * 2000
    assert await shops[0].budget() == (10**6 - spent, 0, spent)


async def test_a_release_sent_many_times_at_once_under_one_key_is_one_release_and_its_answers(
    shops: list[Shop],
) -> None:
    """Who waits for the first one's locks finds nothing left to release: it is answered again, not refused."""
    for number in range(5):
        held = await reserved(shops[0], await shops[0].coupon(), ref=f"A{number}")
        outcomes = await asyncio.gather(
            *(release(shops[n % len(shops)], held, key=f"release {number}") for n in range(12))
        )
        assert kinds(outcomes) == {"done": 12}
        assert Counter(one.replayed for one in outcomes if isinstance(one, Done)) == {True: 11, False: 1}


async def test_a_payment_and_the_sweep_at_the_last_moment_use_the_coupon_once(shops: list[Shop]) -> None:
    campaign_id = await shops[0].add_campaign(budget_minor=10**6)
    clock = shops[0].world.clock
    for number in range(12):
        coupon = await shops[0].coupon(campaign_id=campaign_id)
        held = await reserved(shops[0], coupon, ref=f"A{number}")
        clock.advance(seconds=TTL_SECONDS)
        payment, *_ = await asyncio.gather(try_pay(shops[1], held, ref=f"A{number}"), sweep(shops[2]), sweep(shops[3]))
        assert isinstance(payment, Done)
        assert payment.result.late_capture
        assert await shops[0].state(coupon) == "REDEEMED"
    assert await shops[0].budget() == (10**6 - 24000, 0, 24000)


async def test_what_has_run_out_is_one_others_or_late_never_both(shops: list[Shop]) -> None:
    clock = shops[0].world.clock
    for number in range(12):
        coupon = await shops[0].coupon()
        held = await reserved(shops[0], coupon, ref=f"A{number}")
        clock.advance(seconds=TTL_SECONDS)
        late, other, _ = await asyncio.gather(
            try_pay(shops[1], held, ref=f"A{number}"),
            try_reserve(shops[2], coupon, ref=f"B{number}"),
            sweep(shops[3]),
        )
        assert kinds([late, other]) in ({"done": 1, "ReservationExpired": 1}, {"done": 1, "CouponNotUsable": 1})
        assert await shops[0].state(coupon) == ("REDEEMED" if isinstance(late, Done) else "RESERVED")


async def test_reserving_against_the_end_of_validity_is_one_of_two(shops: list[Shop]) -> None:
    clock = shops[0].world.clock
    for number in range(10):
        coupon = await shops[0].coupon()
        until = await shops[0].world.value("SELECT valid_until FROM coupons WHERE id = $1", coupon.coupon_id)
        now = clock.at

        async def expire() -> int:
            clock.at = until  # noqa: B023 - run in this round
            return await expire_coupons(limit=10, begin=lambda: shops[1].world.database.begin(Scope.system()))

        outcome, _ = await asyncio.gather(try_reserve(shops[0], coupon, ref=f"A{number}"), expire())
        state = await shops[0].state(coupon)
        assert state == ("RESERVED" if isinstance(outcome, Done) else "EXPIRED")
        clock.at = now


async def test_one_reservation_paid_many_times_at_once_is_one_use_and_one_answer(shops: list[Shop]) -> None:
    """saleor#7588, at once."""
    held = await reserved(shops[0], await shops[0].coupon())
    outcomes = await asyncio.gather(*(try_pay(shops[n % 4], held) for n in range(12)))
    assert kinds(outcomes) == {"done": 12}
    done = [o.result for o in outcomes if isinstance(o, Done)]
    assert len({one.redemption_ids for one in done}) == 1
    assert Counter(one.repeated for one in done) == {False: 1, True: 11}


async def test_points_are_held_no_further_than_they_go(shops: list[Shop]) -> None:
    await give_points(shops[0], 1000)
    outcomes = await asyncio.gather(*(try_reserve(shops[n % 4], ref=f"A{n}", points=300) for n in range(12)))
    assert kinds(outcomes) == {"done": 3, "InsufficientPoints": 9}
    assert await shops[0].available() == 100


async def test_a_budget_held_by_many_that_have_run_out_is_there_for_many_others(shops: list[Shop]) -> None:
    laurel = shops[0]
    campaign_id = await laurel.add_campaign(budget_minor=20 * 2000)
    template_id = await laurel.world.published(campaign_id=campaign_id, stock=1000)
    first = [await laurel.world.claimed(template_id, number) for number in range(20)]
    later = [await laurel.world.claimed(template_id, number) for number in range(20, 60)]
    assert kinds([await try_reserve(laurel, one, ref=f"A{n}") for n, one in enumerate(first)]) == {"done": 20}
    refused = await try_reserve(laurel, later[0], ref="B")
    assert kinds([refused]) == {"BudgetExhausted": 1}
    laurel.world.clock.advance(seconds=TTL_SECONDS)
    outcomes = await asyncio.gather(
        *(try_reserve(shops[n % 4], one, ref=f"B{n}") for n, one in enumerate(later)), sweep(shops[1])
    )
    assert kinds(outcomes[:-1]) == {"done": 20, "BudgetExhausted": 20}
    assert await laurel.budget() == (0, 20 * 2000, 0)


async def test_all_that_can_happen_to_reservations_at_once_waits_in_line_and_never_in_a_ring(
    shops: list[Shop],
) -> None:
    laurel = shops[0]
    campaign_id = await laurel.add_campaign(budget_minor=14 * 2000, PLATFORM=12 * 2000)
    template_id = await laurel.world.published(campaign_id=campaign_id, limit_per_member=None, stock=1000)
    for round_ in range(6):
        coupons = [await laurel.world.claimed(template_id, 1 + n % 2) for n in range(6)]
        held = [
            done
            for n, one in enumerate(coupons)
            if isinstance(done := await try_reserve(laurel, one, ref=f"A{round_}-{n}"), Done)
        ]
        keys = [ReservationKey(one.result.member_id, one.result.reservation_id) for one in held]
        laurel.world.clock.advance(seconds=TTL_SECONDS if round_ % 2 else 1)
        work = [
            *(try_pay(shops[n % 4], key, ref=f"A{round_}-{n}") for n, key in enumerate(keys)),
            *(try_reserve(shops[(n + 1) % 4], one, ref=f"A{round_}-{n}") for n, one in enumerate(coupons)),
            *(release(shops[(n + 2) % 4], key) for n, key in enumerate(keys)),
            *(shops[(n + 3) % 4].redeem(one, ref=f"B{round_}-{n}") for n, one in enumerate(coupons)),
            *(shops[n % 4].record(f"A{round_}-{n}", CANCELLED, number=1 + n % 2) for n in range(len(coupons))),
            sweep(shops[0]),
            sweep(shops[1]),
        ]
        outcomes = await asyncio.gather(*work, return_exceptions=True)
        assert [o for o in outcomes if isinstance(o, Exception) and not isinstance(o, Refusal)] == []


async def test_an_order_that_is_paid_in_every_way_at_once_is_paid_in_one_and_holds_nothing(shops: list[Shop]) -> None:
    campaign_id = await shops[0].add_campaign(budget_minor=10**6)
    for number in range(8):
        held_coupon, scanned = [await shops[0].coupon(campaign_id=campaign_id) for _ in range(2)]
        ref = f"A{number}"
        held = await reserved(shops[0], held_coupon, ref=ref)
        outcomes = await asyncio.gather(
            try_pay(shops[0], held, ref=ref),
            shops[1].redeem(scanned, ref=ref),
            shops[2].record(ref, OrderState.PAID),
            try_reserve(shops[3], held_coupon, ref=ref),
        )
        assert kinds(outcomes[:3])["done"] >= 1, outcomes
        assert await shops[0].world.value("SELECT count(*) FROM orders WHERE order_ref = $1", ref) == 1
        assert await shops[0].world.value("SELECT count(*) FROM reservations WHERE state = 'HELD'") == 0
