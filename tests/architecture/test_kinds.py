"""The laws that every coupon kind keeps, run on every file in domain/coupons/kinds."""

import json
import pkgutil
from collections.abc import Mapping
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.coupons import kinds
from domain.coupons.cart import Cart, CartLine
from domain.coupons.kinds import KINDS
from domain.coupons.offer import Offer
from domain.coupons.pricing import PricingPolicy, price
from domain.coupons.terms import AnyKind, Basket, BasketLine, OnLines, OnShipping, Spread, TermsError
from domain.shared.ids import CouponId, MerchantId, TemplateId
from domain.shared.money import SAFE_INT_MAX

TEMPLATE: AnyKind = import_module("domain.coupons.kinds._template").KIND
ALL: Mapping[str, AnyKind] = {**KINDS, TEMPLATE.code: TEMPLATE}

# Terms that are in order, in the form in which an operator writes them; at least one with every optional term.
EXAMPLES: Mapping[str, list[dict[str, object]]] = {
    "AMOUNT_OFF": [{"amountMinor": 1}, {"amountMinor": 2000}, {"amountMinor": SAFE_INT_MAX}],
    "THRESHOLD_AMOUNT_OFF": [{"thresholdMinor": 10_000, "amountMinor": 2000}, {"thresholdMinor": 1, "amountMinor": 1}],
    "PERCENT_OFF": [
        {"payableBasisPoints": 8500},
        {"payableBasisPoints": 1},
        {"payableBasisPoints": 9999, "maxDiscountMinor": 50, "thresholdMinor": 100},
    ],
    "FREE_SHIPPING": [{}, {"maxMinor": 1}, {"maxMinor": 800, "thresholdMinor": 9900}],
    "FIXED_PRICE": [{"priceMinor": 1}, {"priceMinor": 990}, {"priceMinor": SAFE_INT_MAX}],
    "BUY_X_GET_Y": [
        {"buyQuantity": 2, "getQuantity": 1},
        {"buyQuantity": 1, "getQuantity": 2, "payableBasisPoints": 5000},
        {"buyQuantity": 1000, "getQuantity": 1000},
    ],
    "PRODUCT_EXCHANGE": [{"productRefs": ["p0"]}, {"productRefs": ["p1", "p2", "elsewhere"]}],
    "CASH": [{"faceMinor": 1}, {"faceMinor": 10_000}, {"faceMinor": SAFE_INT_MAX}],
    "AMOUNT_OFF_EVERY": [{"everyMinor": 100, "amountMinor": 10}],
}
CASES = [
    pytest.param(kind, terms, id=f"{code}-{place}")
    for code, kind in ALL.items()
    for place, terms in enumerate(EXAMPLES[code])
]
BAD_VALUES: tuple[object, ...] = ("1", 1.5, True, [], {}, -1, 0, 2**53, None)
NO_OBJECTS: tuple[object, ...] = (None, [], "terms", 5)
EACH_KIND = pytest.mark.parametrize("kind", ALL.values(), ids=ALL)
EACH_CASE = pytest.mark.parametrize(("kind", "data"), CASES)


def test_every_file_is_a_kind_and_every_kind_has_examples() -> None:
    files = {module.name for module in pkgutil.iter_modules(kinds.__path__) if not module.name.startswith("_")}
    assert {name.upper() for name in files} == set(KINDS)
    assert set(EXAMPLES) == set(ALL)


def test_the_template_is_not_discovered() -> None:
    assert TEMPLATE.code not in KINDS
    assert Path(kinds.__file__).with_name("_template.py").exists()


@EACH_CASE
def test_terms_survive_a_round_trip_through_json(kind: AnyKind, data: dict[str, object]) -> None:
    terms = kind.terms_from_json(data)
    stored = json.loads(json.dumps(kind.terms_to_json(terms)))
    assert kind.terms_from_json(stored) == terms
    assert stored == data


