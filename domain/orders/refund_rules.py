"""What a refund gives back, to the minor unit. Pure functions.

Everything is a function of what the member keeps, and a refund is the difference of two of its values: f(before) -
f(after), never f(what is returned). So any sequence of refunds sums to what one full refund gives.

1. The units that are returned free their part of the line's discount, by the cumulative rule of units.
2. What stays is priced anew where a policy asks for it. No discount grows by that, and none moves to another line: a
   coupon keeps on a line what it gave there, or the less that the rest deserves.
3. REPRICE takes the difference out of the refund, at most all of it; CLAWBACK notes it as due.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from domain.coupons.model import RefundPolicy
from domain.coupons.pricing import FunderAmount
from domain.orders.errors import RefundExceedsOrder
from domain.orders.model import QuoteTerms
from domain.orders.refund_model import (
    POINTS_PAID,
    SHIPPING,
    Bearer,
    Part,
    PartDiscount,
    ReturnedPart,
    Settled,
    TakenBack,
)
from domain.points.rules import Rate
from domain.shared.allocation import allocate
from domain.shared.errors import NotFound
from domain.shared.money import half_up

Place = tuple[str, Bearer]
"""A discount by its part and its bearer."""
Deserved = Callable[[Sequence[Part]], Mapping[Place, int]]
"""What the coupons take off what is left, priced anew; a place that is missing deserves nothing."""

_PRICED_ANEW: Final = frozenset({RefundPolicy.REPRICE, RefundPolicy.CLAWBACK})


def units_asked(parts: Sequence[Part], *, lines: Mapping[str, int] | None) -> Mapping[str, int]:
    """The units to return, by line; None asks for all that are left.

    Refusals: NotFound for a line that the order has not, RefundExceedsOrder for more than is left of it.
    """
    goods = {part.id: part for part in parts if part.id != SHIPPING}
    if lines is None:
        left = {part.id: part.remaining for part in goods.values() if part.remaining}
        if not left:
            raise RefundExceedsOrder(line_id=None, requested=None, remaining=0)
        return left
    for line_id, quantity in lines.items():
        if line_id not in goods:
            raise NotFound("OrderLine")
        if quantity > goods[line_id].remaining:
            raise RefundExceedsOrder(line_id=line_id, requested=quantity, remaining=goods[line_id].remaining)
    return lines


def settle(
    parts: Sequence[Part],
    *,
    units: Mapping[str, int],
    policies: Mapping[Bearer, RefundPolicy],
    due_minor: Mapping[Bearer, int],
    deserved: Deserved,
) -> Settled:
    """Decides a refund of these units; `policies` are those of the coupons that stand, `due_minor` what they owe.

    The shipping fee goes back with the last unit of the goods.
    """
    freed = [_return_units(part, _units_of(part, parts=parts, units=units)) for part in parts]
    left = _priced_anew(freed, policies=policies, deserved=deserved)
    over = {
        place: kept - min(kept, left.get(place, 0))
        for part in freed
        for discount in part.discounts
        if policies.get(discount.bearer) in _PRICED_ANEW
        for place, kept in [((part.id, discount.bearer), discount.kept_minor)]
    }
    repriced = {place: minor for place, minor in over.items() if policies[place[1]] is RefundPolicy.REPRICE}
    after = _take_back(freed, over=repriced, at_most=_paid(parts) - _paid(freed))
    clawed: dict[Bearer, int] = {
        bearer: -due_minor.get(bearer, 0) for bearer, policy in policies.items() if policy is RefundPolicy.CLAWBACK
    }
    for (_, bearer), minor in over.items():
        if bearer in clawed:
            clawed[bearer] += minor
    return Settled(
        parts=tuple(after),
        returned=tuple(_returned(*pair) for pair in zip(parts, after, strict=True) if pair[0] != pair[1]),
        taken_back=tuple(taken for pair in zip(parts, after, strict=True) for taken in _taken_back(*pair)),
        receivables_minor=tuple((bearer, minor) for bearer, minor in clawed.items() if minor),
    )


def running_split(taken: int, *, amounts: Sequence[int]) -> tuple[int, ...]:
    """What is gone of each amount once `taken` of their sum is.

    Never less for more, so that differences are never negative; the sum is `taken`, and with all taken each is whole.
    Two funders of 50 % of 1000, of which 333 are taken: 167 and 166.
    """
    left, of = taken, sum(amounts)
    gone: list[int] = []
    for amount in amounts:
        share = half_up(left * amount, of) if of else 0
        gone.append(share)
        left, of = left - share, of - amount
    return tuple(gone)


def points_kept(terms: QuoteTerms, *, goods_paid_minor: int) -> int:
    """The points that an order still earns, at what stays paid for its goods, by the rate that it was paid under."""
    rate = Rate(points=terms.points, per_minor=terms.per_minor)
    return rate.points_for(goods_paid_minor, bonus_basis_points=[terms.bonus_basis_points])


def points_still_used(parts: Sequence[Part], *, points_used: int) -> int:
    """Of the points that an order was paid with those that are not returned: in proportion to what they still pay."""
    paid = [discount for part in parts for discount in part.discounts if discount.bearer == POINTS_PAID]
    whole = sum(discount.amount_minor for discount in paid)
    return half_up(points_used * sum(discount.kept_minor for discount in paid), whole) if whole else 0


def goods_paid_minor(parts: Sequence[Part]) -> int:
    """What stays paid in money for the goods, without the shipping fee."""
    return _paid([part for part in parts if part.id != SHIPPING])


def kept_minor(parts: Sequence[Part], *, bearer: Bearer) -> int:
    """What a discount still gives on all parts."""
    return sum(discount.kept_minor for part in parts for discount in part.discounts if discount.bearer == bearer)


def _paid(parts: Sequence[Part]) -> int:
    return sum(part.paid_minor for part in parts)


def _units_of(part: Part, *, parts: Sequence[Part], units: Mapping[str, int]) -> int:
    if part.id != SHIPPING:
        return units.get(part.id, 0)
    kept = any(one.remaining > units.get(one.id, 0) for one in parts if one.id != SHIPPING)
    return 0 if kept else part.remaining


def _return_units(part: Part, units: int) -> Part:
    """The part with so many units fewer, and with what is left of each discount by the cumulative rule."""
    if not units:
        return part
    returned, whole = part.returned + units, [discount.amount_minor for discount in part.discounts]
    # The whole line's discount is rounded once, then split: a unit never costs less than nothing.
    gone = running_split(half_up(sum(whole) * returned, part.quantity), amounts=whole)
    return replace(
        part,
        returned=returned,
        discounts=tuple(
            replace(discount, taken_back_minor=max(discount.taken_back_minor, minor))
            for discount, minor in zip(part.discounts, gone, strict=True)
        ),
    )


def prices_anew(policies: Mapping[Bearer, RefundPolicy]) -> bool:
    """Whether one of these policies asks what the rest of an order deserves."""
    return not _PRICED_ANEW.isdisjoint(policies.values())


def _priced_anew(
    parts: Sequence[Part], *, policies: Mapping[Bearer, RefundPolicy], deserved: Deserved
) -> Mapping[Place, int]:
    if not prices_anew(policies) or not any(part.remaining for part in parts):
        return {}
    return deserved(parts)


def _take_back(parts: Sequence[Part], *, over: Mapping[Place, int], at_most: int) -> list[Part]:
    """The parts with what is no longer deserved taken back; where the refund does not cover it, in proportion."""
    places = [place for place, minor in over.items() if minor]
    taken = dict(zip(places, allocate(at_most, weights=[over[place] for place in places]), strict=True))
    return [
        replace(
            part,
            discounts=tuple(
                replace(one, taken_back_minor=one.taken_back_minor + taken.get((part.id, one.bearer), 0))
                for one in part.discounts
            ),
        )
        for part in parts
    ]


def _returned(before: Part, after: Part) -> ReturnedPart:
    return ReturnedPart(before.id, after.returned - before.returned, before.paid_minor - after.paid_minor)


def _taken_back(before: Part, after: Part) -> list[TakenBack]:
    return [
        TakenBack(before.id, old.bearer, new.taken_back_minor - old.taken_back_minor, _shares(old, new))
        for old, new in zip(before.discounts, after.discounts, strict=True)
        if new.taken_back_minor > old.taken_back_minor
    ]


def _shares(old: PartDiscount, new: PartDiscount) -> tuple[FunderAmount, ...]:
    amounts = [share.amount_minor for share in old.shares]
    before = running_split(old.taken_back_minor, amounts=amounts)
    after = running_split(new.taken_back_minor, amounts=amounts)
    return tuple(
        FunderAmount(share.funder, later - earlier)
        for share, earlier, later in zip(old.shares, before, after, strict=True)
    )
