"""What a template may not say: each contradiction is refused with the path to it."""

from dataclasses import replace
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from domain.coupons.drafts import ConditionsDraft, ScopeDraft, StackingDraft, template_of
from domain.coupons.errors import InvalidTerms
from domain.coupons.kinds import KINDS
from domain.coupons.lanes import Lane
from domain.coupons.model import CouponTemplate
from domain.coupons.offer import PercentBase, ThresholdBase
from domain.shared.ids import TemplateId
from tests.coupon_world import draft
from tests.domain.coupons.carts import applied_ids, cart, offer, priced

ID = TemplateId(UUID(int=1))
SHANGHAI = ZoneInfo("Asia/Shanghai")
EXCHANGE: dict[str, Any] = {"kind": "PRODUCT_EXCHANGE", "terms": {"productRefs": ["a", "b"]}}
SHIPPING: dict[str, Any] = {"kind": "FREE_SHIPPING", "terms": {}}


def made(**changed: Any) -> CouponTemplate:
    return template_of(draft(**changed), id=ID)


def path_of(**changed: Any) -> str:
    """Where the contradiction is."""
    with pytest.raises(InvalidTerms) as refused:
        made(**changed)
    return ".".join(refused.value.path)


def test_several_of_one_template_need_its_consent_to_itself() -> None:
    path = "stacking.maxPerOrder"
    assert path_of(stacking=StackingDraft(max_per_order=2)) == path
    assert path_of(stacking=StackingDraft(max_per_order=2, tags=["p"], combines_with_tags=["q"])) == path
    consenting = StackingDraft(max_per_order=2, tags=["p", "q"], combines_with_tags=["q"])
    assert made(stacking=consenting).stacking.max_per_order == 2
    assert path_of(stacking=replace(consenting, exclusive_group="g")) == path


def test_a_product_is_not_both_named_and_spared() -> None:
    scope = ScopeDraft(product_refs=["a", "b"], excluded_product_refs=["c", "b"])
    assert path_of(scope=scope) == "scope.excludedProductRefs"
    made(scope=replace(scope, excluded_product_refs=["c"]))


def test_what_an_exchange_gives_is_in_its_scope() -> None:
    assert path_of(**EXCHANGE, scope=ScopeDraft(product_refs=["a"])) == "terms.productRefs.1"
    assert path_of(**EXCHANGE, scope=ScopeDraft(excluded_product_refs=["a"])) == "terms.productRefs.0"
    made(**EXCHANGE, scope=ScopeDraft(product_refs=["b", "a", "c"]))
    made(**EXCHANGE, scope=ScopeDraft(product_refs=["c"], category_refs=["x"]))  # b may be of that category


@pytest.mark.parametrize("lane", [lane for lane in Lane if lane is not Lane.SHIPPING])
def test_what_takes_off_the_shipping_fee_is_in_its_lane(lane: Lane) -> None:
    assert path_of(**SHIPPING, stacking=StackingDraft(lane=lane)) == "stacking.lane"
    made(**SHIPPING, stacking=StackingDraft(lane=Lane.SHIPPING))


@pytest.mark.parametrize(
    ("kind", "terms"),
    [
        ("PRODUCT_EXCHANGE", {"productRefs": ["a"]}),
        ("FIXED_PRICE", {"priceMinor": 100}),
        ("BUY_X_GET_Y", {"buyQuantity": 2, "getQuantity": 1}),
    ],
)
def test_what_acts_on_single_goods_comes_before_the_fee_the_points_and_the_tender(kind: str, terms: Any) -> None:
    for lane in (Lane.SHIPPING, Lane.POINTS, Lane.TENDER):
        assert path_of(kind=kind, terms=terms, stacking=StackingDraft(lane=lane)) == "stacking.lane"
    made(kind=kind, terms=terms, stacking=StackingDraft(lane=Lane.PLATFORM_ORDER))


@pytest.mark.parametrize(
    ("tree", "path"),
    [
        ({"cartQuantity": {"atMost": 0}}, "conditions.cartQuantity.atMost"),
        (
            {"all": [{"channel": ["ONLINE"]}, {"none": [{"cartQuantity": {"atLeast": 0, "atMost": 0}}]}]},
            "conditions.all.1.none.0.cartQuantity.atMost",
        ),
    ],
)
def test_no_condition_asks_for_no_goods_at_all(tree: object, path: str) -> None:
    assert path_of(conditions=ConditionsDraft(tree, SHANGHAI)) == path


def test_a_tag_is_named_once() -> None:
    twice = ["a", "b", "a"]
    assert path_of(stacking=StackingDraft(tags=twice)) == "stacking.tags"
    assert path_of(stacking=StackingDraft(combines_with_tags=twice)) == "stacking.combinesWithTags"


def test_a_threshold_after_this_offer_as_high_as_the_discount_is_none_of_them() -> None:
    # 满1减1, after itself: whoever spends ¥2 has ¥1 left to pay.
    terms = {"thresholdMinor": 100, "amountMinor": 100}
    made(kind="THRESHOLD_AMOUNT_OFF", terms=terms, threshold_base=ThresholdBase.AFTER_THIS)
    coupon = offer(1, "THRESHOLD_AMOUNT_OFF", threshold_minor=100, amount_minor=100)
    after = replace(coupon, threshold_base=ThresholdBase.AFTER_THIS)
    assert (applied_ids(priced(cart(200), [after])), applied_ids(priced(cart(199), [after]))) == ([1], [])


# ── what a percentage is taken of ───────────────────────────────────────────────────────────────────────────────────


def test_a_percentage_is_taken_of_what_is_left_unless_told() -> None:
    percent: dict[str, Any] = {"kind": "PERCENT_OFF", "terms": {"payableBasisPoints": 8500}}
    assert made(**percent).percent_base is PercentBase.REMAINING
    assert made(**percent, percent_base=PercentBase.INITIAL).percent_base is PercentBase.INITIAL


TERMS_OF: dict[str, dict[str, Any]] = {
    "AMOUNT_OFF": {"amountMinor": 1},
    "THRESHOLD_AMOUNT_OFF": {"thresholdMinor": 1, "amountMinor": 1},
    "FREE_SHIPPING": {},
    "CASH": {"faceMinor": 1},
    "FIXED_PRICE": {"priceMinor": 1},
    "BUY_X_GET_Y": {"buyQuantity": 1, "getQuantity": 1},
    "PRODUCT_EXCHANGE": {"productRefs": ["a"]},
}


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"PERCENT_OFF"}))
def test_a_kind_that_takes_no_share_has_no_base_for_it(kind: str) -> None:
    assert path_of(kind=kind, terms=TERMS_OF[kind], percent_base=PercentBase.INITIAL) == "percentBase"
    made(kind=kind, terms=TERMS_OF[kind], percent_base=PercentBase.REMAINING)


# ── the merchant's fault ────────────────────────────────────────────────────────────────────────────────────────────


def test_grace_is_of_a_year_at_most_and_none_unless_it_is_promised() -> None:
    assert made().merchant_fault_grace_days == 0
    assert made(merchant_fault_grace_days=365).merchant_fault_grace_days == 365
    for days in (-1, 366):
        assert path_of(merchant_fault_grace_days=days) == "merchantFaultGraceDays"
