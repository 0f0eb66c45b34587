"""Templates that say what cannot be: each part is in order, and together they forbid what they grant."""

from collections.abc import Mapping, Sequence

from domain.coupons.errors import InvalidTerms
from domain.coupons.lanes import Lane
from domain.coupons.model import CouponTemplate

# After these nothing is left of single goods: what is paid for shipping, with points, with other means.
_AFTER_GOODS = frozenset({Lane.SHIPPING, Lane.POINTS, Lane.TENDER})


def refuse_contradictions(template: CouponTemplate) -> None:
    """Refuse a template that grants what it forbids.

    Refusals: InvalidTerms.
    """
    _check_scope(template)
    _check_stacking(template)
    _check_lane(template)
    if template.conditions is not None:
        _check_conditions(template.conditions.to_json()["root"], path=("conditions",))


def _check_scope(template: CouponTemplate) -> None:
    scope = template.scope
    if both := scope.product_refs & scope.excluded_product_refs:
        raise InvalidTerms(("scope", "excludedProductRefs"), f"spares what productRefs names: {min(both)}")
    kind = template.coupon_kind
    for name, term in kind.shape.items():
        if not term.is_refs:
            continue
        refs: Sequence[str] = getattr(template.terms, term.attribute) or ()
        for place, ref in enumerate(refs):
            if ref in scope.excluded_product_refs:
                raise InvalidTerms(("terms", name, str(place)), "is excluded by scope.excludedProductRefs")
            # A product that is not named may still be of a category that is.
            if scope.product_refs and not scope.category_refs and ref not in scope.product_refs:
                raise InvalidTerms(("terms", name, str(place)), "is not among scope.productRefs")


def _check_stacking(template: CouponTemplate) -> None:
    stacking = template.stacking
    if stacking.max_per_order > 1 and not stacking.combines_with(stacking):
        path = ("stacking", "maxPerOrder")
        raise InvalidTerms(path, "is 1 unless combinesWithTags names a tag of its own: two of them do not go together")
    if stacking.max_per_order > 1 and stacking.exclusive_group is not None:
        raise InvalidTerms(("stacking", "maxPerOrder"), "is 1 with an exclusiveGroup, of which an order takes one")


def _check_lane(template: CouponTemplate) -> None:
    kind, lane = template.coupon_kind, template.stacking.lane
    if lane is None:
        return
    path = ("stacking", "lane")
    if (kind.lane is Lane.SHIPPING) and lane is not Lane.SHIPPING:
        raise InvalidTerms(path, f"is SHIPPING: {template.kind} takes off the fee alone")
    if kind.units(template.terms) and lane in _AFTER_GOODS:
        raise InvalidTerms(path, f"is ITEM, STORE_ORDER or PLATFORM_ORDER: {template.kind} acts on single goods")


def _check_conditions(found: object, *, path: tuple[str, ...]) -> None:
    """A coupon acts on one unit at least."""
    if isinstance(found, Mapping):
        for name, value in found.items():
            if name == "cartQuantity" and isinstance(value, Mapping) and value.get("atMost") == 0:
                raise InvalidTerms((*path, name, "atMost"), "is 1 or more: a coupon acts on one unit at least")
            _check_conditions(value, path=(*path, str(name)))
    elif isinstance(found, list):
        for place, one in enumerate(found):
            _check_conditions(one, path=(*path, str(place)))
