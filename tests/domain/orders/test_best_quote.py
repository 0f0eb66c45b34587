"""The best quote: no chosen coupons make a better one, whatever points and shared limits there are; in what time."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import combinations, count
from random import Random
from time import process_time
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.quote_wallets import MIXES
from benchmarks.quote_wallets import NOW as BENCHMARK_NOW
from benchmarks.quote_wallets import random_cart as large_cart
from benchmarks.quote_wallets import random_wallet as large_wallet
from domain.campaigns.model import Budget, BudgetAccount, RemainderPolicy
from domain.coupons.cart import Cart
from domain.coupons.offer import Funder, FunderShare, Stacking
from domain.coupons.solver.answers import OptimalityStatus, StepBudget
from domain.coupons.solver.rejections import MAX_EXPLAINED
from domain.coupons.wallet import MAX_CONSIDERED, HeldCoupon
from domain.orders.model import BestQuote, Quote
from domain.orders.points_payment import PointsOffered
from domain.orders.quotes import make_best_quote, make_quote
from domain.orders.room import AMPLE, Room
from domain.points.policy import DEFAULT_POLICY
from domain.shared.ids import CampaignId, CouponId, TemplateId
from resolvers.budgets import BEST_QUOTE_SECONDS, TimeBudget
from tests.domain.coupons.carts import NOW, cart, offer
from tests.domain.coupons.wallets import random_cart, random_wallet
from tests.domain.orders.held import BUYER, held

ENDLESS = StepBudget(1_000_000)
CAMPAIGNS = [CampaignId(UUID(int=77)), CampaignId(UUID(int=78))]
FRIENDLY = Stacking(tags=frozenset("p"), combines_with_tags=frozenset("p"))
SHARES = [
    (),
    (FunderShare(Funder.PLATFORM, 5000), FunderShare(Funder.MERCHANT, 5000)),
    (FunderShare(Funder.PLATFORM, 3333), FunderShare(Funder.MERCHANT, 6667)),
]


def budget(left_minor: int, *, remainder: RemainderPolicy = RemainderPolicy.REJECT, **funders: int) -> Budget:
    """A budget with so much left, and of funders so much each."""
    by_funder = {name: BudgetAccount(left + 5, 2, 3) for name, left in funders.items()}
    return Budget("CNY", left_minor + 1000, 600, 400, by_funder, remainder)


def best(what: Cart, wallet: Sequence[HeldCoupon], *, points: int = 0, room: Room = AMPLE) -> BestQuote:
    offered = PointsOffered(points, available=points) if points else None
    return make_best_quote(
        what,
        wallet,
        buyer=BUYER,
        points_policy=DEFAULT_POLICY,
        at=NOW,
        budget=ENDLESS,
        points=offered,
        room=room,
    )


def chosen(what: Cart, wallet: Sequence[HeldCoupon], *, points: int = 0, room: Room = AMPLE) -> Quote:
    offered = PointsOffered(points, available=points) if points else None
    return make_quote(what, wallet, buyer=BUYER, points_policy=DEFAULT_POLICY, at=NOW, points=offered, room=room)


def random_held(chance: Random) -> list[HeldCoupon]:
    """A wallet of which some coupons are limited by store, and some are of campaigns."""
    wallet = []
    for one in random_wallet(chance, most=5, friendly=chance.random() < 0.75):
        plain = replace(one, funders=chance.choice(SHARES))
        wallet.append(
            held(
                plain,
                campaign_id=chance.choice([None, *CAMPAIGNS]),
                limit_per_store=chance.choice([None, None, 3]),
            )
        )
    # Coupons of one template have what it says.
    by_template = {one.template.id: one.template for one in wallet}
    return [replace(one, template=by_template[one.template.id]) for one in wallet]


def random_room(chance: Random, wallet: Sequence[HeldCoupon]) -> Room:
    """Budgets that are used up, nearly, or hardly; stores that have used some."""
    most = chance.choice([2, 500, 3000, 100_000])
    funders = chance.choice([{}, {"PLATFORM": chance.randint(0, most)}, {"MERCHANT": most, "PLATFORM": most // 2}])
    budgets = {
        one: budget(chance.randint(0, most), remainder=chance.choice(list(RemainderPolicy)), **funders)
        for one in CAMPAIGNS
        if chance.random() < 0.8
    }
    limited = [one.template.id for one in wallet if one.template.limit_per_store is not None]
    return Room(uses_in_store={one: chance.randint(0, 3) for one in limited}, budgets=budgets)


@settings(max_examples=300, deadline=None)
@given(chance=st.randoms(use_true_random=True), points=st.sampled_from([0, 0, 100, 3000, 20_000]))
def test_no_chosen_coupons_make_a_better_quote_than_the_best(chance: Random, points: int) -> None:
    what, wallet = random_cart(chance), random_held(chance)
    room = random_room(chance, wallet)
    found = best(what, wallet, points=points, room=room)
    assert found.optimality.status is OptimalityStatus.PROVEN
    for number in range(len(wallet) + 1):
        for subset in combinations(wallet, number):
            other = chosen(what, subset, points=points, room=room)
            assert found.quote.payable_minor <= other.payable_minor
    applied = {one.coupon_id for one in found.quote.applied}
    same = chosen(what, [one for one in wallet if one.coupon.id in applied], points=points, room=room)
    assert same == found.quote, "chosen, the same coupons make the same quote"


@settings(max_examples=200, deadline=None)
@given(chance=st.randoms(use_true_random=True), points=st.sampled_from([0, 0, 3000]))
def test_whoever_is_not_in_the_best_is_told_why_and_there_was_no_room_or_nothing_to_gain(
    chance: Random, points: int
) -> None:
    what, wallet = random_cart(chance), random_held(chance)
    found = best(what, wallet, points=points, room=random_room(chance, wallet))
    for one in found.not_applied:
        assert not one.eligibility.eligible
        failed = {check.name for check in one.eligibility.because.children if not check.passed}
        assert failed
        assert "searched" not in failed, "the search came to its end"
    assert all(other.payable_minor >= found.quote.payable_minor for other in found.alternatives)


def amounts(*minor: int, campaign_id: CampaignId | None = None) -> list[HeldCoupon]:
    """Coupons of these amounts, which all go together."""
    offers = [replace(offer(n, "AMOUNT_OFF", amount_minor=amount), stacking=FRIENDLY) for n, amount in enumerate(minor)]
    return [held(one, campaign_id=campaign_id) for one in offers]


def reasons(found: BestQuote) -> Mapping[int, set[str]]:
    """What each coupon that is not applied fails, by its number."""
    return {
        one.coupon_id.int: {check.name for check in one.eligibility.because.children if not check.passed}
        for one in found.not_applied
    }


def test_what_fills_a_budget_best_is_proven_to_be_the_best_though_others_are_priced_before_it() -> None:
    wallet = amounts(1100, 1000, 900, 800, 500, campaign_id=CAMPAIGNS[0])
    found = best(cart(30_000), wallet, room=Room(budgets={CAMPAIGNS[0]: budget(2300)}))
    assert [one.coupon_id.int for one in found.quote.applied] == [1, 3, 4]
    assert (found.quote.discount_minor, found.optimality.status) == (2300, OptimalityStatus.PROVEN)
    assert reasons(found) == {0: {"budget"}, 2: {"budget"}}


def test_a_budget_of_one_minor_unit_makes_nobody_search_for_long() -> None:
    wallet = amounts(*range(100, 140), campaign_id=CAMPAIGNS[0])
    found = best(cart(30_000), wallet, room=Room(budgets={CAMPAIGNS[0]: budget(1)}))
    assert (found.quote.discount_minor, found.optimality.status) == (0, OptimalityStatus.PROVEN)
    assert found.optimality.explored <= 2
    assert set(map(frozenset, reasons(found).values())) == {frozenset({"budget"})}


def test_of_more_than_60_that_are_not_in_it_those_that_expire_soonest_are_explained_and_chosen_explains_all() -> None:
    alone = [offer(n, "AMOUNT_OFF", amount_minor=100 + n) for n in range(71)]
    wallet = [
        held(replace(one, valid_until=one.valid_until + timedelta(minutes=n * 7 % 71))) for n, one in enumerate(alone)
    ]
    found = best(cart(30_000), wallet)
    (applied,) = found.quote.applied
    assert applied.coupon_id.int == 70, "the one that takes most"
    others = sorted((one.coupon for one in wallet if one.coupon.id.int != 70), key=lambda one: one.valid_until)
    assert {one.coupon_id for one in found.not_applied} == {one.id for one in others[:MAX_EXPLAINED]}
    every = chosen(cart(30_000), wallet).not_applied
    assert len(every) == 70
    assert not any(one.eligibility.eligible for one in every)


# ── one budget of time for all of it ────────────────────────────────────────────────────────────────────────────────


class Spent:
    """Is spent when it is asked for the n-th time, and notes how often it is asked after that."""

    def __init__(self, after: int) -> None:
        self._left = after
        self.asked_in_vain = 0

    def is_spent(self, *, explored: int) -> bool:
        del explored
        self._left -= 1
        self.asked_in_vain += self._left < 0
        return self._left < 0


def large(mix: str, *, size: int, campaign_id: CampaignId | None) -> list[HeldCoupon]:
    """So many coupons of one of the benchmark's mixes, each of a template of its own."""
    wallet = [one for seed in range(-(-size // 40)) for one in large_wallet(Random(seed), stacking=MIXES[mix])][:size]
    return [
        replace(
            one,
            coupon=replace(one.coupon, id=CouponId(UUID(int=10**6 + n)), template_id=TemplateId(UUID(int=5000 + n))),
            template=replace(one.template, id=TemplateId(UUID(int=5000 + n)), campaign_id=campaign_id),
        )
        for n, one in enumerate(wallet)
    ]


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("after", [0, 1, 40, 60])
def test_when_the_time_is_over_the_search_ends_wherever_it_is_and_says_what_there_may_be(mix: str, after: int) -> None:
    wallet = large(mix, size=MAX_CONSIDERED, campaign_id=CAMPAIGNS[0])
    what, spent = large_cart(Random(1)), Spent(after)
    found = make_best_quote(
        what,
        wallet,
        buyer=BUYER,
        points_policy=DEFAULT_POLICY,
        at=BENCHMARK_NOW,
        budget=spent,
        room=Room(budgets={CAMPAIGNS[0]: budget(50_000)}),
    )
    assert spent.asked_in_vain <= 2, "once while coupons are made ready, once in the search"
    assert found.quote.discount_minor <= 50_000
    assert found.quote.discount_minor + found.optimality.gap_minor == 50_000
    if found.optimality.gap_minor:
        assert found.optimality.status is OptimalityStatus.BOUNDED


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("left_minor", [None, 1, 30_000])
@pytest.mark.parametrize("remainder", RemainderPolicy)
def test_a_large_wallet_takes_no_seconds_whatever_a_budget_has_left(
    mix: str, left_minor: int | None, remainder: RemainderPolicy
) -> None:
    """Of processor time, and far from what it takes: it took fifteen seconds when each coupon was searched without."""
    wallet = large(mix, size=MAX_CONSIDERED, campaign_id=CAMPAIGNS[0])
    left = None if left_minor is None else budget(left_minor, remainder=remainder)
    room = AMPLE if left is None else Room(budgets={CAMPAIGNS[0]: left})
    what, began = large_cart(Random(1)), process_time()
    make_best_quote(
        what,
        wallet,
        buyer=BUYER,
        points_policy=DEFAULT_POLICY,
        at=BENCHMARK_NOW,
        budget=TimeBudget(BEST_QUOTE_SECONDS),
        room=room,
    )
    assert process_time() - began < 1.0


def test_a_search_that_ran_out_of_time_does_not_say_that_what_it_left_out_saves_no_more() -> None:
    """Nothing was explored but the first way; a coupon that it did not come to is told so."""
    beyond = offer(1, "THRESHOLD_AMOUNT_OFF", threshold_minor=10**9, amount_minor=1)
    wallet = [held(replace(beyond, coupon_id=CouponId(UUID(int=n)))) for n in range(1, 41)]
    wallet += [held(replace(offer(n, "AMOUNT_OFF", amount_minor=500 + n), stacking=FRIENDLY)) for n in range(41, 151)]
    found = make_best_quote(cart(100_000), wallet, buyer=BUYER, points_policy=DEFAULT_POLICY, at=NOW, budget=Spent(0))
    assert found.optimality.status is OptimalityStatus.BOUNDED
    assert len(found.quote.applied) == 88, "those that were made ready, of 128 with those that may not act"
    told = {frozenset(found) for number, found in reasons(found).items() if number > 40}
    assert told == {frozenset({"searched"})}


def test_clocks_tell_a_search_when_to_stop_and_a_slower_one_lets_it_go_on() -> None:
    """The budget of the quote with a clock that goes on by so much whenever somebody looks."""
    chance = Random(23)  # one that takes many ways
    what, wallet = large_cart(chance), large_wallet(chance, stacking=MIXES["groups"])

    def timed(tick_seconds: float) -> BestQuote:
        ticks = count(0.0, tick_seconds)
        time = TimeBudget(BEST_QUOTE_SECONDS, clock=lambda: next(ticks))
        return make_best_quote(what, wallet, buyer=BUYER, points_policy=DEFAULT_POLICY, at=BENCHMARK_NOW, budget=time)

    whole, stopped = timed(0.0005), timed(0.01)
    assert whole.optimality.explored > stopped.optimality.explored
    assert stopped.optimality.status is OptimalityStatus.BOUNDED
    assert whole.quote.discount_minor - stopped.quote.discount_minor <= stopped.optimality.gap_minor
    assert whole.optimality.gap_minor < stopped.optimality.gap_minor


@pytest.mark.parametrize(("left_minor", "helps"), [(1999, False), (2000, True)])
def test_an_unlock_is_told_where_the_budget_covers_what_it_would_take_off(left_minor: int, helps: bool) -> None:
    threshold = offer(1, "THRESHOLD_AMOUNT_OFF", threshold_minor=10_000, amount_minor=2000)
    wallet = [held(threshold, campaign_id=CAMPAIGNS[0])]
    room = Room(budgets={CAMPAIGNS[0]: budget(left_minor)})
    for quote in (chosen(cart(8800), wallet, room=room), best(cart(8800), wallet, room=room)):
        (refused,) = quote.not_applied
        assert (refused.eligibility.unlock is not None) is helps
