"""Which goods a member may add to a cart: of those that a coupon is about, one of each sort that coupons tell apart."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, product
from typing import Final

from domain.coupons.cart import MAX_CATEGORIES, Cart, CartLine
from domain.coupons.offer import Offer
from domain.shared.ids import MerchantId

MAX_SORTS: Final = 16
MAX_LOOKED_AT: Final = 500
_MAX_GROUPS: Final = 12


def sorts_of_goods(offer: Offer, *, beside: Sequence[Offer], cart: Cart, that_it_acts_on: bool) -> tuple[CartLine, ...]:
    """Goods in the offer's scope: like those of the cart, of products that nobody names, and of those that others name.

    Two that the same coupons act on are one sort. Those come first that most of the coupons act on, since what these
    take off is lacking then. Of the lines only product, merchant, categories and whether it
    is a member's price count. Where there are more sorts than
    can be tried, none is answered: what is not tried is not told.
    """
    coupons = (*beside, offer)
    sorts: dict[tuple[bool, ...], CartLine] = {}
    goods = chain(cart.lines, _others(offer, beside=beside, cart=cart))
    for place, line in enumerate(_at_each_price(goods, coupons)):
        signature = tuple([_acts_on(coupon, line) for coupon in coupons])
        if signature[-1] or (not that_it_acts_on and _is_in_scope(offer, line)):
            sorts.setdefault(signature, line)
        if len(sorts) > MAX_SORTS or place > len(cart.lines) + MAX_LOOKED_AT:
            return ()
    return tuple(line for _, line in sorted(sorts.items(), key=lambda item: -sum(item[0])))


def cheapest_price(offer: Offer, *, cart: Cart) -> int | None:
    """What the cheapest unit costs that the offer acts on, in the cart; where there is none, the cheapest at all."""
    priced = [line for line in cart.lines if line.unit_price_minor]
    own = [line.unit_price_minor for line in priced if _acts_on(offer, line)]
    return min(own or [line.unit_price_minor for line in priced], default=None)


def _others(offer: Offer, *, beside: Sequence[Offer], cart: Cart) -> Iterator[CartLine]:
    """Goods made of what the scopes of the coupons name."""
    coupons = (offer, *beside)
    named = [refs for coupon in coupons for refs in _products(coupon)]
    unnamed = "other goods"
    while any(unnamed in refs for refs in named):
        unnamed += "+"
    products = [unnamed, *_told_apart(named)]
    categories = _told_apart([coupon.scope.category_refs for coupon in coupons])
    sets = [frozenset(categories[:MAX_CATEGORIES]), *(frozenset((one,)) for one in categories), frozenset[str]()]
    for product_ref, refs, merchant_id in product(products, dict.fromkeys(sets), _merchants(coupons, cart=cart)):
        yield CartLine("", product_ref, merchant_id, 1, 1, refs)


def _at_each_price(goods: Iterable[CartLine], coupons: Sequence[Offer]) -> Iterator[CartLine]:
    """The goods; at a member's price and without it, where a coupon tells these apart."""
    told_apart = any(coupon.scope.spares_member_prices for coupon in coupons)
    for line in goods:
        yield line
        if told_apart:
            yield replace(line, at_member_price=not line.at_member_price)


def _told_apart(named: Iterable[frozenset[str]]) -> list[str]:
    """Of all that is named one of each sort: two are of one sort where the same sets name them."""
    groups: list[frozenset[str]] = []
    for refs in {refs for refs in named if refs}:
        known = frozenset[str]().union(*groups)
        parts = [part for group in groups for part in (group & refs, group - refs)]
        groups = [part for part in (*parts, refs - known) if part][:_MAX_GROUPS]
    return sorted(map(min, groups))


def _merchants(coupons: Sequence[Offer], *, cart: Cart) -> list[MerchantId]:
    own = coupons[0].merchant_ids
    named = [min(ids & own if own else ids, default=None) for ids in (coupon.merchant_ids for coupon in coupons)]
    found = [*(id_ for id_ in named if id_ is not None), *(line.merchant_id for line in cart.lines)]
    return list(dict.fromkeys(found))


def _products(offer: Offer) -> Iterator[frozenset[str]]:
    """The sets of products that its scope and its terms name."""
    yield offer.scope.product_refs
    yield offer.scope.excluded_product_refs
    for term in offer.coupon_kind.shape.values():
        if term.is_refs:
            yield frozenset(getattr(offer.terms, term.attribute) or ())


def _is_in_scope(offer: Offer, line: CartLine) -> bool:
    return offer.scope.holds_line(line, merchant_ids=offer.merchant_ids)


def _acts_on(offer: Offer, line: CartLine) -> bool:
    return _is_in_scope(offer, line) and offer.coupon_kind.acts_on(offer.terms, line)
