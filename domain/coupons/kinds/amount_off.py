"""无门槛券: an amount off, from the first fen on."""

from dataclasses import dataclass

from domain.coupons.terms import Basket, CouponKind, Spread, SumRule, amount_text, require_amount
from domain.shared.text import Text


@dataclass(frozen=True, slots=True)
class AmountOff:
    """Take `amount_minor` off, or all that is left where that is less."""

    amount_minor: int

    def __post_init__(self) -> None:
        """Refuse an amount that is none."""
        require_amount(self.amount_minor, path="amountMinor")


def _discount(terms: AmountOff, _basket: Basket) -> Spread:
    return Spread(terms.amount_minor)


def _headline(terms: AmountOff, currency: str) -> Text:
    amount = amount_text(terms.amount_minor, currency)
    return Text(f"立减{amount.zh_cn}", f"{amount.en} off")


def _rules_text(terms: AmountOff, currency: str) -> Text:
    amount = amount_text(terms.amount_minor, currency)
    return Text(
        f"无金额门槛，适用商品立减{amount.en}；适用商品应付金额不足{amount.en}的，以应付金额为限，差额不退。",
        f"Takes {amount.en} off the eligible items, with no minimum spend. If less is due on them, it takes off "
        "what is due; the difference is not paid out.",
    )


KIND = CouponKind(
    code="AMOUNT_OFF",
    terms=AmountOff,
    discount=_discount,
    headline=_headline,
    rules_text=_rules_text,
    sums=lambda terms, _balance: SumRule(most_minor=terms.amount_minor),
)
