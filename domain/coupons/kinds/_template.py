"""The annotated example of a coupon kind. Copy it to `your_kind.py`; names that begin with _ are not discovered.

This one takes an amount off for every so much that is spent: 每满100减10.
"""

from dataclasses import dataclass

from domain.coupons.terms import Basket, CouponKind, Spread, amount_text, require_amount, require_term
from domain.shared.text import Text


# 1. The terms: integers (money ends in _minor, shares in _basis_points), optional integers (`int | None = None`) and
#    tuples of references (`tuple[str, ...]`). JSON, the list in the schema and the database follow from the fields:
#    every_minor is everyMinor in JSON. __post_init__ is the whole validation; the path names the JSON field.
@dataclass(frozen=True, slots=True)
class AmountOffEvery:
    """Take `amount_minor` off for each full `every_minor`."""

    every_minor: int
    amount_minor: int

    def __post_init__(self) -> None:
        """Refuse amounts that are none, and more off than must be spent."""
        require_amount(self.every_minor, path="everyMinor")
        require_amount(self.amount_minor, path="amountMinor")
        require_term(self.amount_minor <= self.every_minor, path="amountMinor", reason="is more than everyMinor")


# 2. The discount: what the coupon promises on a basket. Answer one of
#      Spread(amount)      an amount off the goods in scope; pricing shares it out over the lines,
#      OnLines(amounts)    an amount off each line of basket.lines (kinds that act on units),
#      OnShipping(amount)  an amount off the shipping fee.
#    Never negative. Pricing caps it at what is left to pay, checks scope, threshold, stacking and funders, and
#    allocates: a kind does none of that. Integers only; `half_up` of domain.shared.money rounds.
def _discount(terms: AmountOffEvery, basket: Basket) -> Spread:
    return Spread(basket.base_minor // terms.every_minor * terms.amount_minor)


# 3. The headline: what fits on the coupon, in both languages. `amount_text` writes money right for its currency.
def _headline(terms: AmountOffEvery, currency: str) -> Text:
    every, amount = amount_text(terms.every_minor, currency), amount_text(terms.amount_minor, currency)
    return Text(f"每满{every.zh_cn}减{amount.zh_cn}", f"{amount.en} off every {every.en}")


# 4. The rules: everything that the discount does, in words. A rule that is enforced and not written here is a hidden
#    rule; scope, period, stacking and refunds are written by the template, for all kinds alike.
def _rules_text(terms: AmountOffEvery, currency: str) -> Text:
    every, amount = amount_text(terms.every_minor, currency), amount_text(terms.amount_minor, currency)
    return Text(
        f"适用商品金额每满{every.en}减{amount.en}，上不封顶，不足{every.en}的部分不计。",
        f"Takes {amount.en} off for each full {every.en} of eligible items, without a limit.",
    )


# 5. The kind. The code is the file's name in capitals. Leave out `threshold` if the kind needs none, and `lane` unless
#    coupons of this kind belong in one lane whoever issues them (Lane.SHIPPING, Lane.TENDER). `acts_on` narrows the
#    scope to lines that the terms name; a kind that acts on units says in `units` how many open ones it needs, and in
#    OnLines which it takes, so that no other coupon counts them again (see fixed_price.py). Where the discount is a
#    share or an amount of the basket's sum, `sums` says so once more, which makes the search quicker (percent_off.py);
#    `balance` is for coupons of which an order leaves something (cash.py); `takes_share` for a discount that looks at
#    `base_minor`: templates of the kind may name what that is.
KIND = CouponKind(
    code="AMOUNT_OFF_EVERY",
    terms=AmountOffEvery,
    discount=_discount,
    headline=_headline,
    rules_text=_rules_text,
    threshold=lambda terms: terms.every_minor,
    takes_share=True,
)
