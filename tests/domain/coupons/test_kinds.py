"""What each kind takes off, and how it reads."""

from dataclasses import dataclass

import pytest

from domain.coupons.kinds import KINDS
from domain.coupons.terms import Basket, CouponKind, Spread, Term, TermsError, read_refs
from domain.shared.text import Text

NO_TEXT = Text("", "")


def basket(left_minor: int, *, base_minor: int | None = None) -> Basket:
    """A basket of which only the sums matter."""
    return Basket((), left_minor, left_minor if base_minor is None else base_minor, 0)


@pytest.mark.parametrize(
    ("kind", "data", "zh_cn", "en"),
    [
        ("AMOUNT_OFF", {"amountMinor": 500}, "立减5", "¥5 off"),
        ("AMOUNT_OFF", {"amountMinor": 1990}, "立减19.90", "¥19.90 off"),
        ("THRESHOLD_AMOUNT_OFF", {"thresholdMinor": 10_000, "amountMinor": 2000}, "满100减20", "¥20 off ¥100"),
        (
            "THRESHOLD_AMOUNT_OFF",
            {"thresholdMinor": 200_000, "amountMinor": 5050},
            "满2000减50.50",
            "¥50.50 off ¥2,000",
        ),
        ("PERCENT_OFF", {"payableBasisPoints": 8500}, "8.5折", "15% off"),
        ("PERCENT_OFF", {"payableBasisPoints": 8000}, "8折", "20% off"),
        ("PERCENT_OFF", {"payableBasisPoints": 8888}, "8.888折", "11.12% off"),
        ("PERCENT_OFF", {"payableBasisPoints": 8750}, "8.75折", "12.5% off"),
        ("PERCENT_OFF", {"payableBasisPoints": 500}, "0.5折", "95% off"),
        ("FREE_SHIPPING", {}, "包邮", "Free shipping"),
        ("FREE_SHIPPING", {"thresholdMinor": 9900}, "满99包邮", "Free shipping on ¥99"),
        (
            "FREE_SHIPPING",
            {"thresholdMinor": 9900, "maxMinor": 800},
            "满99运费最高减8",
            "Up to ¥8 off shipping on ¥99",
        ),
        ("FIXED_PRICE", {"priceMinor": 990}, "9.90元一口价", "One item for ¥9.90"),
        ("BUY_X_GET_Y", {"buyQuantity": 2, "getQuantity": 1}, "买2送1", "Buy 2, get 1 free"),
        (
            "BUY_X_GET_Y",
            {"buyQuantity": 1, "getQuantity": 1, "payableBasisPoints": 5000},
            "买1件，另1件享5折",
            "Buy 1, get 1 at 50% off",
        ),
        ("PRODUCT_EXCHANGE", {"productRefs": ["p1"]}, "指定商品兑换券", "One item for free"),
        ("CASH", {"faceMinor": 10_000}, "100元现金券", "¥100 to spend"),
        (
            "PERCENT_OFF",
            {"payableBasisPoints": 8500, "thresholdMinor": 10_000, "maxDiscountMinor": 5000},
            "满100享8.5折，最高减50",
            "15% off ¥100, up to ¥50",
        ),
    ],
)
def test_headlines_in_yuan(kind: str, data: dict[str, object], zh_cn: str, en: str) -> None:
    text = KINDS[kind].headline(KINDS[kind].terms_from_json(data), "CNY")
    assert (text.read_in("zh-CN"), text.read_in("en")) == (zh_cn, en)


@pytest.mark.parametrize(
    ("currency", "zh_cn", "en"),
    [
        ("USD", "满$100减$20", "$20 off $100"),
        ("JPY", "满JP¥10,000减JP¥2,000", "JP¥2,000 off JP¥10,000"),
        ("KWD", "满KWD\u00a010减KWD\u00a02", "KWD\u00a02 off KWD\u00a010"),
    ],
)
def test_headlines_in_other_currencies(currency: str, zh_cn: str, en: str) -> None:
    kind = KINDS["THRESHOLD_AMOUNT_OFF"]
    text = kind.headline(kind.terms_from_json({"thresholdMinor": 10_000, "amountMinor": 2000}), currency)
    assert (text.zh_cn, text.en) == (zh_cn, en)


