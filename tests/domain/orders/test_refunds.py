"""The rules of refunds, with the values that are right: money, discounts, points and what becomes due."""

from dataclasses import replace

import pytest

from domain.coupons.cart import Cart, CartLine
from domain.coupons.model import RefundPolicy
from domain.coupons.offer import Funder, FunderShare, Stacking
from domain.coupons.pricing import FunderAmount
from domain.orders.errors import RefundExceedsOrder
from domain.orders.refund_model import SHIPPING, bearer_of
from domain.orders.refund_rules import kept_minor, running_split
from domain.orders.repricing import as_used, deserved_by
from domain.shared.errors import NotFound
from tests.domain.coupons.carts import TEA_HOUSE, cart, offer
from tests.refunded_orders import Refunded, refundable

KEEP, REPRICE, CLAWBACK = RefundPolicy
FULL_2000 = offer(1, "THRESHOLD_AMOUNT_OFF", threshold_minor=10000, amount_minor=2000)
COUPON = bearer_of(FULL_2000.coupon_id)
HALVES = (FunderShare(Funder.PLATFORM, 5000), FunderShare(Funder.MERCHANT, 5000))


def units(count: int, price_minor: int, *, shipping_minor: int = 0) -> Cart:
    line = CartLine("1", "p1", TEA_HOUSE, count, price_minor)
    return Cart("CNY", (line,), shipping_minor=shipping_minor)


def amounts(order: Refunded) -> list[int]:
    return [one.amount_minor for one in order.settled]


@pytest.mark.parametrize(
    ("policy", "refund", "kept", "due"), [(KEEP, 5000, 1000, 0), (REPRICE, 4000, 0, 0), (CLAWBACK, 5000, 1000, 1000)]
)
def test_half_of_an_order_of_two_is_refunded_by_each_policy(
    policy: RefundPolicy, refund: int, kept: int, due: int
) -> None:
    order = refundable(cart(6000, 6000), [FULL_2000], policies=policy)
    assert order.paid_minor == 10000
    order.refund({"1": 1})
    assert amounts(order) == [refund]
    assert kept_minor(order.parts, bearer=COUPON) == kept, "with nothing left of its discount the coupon comes back"
    assert order.due_minor.get(COUPON, 0) == due
    order.refund()
    assert (order.refunded_minor, order.due_minor.get(COUPON, 0)) == (10000, 0)
    assert kept_minor(order.parts, bearer=COUPON) == 0


def test_a_discount_of_1000_over_three_units_goes_back_as_333_334_333() -> None:
    order = refundable(units(3, 1000), [offer(1, "AMOUNT_OFF", amount_minor=1000)])
    for _ in range(3):
        order.refund({"1": 1})
    assert [one.taken_back[0].amount_minor for one in order.settled] == [333, 334, 333]
    assert amounts(order) == [667, 666, 667]


def test_points_of_100_yuan_go_back_as_34_33_33() -> None:
    order = refundable(cart(3333, 3333, 3334))
    assert order.points_earned == 100
    taken = []
    for line in "123":
        before = order.points_clawed_back
        order.refund({line: 1})
        taken.append(order.points_clawed_back - before)
    assert amounts(order) == [3333, 3333, 3334]
    assert taken == [34, 33, 33]


def test_points_are_those_of_what_stays_paid_with_the_bonus_of_the_tier_as_it_was() -> None:
    order = refundable(cart(3333, 3333, 3334), bonus_basis_points=1000)
    assert order.points_earned == 110
    for line, left in (("1", 73), ("2", 36), ("3", 0)):
        order.refund({line: 1})
        assert order.points_earned - order.points_clawed_back == left
    small = refundable(cart(1, 99))
    small.refund({"1": 1})
    assert small.points_clawed_back == 1, "99 fen earn nothing"


def test_shares_go_back_as_they_were_borne() -> None:
    assert running_split(333, amounts=[500, 500]) == (167, 166)
    order = refundable(cart(1000, 1000, 1000), [replace(offer(1, "AMOUNT_OFF", amount_minor=1000), funders=HALVES)])
    for line in "123":
        order.refund({line: 1})
    assert [one.taken_back[0].shares for one in order.settled] == [
        (FunderAmount(Funder.PLATFORM, platform), FunderAmount(Funder.MERCHANT, merchant))
        for platform, merchant in [(167, 167), (167, 166), (166, 167)]
    ]


def test_vendure_4811_a_refund_never_moves_discount_to_other_lines() -> None:
    for policy in RefundPolicy:
        order = refundable(cart(10000, 5000), [FULL_2000], policies=policy)
        order.refund({"2": 1})
        assert amounts(order) == [5000 - 667], "the rest still qualifies, for 2000 that it did not get"
        assert [part.discounts[0].kept_minor for part in order.parts] == [1333, 0]


def test_solidus_512_a_line_is_refunded_with_its_share_of_the_discount() -> None:
    order = refundable(cart(9000, 3000), [FULL_2000])
    assert [order.refund({line: 1}).amount_minor for line in "12"] == [7500, 2500]


def test_blnk_152_the_same_units_are_not_refunded_twice() -> None:
    order = refundable(units(3, 4000), [FULL_2000])
    order.refund({"1": 2})
    with pytest.raises(RefundExceedsOrder) as refused:
        order.refund({"1": 2})
    assert (refused.value.line_id, refused.value.requested, refused.value.remaining) == ("1", 2, 1)
    order.refund()
    for asked in (None, {"1": 1}):
        with pytest.raises(RefundExceedsOrder):
            order.refund(asked)
    with pytest.raises(NotFound):
        order.refund({"9": 1})


