"""What a refund of an order does, decided of the order as it stands. Pure functions, over the rules of refunds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from domain.coupons.model import RefundPolicy
from domain.coupons.offer import Offer
from domain.orders.model import Order
from domain.orders.refund_model import Bearer, CouponUse, Part, RefundedOrder, Settled
from domain.orders.refund_rules import (
    goods_paid_minor,
    kept_minor,
    points_kept,
    points_still_used,
    prices_anew,
    settle,
)
from domain.orders.repricing import as_used, deserved_by


def uses_that_stand(found: RefundedOrder) -> Sequence[CouponUse]:
    """The uses that a refund may change; a coupon of whose discount nothing is left was given back, and is no part."""
    return [use for use in found.uses if kept_minor(found.parts, bearer=use.bearer)]


def is_priced_anew(found: RefundedOrder) -> bool:
    """Whether the offers of the coupons that stand are needed to decide a refund."""
    return prices_anew(_policies(found))


def decide_refund(found: RefundedOrder, *, units: Mapping[str, int], offers: Sequence[Offer]) -> Settled:
    """What a refund of these units does to money, discounts and what is due; `offers` are of the coupons that stand.

    They are asked for where `is_priced_anew`, each as it was when the order was paid.
    """

    def deserved(parts: Sequence[Part]) -> Mapping[tuple[str, Bearer], int]:
        terms = None if found.order.quote is None else found.order.quote.terms
        assert terms is not None, "without terms no policy prices anew"
        # A coupon of which these very units leave nothing comes back with them: it lowers nothing for the others.
        stand = uses_that_stand(replace(found, parts=tuple(parts)))
        used = {use.redemption.coupon_id: use.redemption.discount_minor for use in stand}
        as_then = [as_used(one, used_minor=used[one.coupon_id], terms=terms) for one in offers if one.coupon_id in used]
        return deserved_by(parts, order=found.order, lines=found.lines, offers=as_then, terms=terms)

    return settle(
        found.parts,
        units=units,
        policies=_policies(found),
        due_minor={use.bearer: use.receivable_minor for use in found.uses},
        deserved=deserved,
    )


def _policies(found: RefundedOrder) -> Mapping[Bearer, RefundPolicy]:
    quote = found.order.quote
    # Without the terms of its quote nothing can be priced as it was: each line keeps its part.
    keep = None if quote is not None and quote.terms is not None else RefundPolicy.KEEP_ALLOCATION
    return {use.bearer: keep or use.redemption.refund_policy for use in uses_that_stand(found)}


@dataclass(frozen=True, slots=True)
class PointsMoved:
    """The points that a refund returns of those that were paid, and takes back of those that were earned."""

    returned: int
    clawed_back: int


def points_moved(found: RefundedOrder, *, parts: Sequence[Part]) -> PointsMoved:
    """What becomes of an order's points with these parts left."""
    before = points_still_used(found.parts, points_used=found.points_used)
    after = points_still_used(parts, points_used=found.points_used)
    clawed_back = max(0, _promised(found.order) - _still_earned(found, parts=parts))
    return PointsMoved(returned=before - after, clawed_back=clawed_back)


def _promised(order: Order) -> int:
    return order.points_pending + order.points_earned


def _still_earned(found: RefundedOrder, *, parts: Sequence[Part]) -> int:
    """What the order still earns; of one whose rate is not known, in proportion to what stays paid."""
    stays, quote = goods_paid_minor(parts), found.order.quote
    terms = None if quote is None else quote.terms
    if terms is not None:
        return points_kept(terms, goods_paid_minor=stays) if _promised(found.order) else 0
    at_first = goods_paid_minor([_untouched(part) for part in found.parts])
    return (_promised(found.order) + found.points_clawed_back) * stays // at_first if at_first else 0


def _untouched(part: Part) -> Part:
    discounts = tuple(replace(discount, taken_back_minor=0) for discount in part.discounts)
    return replace(part, returned=0, discounts=discounts)
