"""In which basket a household used a coupon, and what it took off there.

The source says only on which day a coupon was used; what coupons took off stands in the lines of that day's baskets.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Final

from app.demo.offers import HistoricOffer
from app.demo.source import SourceLine, SourceRedemption

NOTHING: Final = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Basket:
    """What was paid for at once."""

    number: int
    store: int
    bought_at: datetime
    lines: Sequence[SourceLine]


@dataclass(frozen=True, slots=True)
class Part:
    """What a coupon took off one line, in minor units, by who bears it."""

    line: int
    platform_minor: int
    merchant_minor: int

    @property
    def discount_minor(self) -> int:
        """What the member saved."""
        return self.platform_minor + self.merchant_minor


@dataclass(frozen=True, slots=True)
class Use:
    """A coupon used in a basket."""

    offer: HistoricOffer
    basket: Basket
    parts: tuple[Part, ...]


def baskets_of(lines: Iterable[SourceLine]) -> list[Basket]:
    """A household's baskets, by time."""
    return [_basket(list(found)) for _, found in groupby(lines, key=lambda line: line.basket)]


def _basket(lines: Sequence[SourceLine]) -> Basket:
    first = lines[0]
    return Basket(first.basket, first.store, first.bought_at, lines)


def uses_of(
    redemptions: Iterable[SourceRedemption],
    *,
    baskets: Sequence[Basket],
    offers: Mapping[tuple[int, int], HistoricOffer],
) -> list[Use]:
    """Each coupon that was used, in one of that day's baskets. No line's discount is counted twice."""
    by_day: dict[date, list[Basket]] = {}
    for basket in baskets:
        by_day.setdefault(basket.bought_at.date(), []).append(basket)
    taken: set[tuple[int, int]] = set()
    uses: list[Use] = []
    for redemption in sorted(redemptions):
        offer = offers[redemption.campaign, redemption.upc]
        basket = max(by_day[redemption.on], key=lambda basket: (_fit(basket, offer=offer, taken=taken), -basket.number))
        parts = _parts(basket, offer=offer, taken=taken)
        taken.update((basket.number, part.line) for part in parts)
        uses.append(Use(offer, basket, parts))
    return uses


def _seen(line: SourceLine) -> int:
    return line.coupon + line.match if line.coupon else 0


def _fit(basket: Basket, *, offer: HistoricOffer, taken: set[tuple[int, int]]) -> tuple[int, int, int, int]:
    """How likely the coupon was used in this basket: discounts seen on its products, any discounts, its products."""
    in_scope, elsewhere, of_products, paid = NOTHING
    for index, line in enumerate(basket.lines):
        seen = 0 if (basket.number, index) in taken else _seen(line)
        paid += line.paid
        elsewhere += seen
        if line.product in offer.products:
            in_scope += seen
            of_products += line.paid
    return in_scope, elsewhere, of_products, paid


def _parts(basket: Basket, *, offer: HistoricOffer, taken: set[tuple[int, int]]) -> tuple[Part, ...]:
    """What the lines say; where they say nothing, the template's own amount on the dearest line, by the platform."""
    free = [
        (index, line) for index, line in enumerate(basket.lines) if _seen(line) and (basket.number, index) not in taken
    ]
    found = [(index, line) for index, line in free if line.product in offer.products]
    if not found:
        # A product that the source forgot to list: the largest discount of the basket that no other coupon explains.
        found = sorted(free, key=lambda each: (-_seen(each[1]), each[0]))[:1]
    if found:
        return tuple(Part(index, line.coupon, line.match) for index, line in found)
    lines = list(enumerate(basket.lines))
    in_scope = [(index, line) for index, line in lines if line.product in offer.products]
    index, _ = max(in_scope or lines, key=lambda each: (each[1].paid, -each[0]))
    return (Part(index, offer.amount_minor, 0),)