@EACH_KIND
def test_the_examples_show_every_term(kind: AnyKind) -> None:
    shown = {key for example in EXAMPLES[kind.code] for key in example}
    assert len(shown) == len(fields(kind.terms))


@EACH_CASE
def test_terms_are_listed_with_text_values_and_units(kind: AnyKind, data: dict[str, object]) -> None:
    listed = kind.terms_to_list(kind.terms_from_json(data), currency="CNY")
    assert len(listed) == len(data)
    for term in listed:
        assert term.value
        assert not term.name.endswith(("Minor", "BasisPoints"))


@EACH_CASE
def test_bad_terms_are_refused_with_the_path(kind: AnyKind, data: dict[str, object]) -> None:
    for name in data:
        for bad in BAD_VALUES:
            if bad is None and name not in _required(kind):
                continue
            with pytest.raises(TermsError) as refused:
                kind.terms_from_json({**data, name: bad})
            assert refused.value.path[0] in data
            assert refused.value.reason
    with pytest.raises(TermsError) as refused:
        kind.terms_from_json({**data, "surprise": 1})
    assert refused.value.path == ("surprise",)


@EACH_KIND
def test_terms_that_are_no_object_or_lack_something_are_refused(kind: AnyKind) -> None:
    for bad in NO_OBJECTS:
        with pytest.raises(TermsError):
            kind.terms_from_json(bad)
    if not _required(kind):
        assert kind.terms_to_json(kind.terms_from_json({})) == {}
        return
    with pytest.raises(TermsError) as refused:
        kind.terms_from_json({})
    assert refused.value.path[0] in _required(kind)


def _required(kind: AnyKind) -> set[str]:
    """The JSON names of the terms that cannot be left out."""
    needed = [term.name for term in fields(kind.terms) if term.default is MISSING]
    return {head + "".join(map(str.capitalize, tail)) for head, *tail in (name.split("_") for name in needed)}


@EACH_CASE
@pytest.mark.parametrize("currency", ["CNY", "JPY", "KWD", "USD"])
def test_a_reader_of_either_language_is_told_everything(kind: AnyKind, data: dict[str, object], currency: str) -> None:
    terms = kind.terms_from_json(data)
    headline, rules = kind.headline(terms, currency), kind.rules_text(terms, currency)
    assert 0 < len(headline.zh_cn) <= 60
    assert 0 < len(headline.en) <= 90
    assert not headline.en.isspace()
    assert headline.en.isascii() or any(symbol in headline.en for symbol in "¥\u00a0")
    for term in kind.terms_to_list(terms, currency=currency):
        if term.unit == currency:
            digits = term.value.rstrip("0").rstrip(".") if "." in term.value else term.value
            assert digits in rules.zh_cn.replace(",", "")
            assert digits in rules.en.replace(",", "")
        elif term.unit is None:
            assert all(part in rules.zh_cn and part in rules.en for part in term.value.split(", "))


@st.composite
def _baskets(draw: st.DrawFn) -> Basket:
    lines = []
    for place in range(draw(st.integers(min_value=1, max_value=8))):
        quantity, unit = draw(st.integers(min_value=1, max_value=20)), draw(st.integers(min_value=0, max_value=10**6))
        line = CartLine(str(place), f"p{place}", MerchantId(UUID(int=1)), quantity, unit)
        left_minor = draw(st.integers(min_value=0, max_value=line.subtotal_minor))
        touched = draw(st.integers(min_value=0, max_value=quantity))
        touched_minor = left_minor if touched == quantity else draw(st.integers(0, left_minor)) if touched else 0
        lines.append(BasketLine(line, left_minor, touched, touched_minor))
    left = sum(line.left_minor for line in lines)
    base = draw(st.sampled_from([left, sum(line.line.subtotal_minor for line in lines)]))
    return Basket(
        tuple(lines), left, base, draw(st.integers(min_value=0, max_value=2000)), draw(st.none() | st.just(500))
    )


