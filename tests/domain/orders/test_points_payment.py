"""Points as payment: what they pay, never more than there is, and the best combination with them."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from random import Random
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.coupons.cart import Cart, CartLine
from domain.coupons.lanes import Lane
from domain.coupons.offer import Offer, Stacking, ThresholdBase
from domain.coupons.pricing import PricingPolicy, price
from domain.coupons.solver.answers import OptimalityStatus, Solution, StepBudget
from domain.coupons.solver.search import solve
from domain.orders.points_payment import PointsOffered, points_used
from domain.orders.quotes import Buyer, make_quote
from domain.points.policy import DEFAULT_POLICY, PointsPolicy, Worth
from domain.shared.ids import MemberId, MerchantId
from tests.domain.coupons.carts import BOOK_SHOP, NOW, POLICY, TEA_HOUSE, cart, offer, priced
from tests.domain.coupons.wallets import random_cart, random_wallet

SHOPS = [(1, TEA_HOUSE), (2, BOOK_SHOP)]
ELSEWHERE = MerchantId(UUID(int=3))
GOODS = [(TEA_HOUSE, 2500), (BOOK_SHOP, 2500), (ELSEWHERE, 5000)]
BUYER = Buyer(MemberId(UUID(int=1)), 0, "CNY")


def quoted(
    points: PointsOffered, *, shipping_minor: int = 0, policy: PointsPolicy = DEFAULT_POLICY
) -> tuple[int, int, int]:
    what = cart(1000, 500, shipping_minor=shipping_minor)
    quote = make_quote(what, [], buyer=BUYER, points_policy=policy, at=NOW, points=points)
    assert quote.points_decision is not None
    assert quote.points_decision.eligible == (quote.points_used == points.asked)
    return quote.points_used, quote.points_minor, quote.payable_minor


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        (PointsOffered(300, available=300), (300, 300, 1200)),
        (PointsOffered(300, available=200), (200, 200, 1300)),
        (PointsOffered(9000, available=9000), (1500, 1500, 0)),
        (PointsOffered(300, available=300, debt=1), (0, 0, 1500)),
        (PointsOffered(300, available=-5), (0, 0, 1500)),
        (PointsOffered(0, available=300), (0, 0, 1500)),
    ],
)
def test_points_pay_what_there_is_and_what_is_left_to_pay(
    offered: PointsOffered, expected: tuple[int, int, int]
) -> None:
    assert quoted(offered) == expected


@pytest.mark.parametrize(("shipping_minor", "used", "payable"), [(0, 1499, 1), (1, 1500, 1), (800, 1500, 800)])
def test_points_leave_what_must_be_paid_and_say_so(shipping_minor: int, used: int, payable: int) -> None:
    what, buyer = cart(1000, 500, shipping_minor=shipping_minor), replace(BUYER, pricing=PricingPolicy(1))
    offered = PointsOffered(1500, available=9000)
    quote = make_quote(what, [], buyer=buyer, points_policy=DEFAULT_POLICY, at=NOW, points=offered)
    assert (quote.points_used, quote.payable_minor) == (used, payable)
    assert quote.points_decision is not None
    failed = [one.name for one in quote.points_decision.because.children if not one.passed]
    assert failed == ([] if used == 1500 else ["payable"])


def test_points_never_pay_for_shipping() -> None:
    assert quoted(PointsOffered(9000, available=9000), shipping_minor=800) == (1500, 1500, 800)


def test_the_least_points_are_used_that_pay_what_they_pay() -> None:
    # Three points are worth two fen: 100 points are worth 66, for which 99 will do.
    policy = PointsPolicy(worth=Worth(points=3, minor=2))
    what = cart(1000)
    quote = make_quote(what, [], buyer=BUYER, points_policy=policy, at=NOW, points=PointsOffered(100, available=100))
    assert (quote.points_used, quote.points_minor) == (99, 66)


def test_points_are_worth_nothing_in_a_foreign_currency() -> None:
    what = cart(1000, currency="USD")
    quote = make_quote(
        what, [], buyer=BUYER, points_policy=DEFAULT_POLICY, at=NOW, points=PointsOffered(5, available=5)
    )
    assert (quote.points_used, quote.payable_minor) == (0, 1000)
    assert quote.points_decision is not None
    assert not quote.points_decision.because.children[0].passed


def test_points_are_shared_over_the_lines_by_what_is_left_of_them() -> None:
    pricing = price(cart(999, 1, 1000), [], policy=POLICY, at=NOW, points_minor=1000)
    assert [line.points_minor for line in pricing.lines] == [500, 0, 500]
    assert sum(line.payable_minor for line in pricing.lines) == 1000


def test_a_threshold_counts_what_points_pay_as_if_it_were_still_to_pay() -> None:
    late = replace(offer(1, "THRESHOLD_AMOUNT_OFF", threshold_minor=1000, amount_minor=100))
    for base in (ThresholdBase.INITIAL, ThresholdBase.BEFORE_THIS):
        tender = replace(late, threshold_base=base, stacking=replace(late.stacking, lane=Lane.TENDER))
        pricing = price(cart(1000), [tender], policy=POLICY, at=NOW, points_minor=500)
        assert [one.amount_minor for one in pricing.applied] == [100]


def test_without_points_nothing_is_different() -> None:
    offers = [offer(1, "AMOUNT_OFF", amount_minor=100)]
    assert price(cart(1000), offers, policy=POLICY, at=NOW, points_minor=0) == priced(cart(1000), offers)


def pays_least(found: Solution, what: Cart, wallet: Sequence[Offer], policy: PricingPolicy, points_minor: int) -> None:
    """No subset leaves less to pay, nor as much and takes more off by coupons; and the pricing says what was found."""
    priced = [
        price(what, subset, policy=policy, at=NOW, points_minor=points_minor)
        for count in range(len(wallet) + 1)
        for subset in combinations(wallet, count)
    ]
    best = price(what, found.best.offers, policy=policy, at=NOW, points_minor=points_minor)
    assert (best.discount_minor, best.points_minor) == (found.best.saving_minor, found.best.points_minor)
    assert [one.offer for one in best.applied] == list(found.best.offers)
    least = min((one.payable_minor, -one.discount_minor) for one in priced)
    assert least[0] >= best.payable_minor - found.optimality.gap_minor
    if found.optimality.status is OptimalityStatus.PROVEN:
        assert best.payable_minor == least[0]


@settings(max_examples=300, deadline=None)
@given(chance=st.randoms(use_true_random=True), friendly=st.booleans(), points_minor=st.integers(0, 12_000))
def test_with_points_no_subset_of_a_wallet_leaves_less_to_pay_than_what_is_found(
    chance: Random, friendly: bool, points_minor: int
) -> None:
    what, wallet = random_cart(chance), random_wallet(chance, most=5, friendly=friendly)
    policy = PricingPolicy(chance.randint(0, 1))
    found = solve(what, wallet, policy=policy, at=NOW, budget=StepBudget(1_000_000), points_minor=points_minor)
    assert found.optimality.status is OptimalityStatus.PROVEN
    pays_least(found, what, wallet, policy, points_minor)
    stopped = solve(
        what, wallet, policy=policy, at=NOW, budget=StepBudget(chance.randint(0, 2)), points_minor=points_minor
    )
    pays_least(stopped, what, wallet, policy, points_minor)


def test_points_beside_coupons_are_proven_to_leave_least() -> None:
    what, wallet = cart(1000, 500), [offer(1, "AMOUNT_OFF", amount_minor=400), offer(2, "CASH", face_minor=300)]
    for points_minor in (200, 1100):
        found = solve(what, wallet, policy=POLICY, at=NOW, budget=StepBudget(1000), points_minor=points_minor)
        left = 1500 - found.best.saving_minor - found.best.points_minor
        assert (found.optimality.status, left) == (OptimalityStatus.PROVEN, max(0, 800 - points_minor))


def test_what_leaves_points_most_to_pay_is_found_although_without_points_another_saves_more() -> None:
    """Two balances that cover their goods save most without points; with points, an amount off beside one does."""
    tags = Stacking(tags=frozenset("p"), combines_with_tags=frozenset("p"))
    tea, books = (replace(offer(n, "CASH", face_minor=3000), stacking=tags, merchant_id=m) for n, m in SHOPS)
    off = replace(offer(3, "AMOUNT_OFF", amount_minor=2700), stacking=replace(tags, exclusive_group="g"))
    books = replace(books, stacking=replace(tags, exclusive_group="g"))
    what = Cart("CNY", tuple(CartLine(str(n), "p", m, 1, price) for n, (m, price) in enumerate(GOODS)))
    without = solve(what, [tea, books, off], policy=POLICY, at=NOW, budget=StepBudget(1000))
    assert (without.best.saving_minor, without.best.offers) == (5000, (tea, books))
    found = solve(what, [tea, books, off], policy=POLICY, at=NOW, budget=StepBudget(1000), points_minor=3500)
    assert found.optimality.status is OptimalityStatus.PROVEN
    assert found.best.offers == (off, tea)
    pays_least(found, what, [tea, books, off], POLICY, 3500)


def test_a_threshold_that_points_help_to_reach_is_searched_with_them() -> None:
    """满15减15, held against what it leaves: without points 14.00, with 20.00 of them all that they and it pay."""
    after = replace(
        offer(1, "THRESHOLD_AMOUNT_OFF", threshold_minor=1500, amount_minor=1500),
        threshold_base=ThresholdBase.AFTER_THIS,
        stacking=Stacking(lane=Lane.TENDER),
    )
    without = solve(cart(2900), [after], policy=POLICY, at=NOW, budget=StepBudget(1000))
    assert without.best.offers == ()
    found = solve(cart(2900), [after], policy=POLICY, at=NOW, budget=StepBudget(1000), points_minor=2000)
    assert (found.best.offers, found.best.saving_minor, found.best.points_minor) == ((after,), 900, 2000)
    assert found.optimality.status is OptimalityStatus.PROVEN


def test_where_points_would_pay_for_everything_coupons_are_used_all_the_same() -> None:
    """They leave the member as much money, and more of its points."""
    found = solve(
        cart(1000, shipping_minor=300),
        [offer(1, "AMOUNT_OFF", amount_minor=400), offer(2, "CASH", face_minor=300)],
        policy=POLICY,
        at=NOW,
        budget=StepBudget(1000),
        points_minor=5000,
    )
    assert [one.coupon_id.int for one in found.best.offers] == [1]
    assert (found.best.saving_minor, found.best.points_minor) == (400, 600)


def test_the_decision_names_what_was_in_the_way() -> None:
    pricing = price(cart(1000), [], policy=POLICY, at=NOW, points_minor=1000)
    used = points_used(
        PointsOffered(2000, available=1500), pricing=pricing, points_currency="CNY", policy=DEFAULT_POLICY
    )
    assert used.points == 1000
    found = {one.name: (one.passed, one.required, one.actual) for one in used.decision.because.children}
    assert found["available"] == (False, "≥ 2000", "1500")
    assert found["payable"] == (False, "≥ ¥20.00", "¥10.00")
