"""An order taken apart for a refund: its lines and its shipping fee, with who took what off each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.coupons.pricing import Allocation, FunderAmount
from domain.orders.model import Order, OrderLine
from domain.orders.refund_model import POINTS_PAID, SHIPPING, UNNAMED, Bearer, Part, PartDiscount, bearer_of

TakenBackMinor = Mapping[tuple[str, str], int]
"""What refunds have taken back so far, by part and bearer."""


@dataclass(frozen=True, slots=True)
class LineStanding:
    """A line of an order, what of it was paid with points in minor units, and how many of its units were returned."""

    line: OrderLine
    points_minor: int = 0
    returned: int = 0


def parts_of(order: Order, lines: Sequence[LineStanding], *, taken: TakenBackMinor) -> tuple[Part, ...]:
    """The lines and, where there is one, the shipping fee; of an order from elsewhere nobody knows whose discounts."""
    quoted = {} if order.quote is None else {line.id: line.allocations for line in order.quote.lines}
    goods = [_of_line(one, allocations=quoted.get(one.line.line.id), taken=taken) for one in lines]
    if not order.shipping_minor:
        return tuple(goods)
    return (*goods, _of_shipping(order, goods=goods, lines=lines, taken=taken))


def _of_line(one: LineStanding, *, allocations: Sequence[Allocation] | None, taken: TakenBackMinor) -> Part:
    line = one.line.line
    given = _given(allocations or (), unnamed=0 if allocations is not None else one.line.discount_minor)
    if one.points_minor:
        given.append((POINTS_PAID, one.points_minor, ()))
    return Part(line.id, line.quantity, line.unit_price_minor, _discounts(line.id, given, taken=taken), one.returned)


def _of_shipping(order: Order, *, goods: Sequence[Part], lines: Sequence[LineStanding], taken: TakenBackMinor) -> Part:
    if order.quote is None:
        given = _given((), unnamed=order.discount_minor - sum(one.line.discount_minor for one in lines))
    else:
        given = _given(order.quote.shipping_allocations, unnamed=0)
    returned = 0 if any(part.remaining for part in goods) else 1
    return Part(SHIPPING, 1, order.shipping_minor, _discounts(SHIPPING, given, taken=taken), returned)


_Given = tuple[Bearer, int, tuple[FunderAmount, ...]]


def _given(allocations: Sequence[Allocation], *, unnamed: int) -> list[_Given]:
    given: list[_Given] = [(bearer_of(one.coupon_id), one.amount_minor, one.shares) for one in allocations]
    return [*given, (UNNAMED, unnamed, ())] if unnamed else given


def _discounts(part_id: str, given: Sequence[_Given], *, taken: TakenBackMinor) -> tuple[PartDiscount, ...]:
    return tuple(
        PartDiscount(bearer, minor, shares, taken.get((part_id, bearer), 0)) for bearer, minor, shares in given
    )
