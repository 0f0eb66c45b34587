"""What is remembered for all moments of a cart is what looking at it again would say."""

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.coupons.cart import MemberPriceRule, Scope
from domain.coupons.decision import Circumstances, decide
from domain.coupons.moment import Moment
from domain.coupons.offer import CouponState, Offer
from domain.coupons.sights import Sights
from domain.coupons.terms import BasketLine
from tests.domain.coupons.carts import NOW
from tests.domain.coupons.wallets import MERCHANTS, random_cart, random_offer, random_wallet

CHANCES = st.randoms(use_true_random=True)


def scope(chance: Random) -> Scope:
    """Any scope of the goods of random carts, and of goods that no cart has."""
    return Scope(
        product_refs=frozenset(chance.sample("abcd", chance.choice([0, 0, 1, 2]))),
        category_refs=frozenset(chance.sample("wxyz", chance.choice([0, 0, 1, 2]))),
        merchant_ids=frozenset(chance.sample(MERCHANTS, chance.choice([0, 0, 1, 2]))),
        excluded_product_refs=frozenset(chance.sample("abcd", chance.choice([0, 0, 1]))),
        with_member_price=chance.choice(list(MemberPriceRule)),
    )


@settings(max_examples=300, deadline=None)
@given(chance=CHANCES)
def test_the_lines_of_a_scope_are_those_that_it_holds(chance: Random) -> None:
    cart = random_cart(chance)
    sights = Sights(cart)
    for number in range(5):
        offer = replace(random_offer(chance, number, friendly=True), scope=scope(chance))
        kind = offer.coupon_kind
        held = tuple(
            place
            for place, line in enumerate(cart.lines)
            if offer.scope.holds_line(line, merchant_ids=offer.merchant_ids) and kind.acts_on(offer.terms, line)
        )
        assert sights.places(offer) == held
        assert sights.places(offer) == held, "asked again it says the same"


@settings(max_examples=200, deadline=None)
@given(chance=CHANCES)
def test_a_line_that_was_seen_is_the_line(chance: Random) -> None:
    cart = random_cart(chance)
    sights = Sights(cart)
    for place, line in enumerate(cart.lines):
        left = chance.randint(0, line.subtotal_minor)
        touched = (chance.randint(0, line.quantity - 1), chance.randint(0, left)) if chance.random() < 0.5 else (0, 0)
        plain = BasketLine(line, left, *touched)
        for _ in range(2):
            seen = sights.line(place, left_minor=left, touched_units=touched[0], touched_minor=touched[1])
            assert (seen.open_units, seen.open_minor) == (plain.open_units, plain.open_minor)
            if plain.open_units:
                assert seen.unit_price == plain.unit_price
                assert seen.units_minor(1) == plain.units_minor(1)


@settings(max_examples=300, deadline=None)
@given(chance=CHANCES, friendly=st.booleans())
def test_what_is_decided_is_what_is_proven(chance: Random, friendly: bool) -> None:
    moment = Moment.at_start(random_cart(chance), min_payable_minor=chance.randint(0, 1))
    circumstances = Circumstances(NOW, frozenset({CouponState.CLAIMED}))
    for offer in random_wallet(chance, most=9, friendly=friendly):
        decision = decide(_spoilt(chance, offer), moment=moment, circumstances=circumstances)
        eligibility = decision.proof().eligibility
        assert eligibility.eligible is (decision.effect is not None)
        assert eligibility.because.passed is eligibility.eligible
        if decision.effect is not None:
            moment = moment.after(offer, effect=decision.effect)


def _spoilt(chance: Random, offer: Offer) -> Offer:
    """The coupon, perhaps in another state, period or currency."""
    return chance.choice(
        [
            offer,
            offer,
            offer,
            replace(offer, state=CouponState.RESERVED),
            replace(offer, valid_until=NOW),
            replace(offer, currency="USD"),
        ]
    )
