"""Every kind says the one step that would make its coupon act, and taking that step makes it act."""

from dataclasses import replace

import pytest

from domain.coupons.cart import Cart, CartLine, Scope
from domain.coupons.eligibility import Unlock
from domain.coupons.facts import MemberFacts
from domain.coupons.kinds import KINDS
from domain.coupons.offer import Offer
from domain.coupons.terms import TermJson
from domain.members.tiers import DEFAULT_PROGRAMME
from tests.domain.coupons.carts import NOW, TEA_HOUSE, applied_ids, cart, offer, priced
from tests.domain.coupons.steps import World, acts_on, ways

FAR = Scope(product_refs=frozenset({"elsewhere"}))
# What is missing of a cart of one unit of 10.00 with shipping of 6.00, in words.
STEPS: dict[str, tuple[dict[str, TermJson], str]] = {
    "THRESHOLD_AMOUNT_OFF": ({"thresholdMinor": 2200, "amountMinor": 2000}, "再买 ¥12.00 即减 ¥20.00"),
    "PERCENT_OFF": ({"payableBasisPoints": 9000, "thresholdMinor": 2000}, "再买 ¥10.00 即减 ¥2.00"),
    "FREE_SHIPPING": ({"thresholdMinor": 1500}, "再买 ¥5.00 即减 ¥6.00"),
    "BUY_X_GET_Y": ({"buyQuantity": 2, "getQuantity": 1}, "再买 2 件即可使用"),
    "PRODUCT_EXCHANGE": ({"productRefs": ["elsewhere"]}, "再买 1 件即可使用"),
    # These ask for nothing but goods in scope.
    "AMOUNT_OFF": ({"amountMinor": 500}, "再买 1 件即可使用"),
    "CASH": ({"faceMinor": 500}, "再买 1 件即可使用"),
    "FIXED_PRICE": ({"priceMinor": 900}, "再买 1 件（单价不低于 ¥9.01）即可使用"),
}
WITHOUT_SCOPE = {"AMOUNT_OFF", "CASH", "FIXED_PRICE"}


def coupon(kind: str) -> Offer:
    plain = offer(1, "AMOUNT_OFF", amount_minor=1)
    made = replace(plain, kind=kind, terms=KINDS[kind].terms_from_json(STEPS[kind][0]))
    return replace(made, scope=FAR) if kind in WITHOUT_SCOPE else made


def step_of(what: Cart, kind: str) -> str | None:
    (refused,) = priced(what, [coupon(kind)]).not_applied
    return None if refused.eligibility.unlock is None else refused.eligibility.unlock.text.zh_cn


def after_the_step(what: Cart, kind: str) -> list[Cart]:
    """The cart in which somebody has done what the words say, in every way."""
    owner = MemberFacts(DEFAULT_PROGRAMME.tiers[0], frozenset(), orders=0, birth_month=None)
    lines = [CartLine("2", ref, TEA_HOUSE, 1, 1) for ref in ("p1", "elsewhere")]
    in_scope = [line for line in lines if acts_on(coupon(kind), line)]
    return [one.cart for one in ways(STEPS[kind][1], offer=coupon(kind), world=World(what, NOW, owner), lines=in_scope)]


def test_every_kind_is_tried() -> None:
    assert set(STEPS) == set(KINDS)


@pytest.mark.parametrize("kind", STEPS)
def test_a_coupon_that_one_step_would_make_act_says_which(kind: str) -> None:
    assert step_of(cart(1000, shipping_minor=600), kind) == STEPS[kind][1]


@pytest.mark.parametrize("kind", STEPS)
def test_taking_that_step_makes_it_act(kind: str) -> None:
    carts = after_the_step(cart(1000, shipping_minor=600), kind)
    assert carts
    assert all(applied_ids(priced(one, [coupon(kind)])) == [1] for one in carts)


@pytest.mark.parametrize("kind", ["THRESHOLD_AMOUNT_OFF", "PERCENT_OFF", "FREE_SHIPPING"])
def test_whoever_spends_what_the_unlock_says_saves_what_it_says(kind: str) -> None:
    (refused,) = priced(cart(1000, shipping_minor=600), [coupon(kind)]).not_applied
    unlock = refused.eligibility.unlock
    assert isinstance(unlock, Unlock)
    bought = priced(cart(1000, unlock.more.minor, shipping_minor=600), [coupon(kind)])
    assert bought.discount_minor == unlock.saving.minor
    less = priced(cart(1000, unlock.more.minor - 1, shipping_minor=600), [coupon(kind)])
    assert not less.applied, "it is the least"