def test_terms_are_listed_as_name_value_unit() -> None:
    kind = KINDS["PERCENT_OFF"]
    terms = kind.terms_from_json({"payableBasisPoints": 8500, "maxDiscountMinor": 5000})
    assert kind.terms_to_list(terms, currency="CNY") == (
        Term("payable", "85", "%"),
        Term("maxDiscount", "50.00", "CNY"),
    )


@pytest.mark.parametrize(("base", "payable", "off"), [(1005, 8500, 151), (1, 5000, 1), (1, 5001, 0), (10_000, 9999, 1)])
def test_a_percentage_is_half_up_of_what_is_not_paid(base: int, payable: int, off: int) -> None:
    kind = KINDS["PERCENT_OFF"]
    assert kind.discount(kind.terms_from_json({"payableBasisPoints": payable}), basket(base)) == Spread(off)


@pytest.mark.parametrize(
    ("kind", "data", "path"),
    [
        ("THRESHOLD_AMOUNT_OFF", {"thresholdMinor": 100, "amountMinor": 101}, "amountMinor"),
        ("THRESHOLD_AMOUNT_OFF", {"amountMinor": 101}, "thresholdMinor"),
        ("PERCENT_OFF", {"payableBasisPoints": 10_000}, "payableBasisPoints"),
        ("PERCENT_OFF", {"payableBasisPoints": 8500, "maxDiscountMinor": 0}, "maxDiscountMinor"),
        ("AMOUNT_OFF", {"amountMinor": 2**53}, "amountMinor"),
        ("FREE_SHIPPING", {"maxMinor": 0}, "maxMinor"),
        ("FREE_SHIPPING", {"thresholdMinor": 0}, "thresholdMinor"),
        ("FIXED_PRICE", {"priceMinor": 0}, "priceMinor"),
        ("BUY_X_GET_Y", {"buyQuantity": 0, "getQuantity": 1}, "buyQuantity"),
        ("BUY_X_GET_Y", {"buyQuantity": 1, "getQuantity": 1001}, "getQuantity"),
        ("BUY_X_GET_Y", {"buyQuantity": 1, "getQuantity": 1, "payableBasisPoints": 10_000}, "payableBasisPoints"),
        ("PRODUCT_EXCHANGE", {"productRefs": []}, "productRefs"),
        ("CASH", {"faceMinor": 0}, "faceMinor"),
    ],
)
def test_terms_that_make_no_sense_are_refused_with_their_path(kind: str, data: dict[str, object], path: str) -> None:
    with pytest.raises(TermsError) as refused:
        KINDS[kind].terms_from_json(data)
    assert refused.value.path == (path,)


def test_references_are_a_list_of_distinct_texts() -> None:
    assert read_refs(["a", "b"], path=("productRefs",)) == ("a", "b")
    for bad, path in [
        ("ab", ("productRefs",)),
        ([], ("productRefs",)),
        (["a", "a"], ("productRefs",)),
        (["a", 1], ("productRefs", "1")),
        (["a", ""], ("productRefs", "1")),
        (["x" * 129], ("productRefs", "0")),
        ([str(ref) for ref in range(1001)], ("productRefs",)),
    ]:
        with pytest.raises(TermsError) as refused:
            read_refs(bad, path=("productRefs",))
        assert refused.value.path == path


def test_a_kind_may_have_references_and_optional_ones() -> None:
    @dataclass(frozen=True, slots=True)
    class Exchange:
        product_refs: tuple[str, ...]
        gift_refs: tuple[str, ...] | None = None

    kind = CouponKind("X", Exchange, lambda _t, _b: Spread(0), lambda _t, _c: NO_TEXT, lambda _t, _c: NO_TEXT)
    terms = kind.terms_from_json({"productRefs": ["a", "b"]})
    assert terms == Exchange(("a", "b"))
    assert kind.terms_to_json(terms) == {"productRefs": ["a", "b"]}
    assert kind.terms_to_list(terms, currency="CNY") == (Term("productRefs", "a, b", None),)
    with pytest.raises(TermsError) as refused:
        kind.terms_from_json({"productRefs": ["a", 7]})
    assert refused.value.path == ("productRefs", "1")


def test_terms_that_json_cannot_hold_are_a_bug_found_at_once() -> None:
    @dataclass(frozen=True, slots=True)
    class Floating:
        factor: float

    with pytest.raises(TypeError, match="factor: terms are integers"):
        CouponKind("X", Floating, lambda _t, _b: Spread(0), lambda _t, _c: NO_TEXT, lambda _t, _c: NO_TEXT)
