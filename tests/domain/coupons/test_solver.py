"""The search for the best combination: what it prefers, what it proves, and what it says when it must stop."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from domain.coupons.cart import Cart, CartLine
from domain.coupons.lanes import Lane
from domain.coupons.offer import MAX_COUPONS_PER_ORDER, CouponState, Offer, Stacking
from domain.coupons.pricing import PricingPolicy
from domain.coupons.solver.answers import OptimalityStatus, Solution, StepBudget
from domain.coupons.solver.search import MAX_ALTERNATIVES, solve
from domain.coupons.solver.table import MAX_SEARCHED
from domain.shared.ids import CouponId
from tests.domain.coupons.carts import NOW, POLICY, TEA_HOUSE, cart, offer

FRIENDLY = Stacking(tags=frozenset("p"), combines_with_tags=frozenset("p"))
GOODS = cart(10_000, 5_000)


def off(number: int, amount_minor: int, *, stacking: Stacking = FRIENDLY) -> Offer:
    """An amount off, of a coupon that goes with all of its like."""
    return replace(offer(number, "AMOUNT_OFF", amount_minor=amount_minor), stacking=stacking)


def later(coupon: Offer, days: int) -> Offer:
    """The same coupon, expiring later."""
    return replace(coupon, valid_until=coupon.valid_until + timedelta(days=days))


def copy(coupon: Offer, number: int) -> Offer:
    """Another coupon of the same template."""
    return replace(coupon, coupon_id=CouponId(UUID(int=number)))


def best(*wallet: Offer, policy: PricingPolicy = POLICY, steps: int = 10_000) -> Solution:
    """The best of the wallet on 150.00 of goods."""
    return solve(GOODS, wallet, policy=policy, at=NOW, budget=StepBudget(steps))


def numbers(found: Solution) -> list[int]:
    """The numbers of the coupons in the best combination."""
    return [one.coupon_id.int for one in found.best.offers]


def test_nothing_to_use_is_proven_to_be_the_best() -> None:
    found = best()
    assert (found.best.offers, found.optimality.status, found.alternatives) == ((), OptimalityStatus.PROVEN, ())


def test_the_order_of_lanes_is_searched_and_not_changed() -> None:
    """满150减40 and 九折: the percentage comes first by its lane, and would break the threshold."""
    threshold = replace(offer(1, "THRESHOLD_AMOUNT_OFF", threshold_minor=15_000, amount_minor=4_000), stacking=FRIENDLY)
    tenth = offer(2, "PERCENT_OFF", payable_basis_points=9_000)
    assert numbers(best(threshold, replace(tenth, stacking=replace(FRIENDLY, lane=Lane.ITEM)))) == [1]
    assert numbers(best(threshold, replace(tenth, stacking=replace(FRIENDLY, lane=Lane.TENDER)))) == [1, 2]


def test_a_greedy_choice_is_not_taken_for_the_best() -> None:
    alone = off(1, 1_000, stacking=Stacking())
    found = best(alone, off(2, 600), off(3, 600))
    assert (numbers(found), found.best.saving_minor) == ([2, 3], 1_200)


def test_a_lane_is_worth_its_best_pair_where_that_is_more_than_its_best_loner() -> None:
    item = off(1, 10, stacking=replace(FRIENDLY, lane=Lane.ITEM))
    found = best(item, off(2, 600), off(3, 600), off(4, 1_000, stacking=Stacking()))
    assert (numbers(found), found.best.saving_minor) == ([1, 2, 3], 1_210)


def test_of_equal_savings_fewer_coupons_are_used() -> None:
    assert numbers(best(off(1, 500), off(2, 500), off(3, 1_000, stacking=Stacking()))) == [3]


def test_of_as_many_coupons_those_that_expire_first_are_used() -> None:
    assert numbers(best(later(off(1, 500, stacking=Stacking()), 1), off(2, 500, stacking=Stacking()))) == [2]


def test_pairs_that_save_the_same_are_all_looked_at_for_what_expires_first() -> None:
    p, q = FRIENDLY, Stacking(tags=frozenset("q"), combines_with_tags=frozenset("q"))
    late = [later(off(3, 700, stacking=q), 1), later(off(4, 500, stacking=q), 1)]
    assert numbers(best(off(1, 600, stacking=p), off(2, 600, stacking=p), *late)) == [1, 2]


def test_of_coupons_that_expire_together_the_lowest_id_is_used() -> None:
    assert numbers(best(off(2, 500, stacking=Stacking()), off(1, 500, stacking=Stacking()))) == [1]


def test_of_copies_those_that_expire_first_are_used_as_many_as_the_order_takes() -> None:
    two = replace(FRIENDLY, max_per_order=2)
    first = off(1, 500, stacking=two)
    wallet = [later(first, 3), later(copy(first, 2), 2), later(copy(first, 3), 1), copy(first, 4)]
    assert numbers(best(*wallet)) == [3, 4]


def test_copies_with_others_priced_between_them_are_still_no_more_than_the_order_takes() -> None:
    first = off(1, 500, stacking=replace(FRIENDLY, max_per_order=2))
    found = best(first, off(2, 10), copy(first, 3), off(4, 10), copy(first, 5))
    assert (numbers(found), found.best.saving_minor) == ([1, 2, 3, 4], 1_020)


def test_copies_with_another_coupon_priced_between_them_do_not_stand_in_for_each_other() -> None:
    """Half of 150.00 and then 10.00 is more than 10.00 and then half of 140.00."""
    half = replace(offer(1, "PERCENT_OFF", payable_basis_points=5_000), stacking=FRIENDLY)
    found = best(later(half, 1), off(2, 1_000), copy(half, 3))
    assert (numbers(found), found.best.saving_minor) == ([1, 2], 8_500)


def test_copies_are_not_tried_for_one_another() -> None:
    """Twelve coupons of a tenth off have 4,096 subsets, of which thirteen differ."""
    tenth = offer(1, "PERCENT_OFF", payable_basis_points=9_000)
    like = replace(tenth, stacking=replace(FRIENDLY, max_per_order=12))
    found = best(*(copy(like, number) for number in range(1, 13)))
    assert len(found.best.offers) == 12
    assert found.optimality.status is OptimalityStatus.PROVEN
    assert found.optimality.explored <= 13


def test_a_floor_of_one_fen_stays_to_be_paid_with_no_coupon_too_many() -> None:
    wallet = [off(number, 6_000) for number in range(1, 6)]
    found = best(*wallet, policy=PricingPolicy(min_payable_minor=1))
    assert (found.best.saving_minor, numbers(found)) == (14_999, [1, 2, 3])


def test_what_may_not_be_used_is_not_searched() -> None:
    reserved = replace(off(1, 500), state=CouponState.RESERVED)
    expired = replace(off(2, 500), valid_until=NOW)
    to_come = replace(off(3, 500), valid_from=NOW + timedelta(days=1))
    foreign = replace(off(4, 500), currency="USD")
    assert best(reserved, expired, to_come, foreign).best.offers == ()


def test_a_search_that_is_stopped_says_what_could_still_be_saved() -> None:
    """The percentage is counted in full until the search sees that the amounts before it leave less to take it of."""
    early, late = replace(FRIENDLY, lane=Lane.ITEM), replace(FRIENDLY, lane=Lane.TENDER)
    group = [replace(off(n, 3_000 + n, stacking=replace(early, exclusive_group=f"g{n % 3}"))) for n in range(1, 9)]
    tenth = replace(offer(20, "PERCENT_OFF", payable_basis_points=5_000), stacking=late)
    whole, stopped = best(*group, tenth), best(*group, tenth, steps=0)
    assert whole.optimality.status is OptimalityStatus.PROVEN
    assert stopped.optimality.status is OptimalityStatus.BOUNDED
    assert whole.best.saving_minor - stopped.best.saving_minor <= stopped.optimality.gap_minor
    assert stopped.optimality.explored < whole.optimality.explored


def test_what_is_left_out_of_a_large_wallet_counts_in_the_gap() -> None:
    wallet = [off(number, number) for number in range(1, MAX_SEARCHED + 4)]
    found = solve(cart(10**6), wallet, policy=POLICY, at=NOW, budget=StepBudget(10))
    assert len(found.best.offers) == MAX_COUPONS_PER_ORDER
    assert (found.optimality.status, found.optimality.gap_minor) == (OptimalityStatus.BOUNDED, 1 + 2 + 3)


def test_alternatives_are_no_parts_of_what_is_better() -> None:
    found = best(off(1, 900), off(2, 800), *(off(n, 100 * n, stacking=Stacking()) for n in range(3, 16)))
    assert numbers(found) == [1, 2]
    assert [one.saving_minor for one in found.alternatives] == [100 * n for n in range(15, 5, -1)]
    assert len(found.alternatives) == MAX_ALTERNATIVES


def test_a_coupon_may_get_dearer_units_for_nothing_once_another_has_used_up_the_cheap_ones() -> None:
    """买1送1 twice over units of 1.00, 1.00, 10.00, 10.00: 1.00 is free, then 10.00."""
    friendly = replace(FRIENDLY, max_per_order=2)
    gift = replace(offer(1, "BUY_X_GET_Y", buy_quantity=1, get_quantity=1), stacking=friendly)
    alone = off(9, 500, stacking=Stacking(lane=Lane.ITEM))
    found = solve(
        cart(100, 100, 1000, 1000), [gift, copy(gift, 2), alone], policy=POLICY, at=NOW, budget=StepBudget(100)
    )
    assert (found.best.saving_minor, numbers(found)) == (1100, [1, 2])
    assert found.optimality.status is OptimalityStatus.PROVEN


def test_of_combinations_that_save_the_same_the_one_with_fewer_coupons_is_found_though_it_promises_no_more() -> None:
    def stacked(tags: str, combines: str, *, priority: int = 1) -> Stacking:
        return Stacking(tags=frozenset(tags), combines_with_tags=frozenset(combines), priority=priority)

    share = replace(
        offer(61, "PERCENT_OFF", payable_basis_points=9000), stacking=stacked("p", "q"), merchant_id=TEA_HOUSE
    )
    amount = replace(offer(28, "AMOUNT_OFF", amount_minor=2500), stacking=stacked("pq", "p"))
    cash = replace(offer(78, "CASH", face_minor=1500), stacking=stacked("pq", "p"))
    less = replace(offer(47, "CASH", face_minor=1000), stacking=stacked("pq", "q", priority=0))
    two = Cart("CNY", (CartLine("1", "a", TEA_HOUSE, 2, 1500),))
    found = solve(two, [share, amount, cash, less], policy=POLICY, at=NOW, budget=StepBudget(10_000))
    assert (found.best.saving_minor, found.optimality.status) == (3000, OptimalityStatus.PROVEN)
    assert len(numbers(found)) == 2, "a third one would be used up for nothing"
