"""包邮券: the shipping fee, or a part of it, is not paid."""

from dataclasses import dataclass

from domain.coupons.lanes import Lane
from domain.coupons.terms import Basket, CouponKind, OnShipping, amount_text, require_amount
from domain.shared.text import Text


@dataclass(frozen=True, slots=True)
class FreeShipping:
    """Take the shipping fee off, `max_minor` of it at most, once the eligible items reach `threshold_minor`."""

    max_minor: int | None = None
    threshold_minor: int | None = None

    def __post_init__(self) -> None:
        """Refuse amounts that are none."""
        if self.max_minor is not None:
            require_amount(self.max_minor, path="maxMinor")
        if self.threshold_minor is not None:
            require_amount(self.threshold_minor, path="thresholdMinor")


def _discount(terms: FreeShipping, basket: Basket) -> OnShipping:
    fee = basket.shipping_left_minor
    return OnShipping(fee if terms.max_minor is None else min(fee, terms.max_minor))


def _headline(terms: FreeShipping, currency: str) -> Text:
    zh_cn, en = "包邮", "Free shipping"
    if terms.max_minor is not None:
        most = amount_text(terms.max_minor, currency)
        zh_cn, en = f"运费最高减{most.zh_cn}", f"Up to {most.en} off shipping"
    if terms.threshold_minor is not None:
        threshold = amount_text(terms.threshold_minor, currency)
        zh_cn, en = f"满{threshold.zh_cn}{zh_cn}", f"{en} on {threshold.en}"
    return Text(zh_cn, en)


def _rules_text(terms: FreeShipping, currency: str) -> Text:
    zh_cn, en = "免除订单运费", "Takes the order's shipping fee off"
    if terms.threshold_minor is not None:
        threshold = amount_text(terms.threshold_minor, currency)
        zh_cn, en = f"适用商品金额满{threshold.en}，{zh_cn}", f"{en} once the eligible items reach {threshold.en}"
    if terms.max_minor is not None:
        most = amount_text(terms.max_minor, currency)
        zh_cn, en = f"{zh_cn}，最多减免{most.en}", f"{en}, {most.en} of it at most"
    return Text(
        f"{zh_cn}；订单须含适用商品，运费以外的金额不减。",
        f"{en}. The order must hold an eligible item; nothing but the fee is reduced.",
    )


KIND = CouponKind(
    code="FREE_SHIPPING",
    terms=FreeShipping,
    discount=_discount,
    headline=_headline,
    rules_text=_rules_text,
    threshold=lambda terms: terms.threshold_minor or 0,
    lane=Lane.SHIPPING,
)
