"""Goods at a member's price: a template says whether its coupons act on them, and everything follows its scope."""

from dataclasses import replace
from typing import Any

import pytest

from domain.coupons.cart import Cart, CartLine, MemberPriceRule, Scope
from domain.coupons.conditions import read_conditions
from domain.coupons.kinds import KINDS
from domain.coupons.lanes import Lane
from domain.coupons.offer import Offer, Stacking, ThresholdBase
from domain.orders.rules import cart_hash
from tests.architecture.test_kinds import EXAMPLES
from tests.domain.coupons.carts import BOOK_SHOP, TEA_HOUSE, applied_ids, offer, priced
from tests.domain.coupons.test_unlocks import SHANGHAI, told

EXCLUDED = Scope(with_member_price=MemberPriceRule.EXCLUDED)
FROM_100 = offer(2, "THRESHOLD_AMOUNT_OFF", threshold_minor=10_000, amount_minor=2000)


def goods(*lines: tuple[int, bool]) -> Cart:
    """A line of one unit for each price, at a member's price where it is said."""
    return Cart(
        "CNY",
        tuple(
            CartLine(f"l{n}", f"p{n}", TEA_HOUSE, 1, price, at_member_price=member)
            for n, (price, member) in enumerate(lines)
        ),
        shipping_minor=1000,
    )


def sparing(coupon: Offer) -> Offer:
    return replace(coupon, scope=replace(coupon.scope, with_member_price=MemberPriceRule.EXCLUDED))


@pytest.mark.parametrize("base", list(ThresholdBase))
def test_goods_at_a_members_price_count_towards_no_threshold_of_what_excludes_them(base: ThresholdBase) -> None:
    coupon, what = replace(FROM_100, threshold_base=base), goods((9000, False), (9000, True))
    assert priced(what, [coupon]).discount_minor == 2000
    pricing = priced(what, [sparing(coupon)])
    assert pricing.discount_minor == 0
    (refused,) = pricing.not_applied
    because = {one.name: one for one in refused.eligibility.because.children}
    assert [name for name, one in because.items() if not one.passed] == ["threshold"]
    assert because["scope"].actual == "1 of 2 lines"


def test_a_discount_is_of_the_other_goods_alone() -> None:
    half = offer(1, "PERCENT_OFF", payable_basis_points=5000)
    what = goods((6000, True), (4000, False), (2000, False))
    assert [line.discount_minor for line in priced(what, [half]).lines] == [3000, 2000, 1000]
    assert [line.discount_minor for line in priced(what, [sparing(half)]).lines] == [0, 2000, 1000]


@pytest.mark.parametrize(("kind", "terms"), [(kind, terms) for kind in KINDS for terms in EXAMPLES[kind]])
def test_no_kind_acts_on_goods_at_a_members_price_that_its_template_excludes(kind: str, terms: dict[str, Any]) -> None:
    plain = replace(offer(1, "AMOUNT_OFF", amount_minor=1), kind=kind, terms=KINDS[kind].terms_from_json(terms))
    lines = tuple(
        CartLine(f"{ref} {member}", ref, TEA_HOUSE, 4, 5000, at_member_price=member)
        for ref in ("p1", "p2", "a", "b", "other")
        for member in (False, True)
    )
    what = Cart("CNY", lines, shipping_minor=1000)
    pricing = priced(what, [sparing(plain)])
    assert [line.discount_minor for line in pricing.lines if line.line.at_member_price] == [0] * 5
    only = priced(replace(what, lines=tuple(line for line in lines if line.at_member_price)), [sparing(plain)])
    assert only.discount_minor == 0, "nothing of its scope is in the cart"
    (refused,) = only.not_applied
    assert "scope" in [one.name for one in refused.eligibility.because.children if not one.passed]


def test_conditions_count_what_is_in_scope() -> None:
    tree = {"cartAmountMinor": {"atLeast": 10_000}}
    coupon = replace(offer(1, "AMOUNT_OFF", amount_minor=500), conditions=read_conditions(tree, zone=SHANGHAI))
    what = goods((9000, False), (9000, True))
    assert (priced(what, [coupon]).discount_minor, priced(what, [sparing(coupon)]).discount_minor) == (500, 0)


def test_two_coupons_of_different_rules_each_act_on_their_own_goods() -> None:
    half = replace(sparing(offer(1, "PERCENT_OFF", payable_basis_points=5000)), stacking=Stacking(lane=Lane.ITEM))
    pricing = priced(goods((6000, True), (4000, False)), [half, offer(2, "AMOUNT_OFF", amount_minor=800)])
    assert applied_ids(pricing) == [1, 2]
    assert [line.payable_minor for line in pricing.lines] == [5400, 1800]


def test_the_step_that_would_help_is_a_purchase_of_other_goods() -> None:
    what = goods((9000, True), (4000, False))
    found = told(sparing(FROM_100), what)
    assert found is not None
    assert found[0] == "再买 ¥60.00 即减 ¥20.00"
    more = CartLine("more", "p9", TEA_HOUSE, 1, 6000)
    assert priced(replace(what, lines=(*what.lines, more)), [sparing(FROM_100)]).discount_minor == 2000
    # Of goods at a member's price any sum is too little.
    of_member = replace(more, unit_price_minor=600_000, at_member_price=True)
    assert priced(replace(what, lines=(*what.lines, of_member)), [sparing(FROM_100)]).discount_minor == 0


def test_a_purchase_is_enough_whichever_goods_are_bought() -> None:
    # 5折 that spares member prices takes half of what is bought without one: twice as much is lacking then.
    half = replace(sparing(offer(1, "PERCENT_OFF", payable_basis_points=5000)), stacking=Stacking(lane=Lane.ITEM))
    for what, text in (
        (goods((9000, True)), "再买 ¥20.00 即减 ¥20.00"),
        (goods((9000, True), (0, False)), "再买 ¥20.00 即减 ¥20.00"),
    ):
        found = told(FROM_100, what, half)
        assert found is not None
        assert found[0] == text


def test_what_a_purchase_saves_is_said_of_goods_at_a_members_price_too() -> None:
    # ¥160 at 5折 are ¥80. ¥40 more are ¥20 then, and 5折 of ¥100; at a member's price they stay ¥40: 5折 of ¥120.
    half = replace(sparing(offer(1, "PERCENT_OFF", payable_basis_points=5000)), stacking=Stacking(lane=Lane.ITEM))
    again = offer(2, "PERCENT_OFF", payable_basis_points=5000, threshold_minor=10_000)
    found = told(again, goods((16_000, False)), half)
    assert found is not None
    assert found[0] == "再买 ¥40.00 至少减 ¥50.00"


def test_a_merchants_rule_is_of_its_own_goods() -> None:
    coupon = replace(sparing(offer(1, "AMOUNT_OFF", amount_minor=500)), merchant_id=BOOK_SHOP)
    lines = (CartLine("1", "p", TEA_HOUSE, 1, 9000), CartLine("2", "q", BOOK_SHOP, 1, 9000, at_member_price=True))
    assert priced(Cart("CNY", lines), [coupon]).discount_minor == 0


def test_a_cart_is_another_where_a_line_is_at_a_members_price_and_known_as_ever_where_none_is() -> None:
    plain, of_member = goods((9000, False)), goods((9000, True))
    assert cart_hash(plain) != cart_hash(of_member)
    # What orders of before were stored with.
    assert cart_hash(plain) == "239772d3f80034ca00b8415d03914b650c9aa7791709b85b6843bc421f59e29e"
