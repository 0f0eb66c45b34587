"""An order takes so many coupons at most: chosen, searched, and told."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from domain.coupons.offer import MAX_COUPONS_PER_ORDER, Offer, Stacking
from domain.coupons.solver.answers import OptimalityStatus, StepBudget
from domain.coupons.solver.search import solve
from tests.domain.coupons.carts import NOW, POLICY, cart, offer
from tests.domain.orders.held import held
from tests.domain.orders.test_best_quote import best, chosen

MOST = MAX_COUPONS_PER_ORDER
FRIENDLY = Stacking(tags=frozenset("p"), combines_with_tags=frozenset("p"))


def friendly(amounts: Sequence[int]) -> list[Offer]:
    return [
        replace(offer(number, "AMOUNT_OFF", amount_minor=amount), stacking=FRIENDLY)
        for number, amount in enumerate(amounts, start=1)
    ]


def test_as_many_that_take_most_are_proven_to_be_the_best() -> None:
    found = solve(cart(100_000), friendly(range(100, 105 + MOST)), policy=POLICY, at=NOW, budget=StepBudget(1000))
    assert {one.coupon_id.int for one in found.best.offers} == set(range(6, 6 + MOST))
    assert found.best.saving_minor == sum(range(105, 105 + MOST))
    assert found.optimality.status is OptimalityStatus.PROVEN
    assert all(len(one.offers) <= MOST for one in found.alternatives)


def test_where_the_order_limit_is_in_the_way_of_a_proof_the_gap_says_how_far() -> None:
    """Each of many percentages takes less after others, and by how much no bound that is known tells."""
    many = [
        replace(offer(number, "PERCENT_OFF", payable_basis_points=9980 - number), stacking=FRIENDLY)
        for number in range(1, MOST + 11)
    ]
    found = solve(cart(100_000), many, policy=POLICY, at=NOW, budget=StepBudget(1000))
    largest = {one.coupon_id.int for one in found.best.offers}
    assert largest == set(range(11, 11 + MOST)), "those that take most"
    assert found.optimality.status is OptimalityStatus.BOUNDED
    assert found.optimality.gap_minor > 0


@pytest.mark.parametrize("price_minor", [100_000, 100 * MOST])
def test_what_is_found_is_what_is_priced_and_the_others_are_told_why(price_minor: int) -> None:
    wallet = [held(one) for one in friendly([100] * (MOST + 5))]
    quote = best(cart(price_minor), wallet)
    assert len(quote.quote.applied) == MOST
    for one in quote.not_applied:
        failed = {check.name for check in one.eligibility.because.children if not check.passed}
        assert failed == {"coupons_per_order"}
    applied = {one.coupon_id for one in quote.quote.applied}
    same = chosen(cart(price_minor), [one for one in wallet if one.coupon.id in applied])
    assert same == quote.quote


def test_of_more_that_are_chosen_those_priced_first_act() -> None:
    quote = chosen(cart(100_000), [held(one) for one in friendly([100] * (MOST + 1))])
    assert [one.coupon_id.int for one in quote.applied] == list(range(1, MOST + 1))
    (last,) = quote.not_applied
    assert [check.name for check in last.eligibility.because.children if not check.passed] == ["coupons_per_order"]
