"""Kinds that act on units, and the one that acts on shipping: what they take off, and how they go together."""

from dataclasses import replace

import pytest

from domain.coupons.cart import Cart, CartLine, Scope
from domain.coupons.kinds.product_exchange import ProductExchange
from domain.coupons.lanes import Lane
from domain.coupons.offer import Offer, Stacking
from domain.coupons.pricing import Pricing
from domain.coupons.terms import BasketLine
from tests.domain.coupons.carts import TEA_HOUSE, applied_ids, cart, offer, priced

TOGETHER = Stacking(tags=frozenset("t"), combines_with_tags=frozenset("t"), max_per_order=3)


def units(*lines: tuple[int, int]) -> Cart:
    """A line of product "p1", "p2" … for each quantity and unit price."""
    return Cart("CNY", tuple(CartLine(str(n), f"p{n}", TEA_HOUSE, q, price) for n, (q, price) in enumerate(lines, 1)))


def exchange(number: int, *product_refs: str) -> Offer:
    """A coupon for one of these products."""
    plain = offer(number, "AMOUNT_OFF", amount_minor=1)
    return replace(plain, kind="PRODUCT_EXCHANGE", terms=ProductExchange(product_refs))


def together(*offers: Offer) -> list[Offer]:
    """The same coupons, each consenting to the others."""
    return [replace(one, stacking=TOGETHER) for one in offers]


def off(pricing: Pricing) -> list[int]:
    """What is taken off each line."""
    return [line.discount_minor for line in pricing.lines]


@pytest.mark.parametrize(
    ("terms", "fee", "taken"),
    [
        ({}, 900, 900),
        ({"max_minor": 500}, 900, 500),
        ({"max_minor": 500}, 300, 300),
        ({"threshold_minor": 5000}, 900, 900),
        ({"threshold_minor": 5001}, 900, 0),
    ],
)
def test_free_shipping_takes_the_fee_up_to_its_maximum_from_its_threshold_on(
    terms: dict[str, int], fee: int, taken: int
) -> None:
    pricing = priced(cart(5000, shipping_minor=fee), [offer(1, "FREE_SHIPPING", **terms)])
    assert (pricing.discount_minor, pricing.payable_minor, off(pricing)) == (taken, 5000 + fee - taken, [0])


def test_free_shipping_that_lacks_a_little_says_what_buying_it_would_save() -> None:
    refused = priced(cart(4000, shipping_minor=900), [offer(1, "FREE_SHIPPING", threshold_minor=5000)]).not_applied[0]
    assert refused.eligibility.unlock is not None
    assert refused.eligibility.unlock.text.zh_cn == "再买 ¥10.00 即减 ¥9.00"


def test_free_shipping_acts_beside_a_coupon_of_the_goods_and_after_it() -> None:
    goods = offer(2, "THRESHOLD_AMOUNT_OFF", threshold_minor=5000, amount_minor=500)
    fee = offer(1, "FREE_SHIPPING", threshold_minor=4500)
    assert applied_ids(priced(cart(5000, shipping_minor=900), [fee, goods])) == [2, 1]


def test_free_shipping_of_other_goods_does_not_act() -> None:
    other = replace(offer(1, "FREE_SHIPPING"), scope=Scope(product_refs=frozenset({"p9"})))
    assert applied_ids(priced(cart(5000, shipping_minor=900), [other])) == []


def test_a_fixed_price_is_paid_for_one_unit_the_dearest() -> None:
    pricing = priced(units((3, 1000), (2, 2500)), [offer(1, "FIXED_PRICE", price_minor=990)])
    assert off(pricing) == [0, 1510]


def test_a_fixed_price_above_the_price_takes_nothing_and_is_not_used_up() -> None:
    pricing = priced(units((3, 1000)), [offer(1, "FIXED_PRICE", price_minor=1000)])
    assert (applied_ids(pricing), pricing.discount_minor) == ([], 0)


def test_two_fixed_prices_are_paid_for_two_units() -> None:
    two = together(offer(1, "FIXED_PRICE", price_minor=100), offer(2, "FIXED_PRICE", price_minor=100))
    assert off(priced(units((3, 1000)), two)) == [1800]
    # A third unit there is; a fourth there is not.
    more = together(*(offer(number, "FIXED_PRICE", price_minor=100) for number in (1, 2, 3, 4)))
    pricing = priced(units((3, 1000)), more)
    assert (off(pricing), applied_ids(pricing)) == ([2700], [1, 2, 3])
    names = {p.name: p.passed for p in pricing.not_applied[0].eligibility.because.children}
    assert names["quantity"] is False


def test_a_fixed_price_after_a_percentage_counts_what_the_percentage_left() -> None:
    half = offer(1, "PERCENT_OFF", payable_basis_points=5000)
    first = replace(half, stacking=Stacking(lane=Lane.ITEM, tags=frozenset("t"), combines_with_tags=frozenset("t")))
    fixed = replace(offer(2, "FIXED_PRICE", price_minor=100), stacking=TOGETHER)
    # 3 × 1000 at half price are 500 each; one of them costs 100.
    assert off(priced(units((3, 1000)), [first, fixed])) == [1900]