@EACH_CASE
@given(basket=_baskets())
def test_a_discount_is_never_negative_and_has_one_amount_for_each_line(
    kind: AnyKind, data: dict[str, object], basket: Basket
) -> None:
    match kind.discount(kind.terms_from_json(data), basket):
        case OnLines(amounts, units):
            assert len(amounts) == len(basket.lines)
            assert min(amounts) >= 0
            assert len(units) in {0, len(basket.lines)}
            # A kind that acts on units takes them of the open ones, and no more off than they cost.
            for line, amount, count in zip(basket.lines, amounts, units, strict=False):
                assert 0 <= count <= line.open_units
                assert amount <= line.units_minor(count)
        case OnShipping(amount):
            assert amount >= 0
        case promise:
            assert promise.amount_minor >= 0
    assert kind.threshold(kind.terms_from_json(data)) >= 0


@pytest.mark.parametrize(("kind", "data"), [case for case in CASES if case.values[0] is not TEMPLATE])
@given(basket=_baskets())
def test_a_coupon_never_takes_more_than_the_basket(kind: AnyKind, data: dict[str, object], basket: Basket) -> None:
    cart = Cart("CNY", tuple(line.line for line in basket.lines), shipping_minor=basket.shipping_left_minor)
    now = datetime(2026, 3, 1, tzinfo=UTC)
    coupon = Offer(
        coupon_id=CouponId(UUID(int=1)),
        template_id=TemplateId(UUID(int=2)),
        kind=kind.code,
        terms=kind.terms_from_json(data),
        currency="CNY",
        valid_from=now,
        valid_until=datetime(2026, 3, 2, tzinfo=UTC),
        balance_minor=basket.balance_minor,
    )
    pricing = price(cart, [coupon], policy=PricingPolicy(), at=now)
    assert 0 <= pricing.payable_minor <= cart.total_minor
    assert all(0 <= line.discount_minor <= line.subtotal_minor for line in pricing.lines)


@EACH_CASE
@given(basket=_baskets())
def test_a_rule_on_sums_says_what_the_discount_is(kind: AnyKind, data: dict[str, object], basket: Basket) -> None:
    terms = kind.terms_from_json(data)
    if kind.sums is None:
        return
    promise = kind.discount(terms, basket)
    assert isinstance(promise, Spread)
    rule = kind.sums(terms, basket.balance_minor)
    assert min(rule.off(basket.base_minor), basket.left_minor) == min(promise.amount_minor, basket.left_minor)


@EACH_CASE
@given(basket=_baskets())
def test_a_rule_on_units_says_which_it_acts_on_and_what_it_takes_off(
    kind: AnyKind, data: dict[str, object], basket: Basket
) -> None:
    """The bound of the search counts on it: the cheapest open units, as many as it needs, or the dearest one."""
    terms = kind.terms_from_json(data)
    rule = None if kind.on_units is None else kind.on_units(terms)
    if rule is None:
        assert not kind.units(terms), "a kind that counts units says which"
        return
    promise = kind.discount(terms, basket)
    assert isinstance(promise, OnLines)
    assert rule.cheapest or rule.is_dearest
    if not any(promise.amounts_minor):
        return
    needed = kind.units(terms)
    assert sum(promise.units) == needed
    open_lines = [(line, taken) for line, taken in zip(basket.lines, promise.units, strict=True) if line.open_units]
    if rule.is_dearest:
        (line,) = [line for line, taken in open_lines if taken]
        assert line.unit_price == max(other.unit_price for other, _ in open_lines)
        assert sum(promise.amounts_minor) == line.units_minor(1) - rule.price_minor
        return
    # Nobody takes a unit while a cheaper one is open.
    dearest_taken = max(line.unit_price for line, taken in open_lines if taken)
    assert all(taken == line.open_units for line, taken in open_lines if line.unit_price < dearest_taken)
    prices = sorted(line.unit_price for line, _ in open_lines for _ in range(line.open_units))
    most = sum(prices[: rule.count]) * rule.off_basis_points / 10_000
    assert abs(sum(promise.amounts_minor) - most) <= 1 + len(open_lines), "but for rounding, line by line"
