"""买赠券: who buys so many units gets some more for less, or for nothing."""

from dataclasses import dataclass
from typing import Final

from domain.coupons.lanes import Lane
from domain.coupons.terms import Basket, CouponKind, OnLines, UnitRule, fold_text, percent_number, require_term
from domain.shared.allocation import WHOLE_BASIS_POINTS, allocate
from domain.shared.money import half_up
from domain.shared.text import Text

MAX_UNITS: Final = 1000


@dataclass(frozen=True, slots=True)
class BuyXGetY:
    """Of the cheapest `buy_quantity` + `get_quantity` units in scope, pay less for the cheapest `get_quantity`.

    `payable_basis_points` is what is paid for those: 5000 is half their price. Left out they are free.
    """

    buy_quantity: int
    get_quantity: int
    payable_basis_points: int | None = None

    def __post_init__(self) -> None:
        """Refuse quantities that are none, and a share that is no discount."""
        for value, path in ((self.buy_quantity, "buyQuantity"), (self.get_quantity, "getQuantity")):
            require_term(1 <= value <= MAX_UNITS, path=path, reason=f"is 1 to {MAX_UNITS} units")
        if self.payable_basis_points is not None:
            require_term(
                1 <= self.payable_basis_points < WHOLE_BASIS_POINTS,
                path="payableBasisPoints",
                reason="is 1 to 9999: the part that the member pays, 5折 being 5000; left out, it is free",
            )


def _discount(terms: BuyXGetY, basket: Basket) -> OnLines:
    nothing = (0,) * len(basket.lines)
    got = _cheapest(basket, count=terms.get_quantity)
    taken = _cheapest(basket, count=terms.get_quantity + terms.buy_quantity)
    if sum(taken) < terms.get_quantity + terms.buy_quantity:
        return OnLines(nothing)
    prices = [line.units_minor(count) for line, count in zip(basket.lines, got, strict=True)]
    # Rounded once for the coupon, never line by line.
    off = half_up(sum(prices) * (WHOLE_BASIS_POINTS - (terms.payable_basis_points or 0)), WHOLE_BASIS_POINTS)
    return OnLines(allocate(off, weights=prices), taken)


def _most(terms: BuyXGetY, basket: Basket) -> int:
    # Earlier coupons may use up the cheap units, so that dearer ones are the cheapest: take it that the dearest stay.
    count, passed, dearest_minor = terms.get_quantity, terms.buy_quantity, 0
    for line in sorted(basket.lines, key=lambda line: -line.line.unit_price_minor):
        got = min(count, max(0, line.line.quantity - passed))
        passed = max(0, passed - line.line.quantity)
        dearest_minor += got * line.line.unit_price_minor
        count -= got
    return half_up(dearest_minor * (WHOLE_BASIS_POINTS - (terms.payable_basis_points or 0)), WHOLE_BASIS_POINTS)


def _cheapest(basket: Basket, *, count: int) -> tuple[int, ...]:
    """How many units of each line are among the cheapest so many; of equal prices the earlier line's."""
    taken = [0] * len(basket.lines)
    open_places = [place for place, line in enumerate(basket.lines) if line.open_units]
    for place in sorted(open_places, key=lambda place: (basket.lines[place].unit_price, place)):
        taken[place] = min(count, basket.lines[place].open_units)
        count -= taken[place]
    return tuple(taken)


def _price_text(terms: BuyXGetY) -> Text:
    if terms.payable_basis_points is None:
        return Text("免费", "free")
    off = percent_number(WHOLE_BASIS_POINTS - terms.payable_basis_points)
    return Text(f"享{fold_text(terms.payable_basis_points)}", f"at {off}% off")


def _headline(terms: BuyXGetY, _currency: str) -> Text:
    buy, get, price = terms.buy_quantity, terms.get_quantity, _price_text(terms)
    zh_cn = f"买{buy}送{get}" if terms.payable_basis_points is None else f"买{buy}件，另{get}件{price.zh_cn}"
    return Text(zh_cn, f"Buy {buy}, get {get} {price.en}")


def _rules_text(terms: BuyXGetY, _currency: str) -> Text:
    buy, get, price = terms.buy_quantity, terms.get_quantity, _price_text(terms)
    return Text(
        f"适用商品满 {buy + get} 件可用：取单价最低的 {buy + get} 件，其中最低的 {get} 件{price.zh_cn}，"
        f"其余 {buy} 件照付；"
        "每张券一次，不按倍数累计；零元商品和已享其他单件优惠的商品不计件数；优惠金额四舍五入到最小货币单位。",
        f"Takes the {buy + get} cheapest eligible units: the cheapest {get} of them are {price.en}, the other {buy} "
        "are paid for. Once per coupon, however many units there are; units that cost nothing, or that another coupon "
        "has acted on one by one, do not count. The saving is rounded to the nearest minor unit.",
    )


KIND = CouponKind(
    code="BUY_X_GET_Y",
    terms=BuyXGetY,
    discount=_discount,
    headline=_headline,
    rules_text=_rules_text,
    lane=Lane.ITEM,
    units=lambda terms: terms.buy_quantity + terms.get_quantity,
    most=_most,
    on_units=lambda terms: UnitRule(
        terms.get_quantity,
        cheapest=True,
        off_basis_points=WHOLE_BASIS_POINTS - (terms.payable_basis_points or 0),
    ),
)