def test_what_stays_is_never_charged_more_than_the_refund_gives() -> None:
    order = refundable(cart(9900, 200), [offer(1, "THRESHOLD_AMOUNT_OFF", threshold_minor=10000, amount_minor=5000)],
                       policies=REPRICE)  # fmt: skip
    assert order.refund({"2": 1}).amount_minor == 0, "the rest would cost 9900, of which 5100 were paid"
    assert kept_minor(order.parts, bearer=COUPON) == 4800, "which is the discount that it still has"
    assert order.refund().amount_minor == 5100


def test_the_shipping_fee_goes_back_with_the_last_unit() -> None:
    free = offer(2, "FREE_SHIPPING", max_minor=500, threshold_minor=5000)
    order = refundable(units(2, 5000, shipping_minor=800), [free])
    assert order.paid_minor == 10300
    assert [order.refund({"1": 1}).amount_minor for _ in range(2)] == [5000, 5300]


def test_free_shipping_that_the_rest_does_not_deserve_is_taken_from_the_refund() -> None:
    free = offer(2, "FREE_SHIPPING", max_minor=500, threshold_minor=9900)
    order = refundable(units(2, 5000, shipping_minor=800), [free], policies=REPRICE)
    settled = order.refund({"1": 1})
    assert {one.part_id: one.amount_minor for one in settled.returned} == {"1": 5000, SHIPPING: -500}
    assert order.refund().amount_minor == 5800


def test_each_coupon_of_an_order_keeps_its_own_policy() -> None:
    store = replace(offer(2, "THRESHOLD_AMOUNT_OFF", threshold_minor=8000, amount_minor=1000), merchant_id=TEA_HOUSE)
    platform = offer(1, "THRESHOLD_AMOUNT_OFF", threshold_minor=11000, amount_minor=2000)
    chosen = {store.coupon_id: KEEP, platform.coupon_id: REPRICE}
    order = refundable(cart(6000, 6000), [store, platform], policies=chosen)
    assert order.paid_minor == 9000
    assert order.refund({"1": 1}).amount_minor == 4500 - 1000
    assert kept_minor(order.parts, bearer=bearer_of(store.coupon_id)) == 500
    assert kept_minor(order.parts, bearer=bearer_of(platform.coupon_id)) == 0
    assert order.refund().amount_minor == 5500


def test_points_that_were_paid_go_back_in_proportion_to_what_they_paid() -> None:
    order = refundable(cart(6000, 3000), points_minor={"1": 667, "2": 333}, points_used=1000)
    assert order.paid_minor == 8000
    order.refund({"1": 1})
    assert (amounts(order), order.points_returned) == ([5333], 667)
    order.refund()
    assert (order.refunded_minor, order.points_returned) == (8000, 1000)


@pytest.mark.parametrize("least", [0, 1])
def test_the_rest_is_priced_anew_by_what_had_to_be_paid_at_least_then(least: int) -> None:
    everything = offer(1, "AMOUNT_OFF", amount_minor=20000)
    found = refundable(cart(6000, 3000), [everything]).found
    assert found.order.quote is not None
    assert found.order.quote.terms is not None
    terms = replace(found.order.quote.terms, min_payable_minor=least)
    then = as_used(everything, used_minor=9000, terms=terms)
    deserved = deserved_by(found.parts, order=found.order, lines=found.lines, offers=[then], terms=terms)
    assert sum(deserved.values()) == 9000 - least


def test_half_a_point_stays_used_until_the_rest_is_returned() -> None:
    order = refundable(cart(6000, 3000), points_minor={"1": 500, "2": 500}, points_used=5)
    order.refund({"1": 1})
    assert order.points_returned == 2
    order.refund()
    assert order.points_returned == 5


def test_a_unit_that_costs_nothing_is_refunded_for_nothing() -> None:
    friendly = Stacking(tags=frozenset("t"), combines_with_tags=frozenset("t"))
    tagged = [replace(offer(number, "AMOUNT_OFF", amount_minor=1), stacking=friendly) for number in (1, 2)]
    order = refundable(units(2, 1), tagged)
    assert order.paid_minor == 0
    assert [order.refund({"1": 1}).amount_minor for _ in range(2)] == [0, 0], "not -1 and 1: a line is rounded once"


def test_a_coupon_that_came_back_lowers_nothing_for_the_others_whether_before_or_with_the_same_units() -> None:
    dearest = replace(offer(1, "FIXED_PRICE", price_minor=100), merchant_id=TEA_HOUSE)
    threshold = offer(2, "THRESHOLD_AMOUNT_OFF", threshold_minor=6000, amount_minor=1000)
    chosen = {dearest.coupon_id: KEEP, threshold.coupon_id: REPRICE}
    for steps in ([{"1": 1}, {"3": 1}], [{"1": 1, "3": 1}]):
        order = refundable(cart(10000, 6000, 4000), [dearest, threshold], policies=chosen)
        assert order.paid_minor == 9100
        for lines in steps:
            order.refund(lines)
        # The one unit that cost 100 is back, with its coupon: of the 6000 that are left it takes nothing.
        assert kept_minor(order.parts, bearer=bearer_of(threshold.coupon_id)) == 594
        assert order.refunded_minor == 9100 - (6000 - 594)
