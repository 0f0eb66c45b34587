"""兑换券: one unit of a named product is handed over for the coupon."""

from dataclasses import dataclass

from domain.coupons.cart import CartLine
from domain.coupons.lanes import Lane
from domain.coupons.terms import Basket, CouponKind, OnLines, UnitRule
from domain.shared.text import Text


@dataclass(frozen=True, slots=True)
class ProductExchange:
    """Pay nothing for one unit of one of `product_refs`: the dearest that is in the cart and in scope."""

    product_refs: tuple[str, ...]


def _discount(_terms: ProductExchange, basket: Basket) -> OnLines:
    place = basket.dearest_unit()
    if place is None:
        return OnLines((0,) * len(basket.lines))
    return basket.on_line(place, basket.lines[place].units_minor(1))


def _is_named(terms: ProductExchange, line: CartLine) -> bool:
    return line.product_ref in terms.product_refs


def _headline(_terms: ProductExchange, _currency: str) -> Text:
    return Text("指定商品兑换券", "One item for free")


def _rules_text(terms: ProductExchange, _currency: str) -> Text:
    products = ", ".join(terms.product_refs)
    return Text(
        f"可兑换以下任一商品一件：{products}；订单中有多件时，兑换其中单价最高的一件，每张券限一件；"
        "已享其他单件优惠的商品不再计入，不找零，不折现。",
        f"Exchanges for one unit of any of these products: {products}. Of several in the order the dearest is free; "
        "one unit per coupon. Units that another coupon has acted on one by one do not count; no change is given.",
    )


KIND = CouponKind(
    code="PRODUCT_EXCHANGE",
    terms=ProductExchange,
    discount=_discount,
    headline=_headline,
    rules_text=_rules_text,
    lane=Lane.ITEM,
    acts_on=_is_named,
    units=lambda _terms: 1,
    on_units=lambda _terms: UnitRule(1),
)
