"""折扣券: the member pays a part of the price. 8.5折 is 8500 basis points to pay."""

from dataclasses import dataclass

from domain.coupons.terms import (
    Basket,
    CouponKind,
    Spread,
    SumRule,
    amount_text,
    fold_text,
    percent_number,
    require_amount,
    require_term,
)
from domain.shared.allocation import WHOLE_BASIS_POINTS
from domain.shared.money import half_up
from domain.shared.text import Text


@dataclass(frozen=True, slots=True)
class PercentOff:
    """Pay `payable_basis_points` of the price, from `threshold_minor` on, saving `max_discount_minor` at most.

    What is stored is what the member pays: 8500 is 8.5折, 15 % off. Input such as 85 or 8.5 is never guessed at.
    """

    payable_basis_points: int
    max_discount_minor: int | None = None
    threshold_minor: int | None = None

    def __post_init__(self) -> None:
        """Refuse a share that is no discount, and amounts that are none."""
        require_term(
            1 <= self.payable_basis_points < WHOLE_BASIS_POINTS,
            path="payableBasisPoints",
            reason="is 1 to 9999: the part that the member pays, 8.5折 being 8500",
        )
        if self.max_discount_minor is not None:
            require_amount(self.max_discount_minor, path="maxDiscountMinor")
        if self.threshold_minor is not None:
            require_amount(self.threshold_minor, path="thresholdMinor")


def _discount(terms: PercentOff, basket: Basket) -> Spread:
    # half_up(base × (10000 - payable) / 10000), then the cap: rounded once for the basket, never line by line.
    amount = half_up(basket.base_minor * (WHOLE_BASIS_POINTS - terms.payable_basis_points), WHOLE_BASIS_POINTS)
    return Spread(amount if terms.max_discount_minor is None else min(amount, terms.max_discount_minor))


def _percent(terms: PercentOff) -> str:
    return f"{percent_number(WHOLE_BASIS_POINTS - terms.payable_basis_points)}% off"


def _headline(terms: PercentOff, currency: str) -> Text:
    zh_cn, en = fold_text(terms.payable_basis_points), _percent(terms)
    if terms.threshold_minor is not None:
        threshold = amount_text(terms.threshold_minor, currency)
        zh_cn, en = f"满{threshold.zh_cn}享{zh_cn}", f"{en} {threshold.en}"
    if terms.max_discount_minor is not None:
        most = amount_text(terms.max_discount_minor, currency)
        zh_cn, en = f"{zh_cn}，最高减{most.zh_cn}", f"{en}, up to {most.en}"
    return Text(zh_cn, en)


def _rules_text(terms: PercentOff, currency: str) -> Text:
    zh_cn, en = f"适用商品享{fold_text(terms.payable_basis_points)}", f"Takes {_percent(terms)} the eligible items"
    if terms.threshold_minor is not None:
        threshold = amount_text(terms.threshold_minor, currency)
        zh_cn, en = f"适用商品金额满{threshold.en}，{zh_cn}", f"{en} once they reach {threshold.en}"
    if terms.max_discount_minor is not None:
        most = amount_text(terms.max_discount_minor, currency)
        zh_cn, en = f"{zh_cn}，最多优惠{most.en}", f"{en}, saving {most.en} at most"
    return Text(f"{zh_cn}；优惠金额四舍五入到最小货币单位。", f"{en}. The saving is rounded to the nearest minor unit.")


KIND = CouponKind(
    code="PERCENT_OFF",
    terms=PercentOff,
    discount=_discount,
    headline=_headline,
    rules_text=_rules_text,
    sums=lambda terms, _balance: SumRule(WHOLE_BASIS_POINTS - terms.payable_basis_points, terms.max_discount_minor),
    threshold=lambda terms: terms.threshold_minor or 0,
    takes_share=True,
)
