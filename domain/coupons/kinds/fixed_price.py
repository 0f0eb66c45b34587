"""一口价券: one unit of what is eligible costs a fixed price."""

from dataclasses import dataclass

from domain.coupons.lanes import Lane
from domain.coupons.terms import Basket, CouponKind, OnLines, UnitRule, amount_text, require_amount
from domain.shared.text import Text


@dataclass(frozen=True, slots=True)
class FixedPrice:
    """Pay `price_minor` for one unit: the dearest in scope. A unit that costs no more is left as it is."""

    price_minor: int

    def __post_init__(self) -> None:
        """Refuse a price that is none; what costs nothing is an exchange."""
        require_amount(self.price_minor, path="priceMinor")


def _discount(terms: FixedPrice, basket: Basket) -> OnLines:
    place = basket.dearest_unit()
    if place is None:
        return OnLines((0,) * len(basket.lines))
    return basket.on_line(place, max(0, basket.lines[place].units_minor(1) - terms.price_minor))


def _headline(terms: FixedPrice, currency: str) -> Text:
    price = amount_text(terms.price_minor, currency)
    yuan = "元" if currency == "CNY" else ""
    return Text(f"{price.zh_cn}{yuan}一口价", f"One item for {price.en}")


def _rules_text(terms: FixedPrice, currency: str) -> Text:
    price = amount_text(terms.price_minor, currency)
    return Text(
        f"适用商品中单价最高的一件按{price.en}购买；不高于{price.en}的商品不适用，每张券限一件；"
        "已享其他单件优惠的商品不再计入。",
        f"The dearest eligible unit costs {price.en}; units that cost no more stay as they are. One unit per coupon; "
        "units that another coupon has acted on one by one do not count.",
    )


KIND = CouponKind(
    code="FIXED_PRICE",
    terms=FixedPrice,
    discount=_discount,
    headline=_headline,
    rules_text=_rules_text,
    lane=Lane.ITEM,
    units=lambda _terms: 1,
    on_units=lambda terms: UnitRule(1, price_minor=terms.price_minor),
)
