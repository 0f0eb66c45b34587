"""The search against trying every subset of small random wallets, and the laws that its bound relies on."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.coupons.cart import Cart
from domain.coupons.decision import Circumstances, decide, is_in_scope, is_usable, own_checks, scope_checks
from domain.coupons.moment import Moment, Reach
from domain.coupons.offer import CouponState, Offer
from domain.coupons.pricing import PricingPolicy, price
from domain.coupons.solver.answers import OptimalityStatus, Solution, StepBudget
from domain.coupons.solver.candidates import How
from domain.coupons.solver.rejections import rejections
from domain.coupons.solver.search import solve
from domain.coupons.solver.table import tabulate
from domain.shared.ids import CouponId
from tests.domain.coupons.carts import NOW
from tests.domain.coupons.ranks import Rank, rank
from tests.domain.coupons.wallets import random_cart, random_wallet

ENDLESS = StepBudget(1_000_000)
NOW_CLAIMED = Circumstances(NOW, frozenset({CouponState.CLAIMED}))
CHANCES = st.randoms(use_true_random=True)


def every_subset(cart: Cart, wallet: Sequence[Offer], policy: PricingPolicy) -> list[Rank]:
    """What each subset of the wallet comes to, by the pricing alone."""
    ranks = []
    for count in range(len(wallet) + 1):
        for subset in combinations(wallet, count):
            pricing = price(cart, subset, policy=policy, at=NOW)
            ranks.append(rank(pricing.discount_minor, [one.offer for one in pricing.applied]))
    return ranks


def check_against_pricing(found: Solution, cart: Cart, policy: PricingPolicy) -> None:
    """The best and every alternative cost what the pricing says, with all of their coupons acting."""
    for combination in (found.best, *found.alternatives):
        pricing = price(cart, combination.offers, policy=policy, at=NOW)
        assert tuple(one.offer for one in pricing.applied) == combination.offers
        assert pricing.discount_minor == combination.saving_minor


@settings(max_examples=400, deadline=None)
@given(chance=CHANCES, friendly=st.booleans())
def test_no_subset_of_a_wallet_is_better_than_what_is_found(chance: Random, friendly: bool) -> None:
    cart, wallet = random_cart(chance), random_wallet(chance, friendly=friendly)
    policy = PricingPolicy(chance.randint(0, 1))
    best = min(every_subset(cart, wallet, policy))
    found = solve(cart, wallet, policy=policy, at=NOW, budget=ENDLESS)
    assert rank(found.best.saving_minor, found.best.offers) == best
    assert (found.optimality.status, found.optimality.gap_minor) == (OptimalityStatus.PROVEN, 0)
    check_against_pricing(found, cart, policy)
    chance.shuffle(wallet)
    assert solve(cart, wallet, policy=policy, at=NOW, budget=ENDLESS) == found, "never the order of the request"


@settings(max_examples=400, deadline=None)
@given(chance=CHANCES, friendly=st.booleans(), steps=st.integers(0, 3))
def test_a_search_that_is_cut_short_knows_how_much_could_still_be_saved(
    chance: Random, friendly: bool, steps: int
) -> None:
    cart, wallet = random_cart(chance), random_wallet(chance, friendly=friendly)
    policy = PricingPolicy(chance.randint(0, 1))
    best_minor = -min(every_subset(cart, wallet, policy))[0]
    found = solve(cart, wallet, policy=policy, at=NOW, budget=StepBudget(steps))
    optimality = found.optimality
    assert found.best.saving_minor <= best_minor <= found.best.saving_minor + optimality.gap_minor
    assert (optimality.status is OptimalityStatus.PROVEN) == (optimality.gap_minor == 0)
    check_against_pricing(found, cart, policy)


@settings(max_examples=300, deadline=None)
@given(chance=CHANCES)
def test_whatever_acts_before_a_coupon_takes_off_no_more_than_its_cap(chance: Random) -> None:
    """The bound is admissible: along any path, coupons stay below the caps that were read off the whole cart."""
    cart, wallet = random_cart(chance), random_wallet(chance, most=9, friendly=True)
    moment = Moment.at_start(cart, min_payable_minor=chance.randint(0, 1))
    table = tabulate(wallet, start=moment, circumstances=NOW_CLAIMED, budget=ENDLESS)
    caps = {one.offer.coupon_id: one for one in table.candidates}
    before: dict[CouponId, int] = {}
    for offer in sorted(wallet, key=lambda offer: offer.pricing_order):
        for other in wallet:
            takes = Reach.of(other, moment=moment).effect.amount_minor
            candidate = caps.get(other.coupon_id)
            if candidate is None:
                continue
            assert takes <= candidate.cap_minor
            if candidate.how is not How.UNITS:
                assert takes <= before.get(other.coupon_id, takes), "never more where less is left"
                before[other.coupon_id] = takes
        decision = decide(offer, moment=moment, circumstances=NOW_CLAIMED)
        if decision.effect is not None:
            assert offer.coupon_id in caps, "what acts is searched"
            moment = moment.after(offer, effect=decision.effect)


@settings(max_examples=200, deadline=None)
@given(chance=CHANCES, friendly=st.booleans())
def test_every_other_coupon_has_a_proof_that_it_does_not_help(chance: Random, friendly: bool) -> None:
    cart, wallet, policy = random_cart(chance), random_wallet(chance, friendly=friendly), PricingPolicy()
    best = solve(cart, wallet, policy=policy, at=NOW, budget=ENDLESS).best
    others = rejections(cart, wallet, best=best.offers, policy=policy, circumstances=NOW_CLAIMED)
    assert {one.offer.coupon_id for one in others} | {one.coupon_id for one in best.offers} == {
        offer.coupon_id for offer in wallet
    }
    assert len(others) + len(best.offers) == len(wallet)
    for one in others:
        assert not one.eligibility.eligible
        assert any(not check.passed for check in one.eligibility.because.children)
        assert one.conflicts_with is None or one.conflicts_with in {offer.coupon_id for offer in best.offers}
        together = price(cart, [*best.offers, one.offer], policy=policy, at=NOW)
        assert together.discount_minor <= best.saving_minor


@settings(max_examples=200, deadline=None)
@given(chance=CHANCES, friendly=st.booleans())
def test_what_the_search_asks_in_short_is_what_the_proof_says(chance: Random, friendly: bool) -> None:
    moment = Moment.at_start(random_cart(chance), min_payable_minor=0)
    for offer in random_wallet(chance, friendly=friendly):
        at = chance.choice([NOW, offer.valid_until, offer.valid_from])
        known = replace(offer, state=chance.choice(list(CouponState)), currency=chance.choice(["CNY", "USD"]))
        circumstances = Circumstances(at, NOW_CLAIMED.usable_states)
        reach = Reach.of(known, moment=moment)
        assert is_in_scope(reach) == all(check.passed for check in scope_checks(reach))
        proof = own_checks(replace(known, conditions=None), cart=moment.cart, circumstances=circumstances)
        assert is_usable(known, circumstances=circumstances) == all(check.passed for check in proof)
