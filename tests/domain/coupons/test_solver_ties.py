"""Which of several combinations that save the same is taken: round amounts, of which most wallets have some."""

from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.coupons.cart import Cart, CartLine, Scope
from domain.coupons.kinds import KINDS
from domain.coupons.offer import Offer, Stacking
from domain.coupons.pricing import PricingPolicy, price
from domain.coupons.solver.answers import OptimalityStatus, StepBudget
from domain.coupons.solver.search import solve
from domain.coupons.terms import TermJson
from tests.domain.coupons.carts import NOW, POLICY, TEA_HOUSE, offer
from tests.domain.coupons.ranks import rank

ROUND_MINOR = 500
ENDLESS = StepBudget(1_000_000)


def round_cart(chance: Random) -> Cart:
    """A few lines at 5, 10, 15 or 20 yuan."""
    lines = tuple(
        CartLine(str(place), chance.choice("abc"), TEA_HOUSE, chance.randint(1, 2), ROUND_MINOR * chance.randint(1, 4))
        for place in range(chance.randint(1, 3))
    )
    return Cart("CNY", lines, shipping_minor=chance.choice([0, 0, 600]))


def round_terms(chance: Random, kind: str, *, amount_minor: int) -> dict[str, TermJson]:
    """Terms in steps of 5 yuan, and shares that leave round amounts."""
    return {
        "AMOUNT_OFF": {"amountMinor": amount_minor},
        "THRESHOLD_AMOUNT_OFF": {
            "amountMinor": amount_minor,
            "thresholdMinor": amount_minor + ROUND_MINOR * chance.randint(0, 6),
        },
        "PERCENT_OFF": {"payableBasisPoints": chance.choice([5000, 7500, 9000])},
        "CASH": {"faceMinor": amount_minor},
        "FREE_SHIPPING": {"maxMinor": chance.choice([300, 600])},
        "FIXED_PRICE": {"priceMinor": ROUND_MINOR},
        "PRODUCT_EXCHANGE": {"productRefs": [chance.choice("abc")]},
        "BUY_X_GET_Y": {"buyQuantity": 1, "getQuantity": 1},
    }[kind]  # type: ignore[return-value]  # a table of literals: each of them is terms


def round_offer(chance: Random, number: int) -> Offer:
    """A coupon of any kind; some go together, some expire together."""
    kind, amount = chance.choice(list(KINDS)), ROUND_MINOR * chance.randint(1, 6)
    terms = KINDS[kind].terms_from_json(round_terms(chance, kind, amount_minor=amount))
    plain = offer(number, "AMOUNT_OFF", amount_minor=1)
    tags = [frozenset(chance.sample("pq", chance.choice([0, 1, 1, 2]))) for _ in "ab"]
    return replace(
        plain,
        kind=kind,
        terms=terms,
        balance_minor=KINDS[kind].balance(terms),
        merchant_id=chance.choice([None, None, TEA_HOUSE]),
        scope=Scope(product_refs=frozenset(chance.sample("abc", chance.choice([0, 0, 0, 1])))),
        valid_until=plain.valid_until + timedelta(days=chance.randint(0, 2)),
        stacking=Stacking(
            tags=tags[0],
            combines_with_tags=tags[1],
            exclusive_group=chance.choice([None, None, None, "g"]),
            priority=chance.randint(0, 1),
        ),
    )


@settings(max_examples=400, deadline=None)
@given(chance=st.randoms(use_true_random=True))
def test_of_combinations_that_save_the_same_the_rule_decides_which_is_found(chance: Random) -> None:
    cart = round_cart(chance)
    wallet = [round_offer(chance, number) for number in chance.sample(range(1, 100), chance.randint(3, 7))]
    policy = PricingPolicy(chance.randint(0, 1))
    ranks = [
        rank(pricing.discount_minor, [one.offer for one in pricing.applied])
        for count in range(len(wallet) + 1)
        for subset in combinations(wallet, count)
        for pricing in [price(cart, subset, policy=policy, at=NOW)]
    ]
    found = solve(cart, wallet, policy=policy, at=NOW, budget=ENDLESS)
    assert rank(found.best.saving_minor, found.best.offers) == min(ranks)
    assert found.optimality.status is OptimalityStatus.PROVEN


def _tagged(coupon: Offer, tags: str, combines: str, *, priority: int = 0) -> Offer:
    stacking = Stacking(tags=frozenset(tags), combines_with_tags=frozenset(combines), priority=priority)
    return replace(coupon, stacking=stacking)


def test_a_coupon_that_adds_nothing_to_the_saving_is_not_used_up() -> None:
    """九折, 25 off and a balance of 10 save 30.00 of 30.00; without the first the other two save it as well."""
    tenth = _tagged(offer(61, "PERCENT_OFF", payable_basis_points=9000), "p", "q", priority=1)
    wallet = [
        replace(tenth, merchant_id=TEA_HOUSE),
        _tagged(offer(28, "AMOUNT_OFF", amount_minor=2500), "pq", "p", priority=1),
        _tagged(offer(78, "CASH", face_minor=1500), "pq", "p", priority=1),
        _tagged(offer(47, "CASH", face_minor=1000), "pq", "q"),
    ]
    goods = Cart("CNY", (CartLine("1", "a", TEA_HOUSE, 2, 1500),))
    found = solve(goods, wallet, policy=POLICY, at=NOW, budget=ENDLESS)
    assert (found.best.saving_minor, len(found.best.offers)) == (3000, 2)


def test_ties_are_told_apart_in_wallets_of_which_every_part_saves_the_same() -> None:
    """Forty coupons, any three of which pay for everything: the three that expire first are used."""
    together = Stacking(tags=frozenset("p"), combines_with_tags=frozenset("p"))
    goods = Cart("CNY", (CartLine("1", "a", TEA_HOUSE, 1, 15_000),))
    wallet = [
        replace(
            offer(number, "AMOUNT_OFF", amount_minor=5_000 + number),
            stacking=together,
            valid_until=NOW + timedelta(days=1 + number * 7 % 41),
        )
        for number in range(1, 41)
    ]
    found = solve(goods, wallet, policy=POLICY, at=NOW, budget=StepBudget(1_000))
    first = sorted(wallet, key=lambda one: one.valid_until)[:3]
    assert {one.coupon_id for one in found.best.offers} == {one.coupon_id for one in first}
    assert found.optimality.status is OptimalityStatus.PROVEN
