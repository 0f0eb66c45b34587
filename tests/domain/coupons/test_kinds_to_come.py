"""Pricing takes kinds that act on shipping, on lines and on a balance, whatever the kinds of the day do."""

from dataclasses import dataclass, replace
from types import MappingProxyType

import pytest

from domain.coupons import offer as offers
from domain.coupons.eligibility import Unlock
from domain.coupons.kinds import KINDS
from domain.coupons.lanes import Lane
from domain.coupons.offer import Offer, ThresholdBase
from domain.coupons.pricing import PricingPolicy
from domain.coupons.terms import AnyKind, Basket, CouponKind, OnLines, OnShipping, Spread
from domain.shared.text import Text
from tests.domain.coupons.carts import applied_ids, cart, offer, priced


@dataclass(frozen=True, slots=True)
class _Amount:
    amount_minor: int
    threshold_minor: int = 0


def _text(_terms: _Amount, _currency: str) -> Text:
    return Text("", "")


def _dearest_line(terms: _Amount, basket: Basket) -> OnLines:
    dearest = max(basket.lines, key=lambda line: line.left_minor, default=None)
    return OnLines(tuple(terms.amount_minor if line is dearest else 0 for line in basket.lines))


def _each_line(terms: _Amount, basket: Basket) -> OnLines:
    return OnLines((terms.amount_minor,) * len(basket.lines))


def _shipping(terms: _Amount, _basket: Basket) -> OnShipping:
    return OnShipping(terms.amount_minor)


def _balance(_terms: _Amount, basket: Basket) -> Spread:
    return Spread(basket.balance_minor or 0)


TO_COME: dict[str, AnyKind] = {
    "SHIPPING": CouponKind(
        "SHIPPING", _Amount, _shipping, _text, _text, threshold=lambda terms: terms.threshold_minor, lane=Lane.SHIPPING
    ),
    "DEAREST": CouponKind(
        "DEAREST", _Amount, _dearest_line, _text, _text, threshold=lambda terms: terms.threshold_minor, lane=Lane.ITEM
    ),
    "EACH": CouponKind("EACH", _Amount, _each_line, _text, _text, lane=Lane.ITEM),
    "CASH": CouponKind("CASH", _Amount, _balance, _text, _text, lane=Lane.TENDER),
}


@pytest.fixture(autouse=True)
def _kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offers, "KINDS", MappingProxyType({**KINDS, **TO_COME}))


def coupon(number: int, kind: str, amount_minor: int, *, threshold_minor: int = 0) -> Offer:
    """A coupon of a kind to come."""
    plain = offer(number, "AMOUNT_OFF", amount_minor=1)
    return replace(plain, kind=kind, terms=_Amount(amount_minor, threshold_minor))


def test_a_discount_on_shipping_stops_at_the_fee_and_is_allocated_to_it() -> None:
    pricing = priced(cart(1000, shipping_minor=600), [coupon(1, "SHIPPING", 900)])
    assert (pricing.discount_minor, pricing.payable_minor) == (600, 1000)
    assert [line.discount_minor for line in pricing.lines] == [0]
    assert [allocation.amount_minor for allocation in pricing.shipping_allocations] == [600]
    assert pricing.applied[0].shares[0].amount_minor == 600


def test_without_a_fee_a_shipping_coupon_is_not_used_up() -> None:
    assert applied_ids(priced(cart(1000), [coupon(1, "SHIPPING", 900)])) == []


def test_the_payable_floor_counts_what_is_paid_for_shipping() -> None:
    offers_ = [coupon(1, "SHIPPING", 900), offer(2, "AMOUNT_OFF", amount_minor=5000)]
    pricing = priced(cart(1000, shipping_minor=600), offers_, policy=PricingPolicy(min_payable_minor=1))
    # The platform's order lane comes first and takes all of the goods; shipping keeps the last fen.
    assert (applied_ids(pricing), pricing.payable_minor) == ([2, 1], 1)
    assert pricing.shipping_allocations[0].amount_minor == 599


def test_a_discount_on_lines_stops_at_each_line() -> None:
    pricing = priced(cart(300, 1000), [coupon(1, "EACH", 500)])
    assert [line.discount_minor for line in pricing.lines] == [300, 500]
    assert [line.discount_minor for line in priced(cart(300, 1000), [coupon(1, "DEAREST", 500)]).lines] == [0, 500]


def test_the_payable_floor_reduces_a_discount_on_lines_in_proportion() -> None:
    pricing = priced(cart(300, 300), [coupon(1, "EACH", 500)], policy=PricingPolicy(min_payable_minor=100))
    assert [line.discount_minor for line in pricing.lines] == [250, 250]


def test_an_item_discount_comes_before_a_threshold_of_the_order() -> None:
    order = offer(1, "THRESHOLD_AMOUNT_OFF", threshold_minor=1000, amount_minor=100)
    assert applied_ids(priced(cart(1000), [order, coupon(2, "EACH", 1)])) == [2]


def test_a_balance_pays_last_and_what_the_order_leaves_of_it_stays() -> None:
    cash = replace(coupon(1, "CASH", 1), balance_minor=5000)
    pricing = priced(cart(1000), [cash, offer(2, "AMOUNT_OFF", amount_minor=400)])
    assert [(one.offer.coupon_id.int, one.amount_minor) for one in pricing.applied] == [(2, 400), (1, 600)]


def test_unlocks_of_shipping_and_line_coupons_say_what_they_would_save() -> None:
    for kind, saving in (("SHIPPING", 600), ("DEAREST", 700)):
        waiting = coupon(1, kind, 700, threshold_minor=2000)
        refused = priced(cart(1500, shipping_minor=600), [waiting]).not_applied[0].eligibility
        assert isinstance(refused.unlock, Unlock)
        assert (refused.unlock.more.minor, refused.unlock.saving.minor) == (500, saving)


def test_a_threshold_that_no_purchase_can_reach_has_no_shortfall() -> None:
    everything = replace(coupon(1, "EVERYTHING", 1), threshold_base=ThresholdBase.AFTER_THIS)
    kind = CouponKind("EVERYTHING", _Amount, lambda _t, b: Spread(b.left_minor), _text, _text, threshold=lambda _t: 10)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(offers, "KINDS", {"EVERYTHING": kind})
        refused = priced(cart(100), [everything]).not_applied[0].eligibility
        assert (refused.eligible, refused.shortfall_minor, refused.unlock) == (False, None, None)
