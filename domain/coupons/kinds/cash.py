"""现金券: a balance that pays for what is eligible; what an order leaves of it stays for the next."""

from dataclasses import dataclass

from domain.coupons.lanes import Lane
from domain.coupons.terms import Basket, CouponKind, Spread, SumRule, amount_text, require_amount
from domain.shared.text import Text


@dataclass(frozen=True, slots=True)
class Cash:
    """Begin with a balance of `face_minor`; each order takes what is left to pay, as far as the balance reaches."""

    face_minor: int

    def __post_init__(self) -> None:
        """Refuse a balance that is none."""
        require_amount(self.face_minor, path="faceMinor")


def _discount(terms: Cash, basket: Basket) -> Spread:
    # A coupon that nobody owns yet has its whole face before it.
    balance = terms.face_minor if basket.balance_minor is None else basket.balance_minor
    return Spread(min(balance, basket.left_minor))


def _headline(terms: Cash, currency: str) -> Text:
    face = amount_text(terms.face_minor, currency)
    yuan = "元" if currency == "CNY" else ""
    return Text(f"{face.zh_cn}{yuan}现金券", f"{face.en} to spend")


def _rules_text(terms: Cash, currency: str) -> Text:
    face = amount_text(terms.face_minor, currency)
    return Text(
        f"面额{face.en}，在其他优惠和积分之后抵付适用商品的应付金额，不抵运费；"
        "一单未用完的余额在有效期内可继续使用，不找零，不折现。",
        f"Holds {face.en}, which pays for the eligible items after all other offers and points, not for shipping. What "
        "an order leaves of it stays on the coupon for later orders within its validity; it is not paid out.",
    )


KIND = CouponKind(
    code="CASH",
    terms=Cash,
    discount=_discount,
    headline=_headline,
    rules_text=_rules_text,
    sums=lambda terms, balance: SumRule(most_minor=terms.face_minor if balance is None else balance),
    lane=Lane.TENDER,
    balance=lambda terms: terms.face_minor,
)
