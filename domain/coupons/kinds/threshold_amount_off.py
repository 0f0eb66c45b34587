"""满减券: an amount off a purchase that reaches a threshold."""

from dataclasses import dataclass

from domain.coupons.terms import Basket, CouponKind, Spread, SumRule, amount_text, require_amount, require_term
from domain.shared.text import Text


@dataclass(frozen=True, slots=True)
class ThresholdAmountOff:
    """Take `amount_minor` off once the eligible items reach `threshold_minor`."""

    threshold_minor: int
    amount_minor: int

    def __post_init__(self) -> None:
        """Refuse amounts that are none, and more off than must be spent."""
        require_amount(self.threshold_minor, path="thresholdMinor")
        require_amount(self.amount_minor, path="amountMinor")
        require_term(self.amount_minor <= self.threshold_minor, path="amountMinor", reason="is more than the threshold")


def _discount(terms: ThresholdAmountOff, _basket: Basket) -> Spread:
    return Spread(terms.amount_minor)


def _headline(terms: ThresholdAmountOff, currency: str) -> Text:
    threshold, amount = amount_text(terms.threshold_minor, currency), amount_text(terms.amount_minor, currency)
    return Text(f"满{threshold.zh_cn}减{amount.zh_cn}", f"{amount.en} off {threshold.en}")


def _rules_text(terms: ThresholdAmountOff, currency: str) -> Text:
    threshold, amount = amount_text(terms.threshold_minor, currency), amount_text(terms.amount_minor, currency)
    return Text(
        f"适用商品金额满{threshold.en}减{amount.en}，每张券减一次，不按倍数累计。",
        f"Takes {amount.en} off once the eligible items reach {threshold.en}; once per coupon, however many times the "
        "threshold is reached.",
    )


KIND = CouponKind(
    code="THRESHOLD_AMOUNT_OFF",
    terms=ThresholdAmountOff,
    discount=_discount,
    headline=_headline,
    rules_text=_rules_text,
    sums=lambda terms, _balance: SumRule(most_minor=terms.amount_minor),
    threshold=lambda terms: terms.threshold_minor,
)