def test_a_percentage_between_two_fixed_prices_is_borne_by_touched_and_open_units() -> None:
    ends = together(offer(1, "FIXED_PRICE", price_minor=100), offer(3, "FIXED_PRICE", price_minor=100))
    half = replace(offer(2, "PERCENT_OFF", payable_basis_points=5000), stacking=replace(TOGETHER, lane=Lane.ITEM))
    # 1000 × 3: one at 100; all halved: 50 + 500 + 500; one more at 100: 50 + 100 + 500.
    assert priced(units((3, 1000)), [*ends, half]).payable_minor == 650


@pytest.mark.parametrize(
    ("lines", "terms", "expected"),
    [
        # Golden: buy 2 get 1 of 100, 90, 10: the cheapest is free.
        (((1, 100), (1, 90), (1, 10)), {"buy_quantity": 2, "get_quantity": 1}, [0, 0, 10]),
        # Once per coupon, however many there are.
        (((6, 100),), {"buy_quantity": 2, "get_quantity": 1}, [100]),
        # Too few.
        (((2, 100),), {"buy_quantity": 2, "get_quantity": 1}, [0]),
        # Gifts that cost nothing do not count.
        (((2, 100), (1, 0)), {"buy_quantity": 2, "get_quantity": 1}, [0, 0]),
        # Half price, rounded once: 3 × 333 = 999, half of it 500.
        (((6, 333),), {"buy_quantity": 3, "get_quantity": 3, "payable_basis_points": 5000}, [500]),
        # Across lines of one price the earlier line's units come first.
        (((1, 100), (5, 100)), {"buy_quantity": 1, "get_quantity": 2}, [100, 100]),
    ],
)
def test_buy_x_get_y_takes_the_cheapest_units(
    lines: tuple[tuple[int, int], ...], terms: dict[str, int], expected: list[int]
) -> None:
    assert off(priced(units(*lines), [offer(1, "BUY_X_GET_Y", **terms)])) == expected


def test_what_was_bought_for_one_offer_does_not_count_for_another() -> None:
    two = together(*(offer(number, "BUY_X_GET_Y", buy_quantity=2, get_quantity=1) for number in (1, 2)))
    assert applied_ids(priced(units((5, 100)), two)) == [1]
    assert off(priced(units((6, 100)), two)) == [200]
    assert off(priced(units((3, 50), (3, 100)), two)) == [50, 100]


def test_too_few_units_are_proved_by_their_number() -> None:
    refused = priced(units((2, 100)), [offer(1, "BUY_X_GET_Y", buy_quantity=2, get_quantity=1)]).not_applied[0]
    proof = {p.name: (p.passed, p.required, p.actual) for p in refused.eligibility.because.children}
    assert proof["quantity"] == (False, "≥ 3", "2")
    assert refused.eligibility.unlock is not None
    assert refused.eligibility.unlock.text.zh_cn == "再买 1 件即可使用"


def test_an_exchange_takes_one_unit_of_the_dearest_named_product() -> None:
    pricing = priced(units((2, 300), (1, 500), (1, 900)), [exchange(1, "p1", "p2", "p9")])
    assert off(pricing) == [0, 500, 0]


def test_an_exchange_without_its_product_is_refused_by_its_scope() -> None:
    refused = priced(units((2, 300)), [exchange(1, "p9")]).not_applied[0]
    assert {p.name for p in refused.eligibility.because.children if not p.passed} == {"scope", "quantity"}
    excluded = replace(exchange(1, "p1"), scope=Scope(excluded_product_refs=frozenset({"p1"})))
    assert applied_ids(priced(units((2, 300)), [excluded])) == []


def test_exchanges_take_a_unit_each_until_there_is_none() -> None:
    pricing = priced(units((2, 333)), together(*(exchange(number, "p1") for number in (1, 2, 3))))
    assert (off(pricing), applied_ids(pricing)) == ([666], [1, 2])


def test_units_of_a_line_that_does_not_divide_sum_to_it() -> None:
    third = replace(offer(1, "AMOUNT_OFF", amount_minor=100), stacking=replace(TOGETHER, lane=Lane.ITEM, priority=1))
    pricing = priced(units((3, 100)), [third, *together(*(exchange(number, "p1") for number in (2, 3, 4)))])
    assert pricing.payable_minor == 0


def test_open_units_and_what_they_cost() -> None:
    line = BasketLine(CartLine("1", "p", TEA_HOUSE, 5, 100), left_minor=350, touched_units=2, touched_minor=50)
    assert (line.open_units, line.open_minor, line.units_minor(2), line.units_minor(0)) == (3, 300, 200, 0)
    spent = BasketLine(CartLine("1", "p", TEA_HOUSE, 5, 100), left_minor=50, touched_units=2, touched_minor=50)
    assert spent.open_units == 0
