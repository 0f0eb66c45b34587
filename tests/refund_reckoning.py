"""What refunds must give, reckoned a second time: from the words of the manual, and by none of the rules of refunds.

Only what coupons take off a cart is asked of pricing, which has tests of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction
from math import floor

from domain.coupons.cart import Cart
from domain.coupons.model import RefundPolicy
from domain.coupons.offer import Offer
from domain.coupons.pricing import Pricing, PricingPolicy, price
from domain.shared.ids import CouponId

POINTS = "points"
SHIPPING = ""
Slot = tuple[str, CouponId | str]
"""A part of an order, and who takes something off it."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What one refund must give: money, by how much what is due changes, and of points both ways; coupons given back.

    `taken` are changes by slot, `shares` those of the funders, in their order.
    """

    money_minor: int
    due_minor: int
    points_returned: int
    points_clawed_back: int
    given_back: frozenset[CouponId]
    taken: Mapping[Slot, int]
    shares: Mapping[Slot, tuple[int, ...]]


@dataclass
class Reckoning:
    """An order as somebody with paper would keep it: units left, what each slot still gives, what is due by coupon."""

    cart: Cart
    at: datetime
    offers: Sequence[Offer]
    policies: Mapping[CouponId, RefundPolicy]
    given: Mapping[Slot, int]
    shares: Mapping[Slot, tuple[int, ...]]
    points_used: int
    factor: Fraction
    units_left: dict[str, int]
    kept: dict[Slot, int]
    due: dict[CouponId, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        pricing: Pricing,
        *,
        cart: Cart,
        at: datetime,
        policies: Mapping[CouponId, RefundPolicy],
        points_minor: Mapping[str, int],
        points_used: int,
        bonus_basis_points: int = 0,
    ) -> "Reckoning":
        """An order that was paid so, of which some is paid with points, and which earns a point for each yuan."""
        given: dict[Slot, int] = {}
        shares: dict[Slot, tuple[int, ...]] = {}
        for part, allocations in [
            *((line.line.id, line.allocations) for line in pricing.lines),
            (SHIPPING, pricing.shipping_allocations),
        ]:
            for one in allocations:
                given[part, one.coupon_id] = one.amount_minor
                shares[part, one.coupon_id] = tuple(share.amount_minor for share in one.shares)
            if points_minor.get(part):
                given[part, POINTS] = points_minor[part]
        factor = (1 + Fraction(bonus_basis_points, 10_000)) / 100
        offers = [one.offer for one in pricing.applied]
        left = {line.id: line.quantity for line in cart.lines}
        return cls(cart, at, offers, policies, given, shares, points_used, factor, left, dict(given))

    def refund(self, units: Mapping[str, int]) -> Expected:
        """Returns these units of the order, and says what that must give."""
        before, kept, due = self._worth(), dict(self.kept), sum(self.due.values())
        returned, points, earned = before, self._points_used(), self._earned()
        for line, count in units.items():
            self.units_left[line] -= count
        self._free_units()
        at_most, over = returned - self._worth(), self._undeserved()
        self.due = {coupon: 0 for coupon, policy in self.policies.items() if policy is RefundPolicy.CLAWBACK}
        for (_, coupon), minor in over.items():
            if coupon in self.due:
                self.due[CouponId(coupon)] += minor  # type: ignore[arg-type]
        repriced = {slot: minor for slot, minor in over.items() if self._policy(slot) is RefundPolicy.REPRICE}
        for slot, minor in _shared_out(at_most, repriced).items():
            self.kept[slot] -= minor
        taken = {slot: kept[slot] - left for slot, left in self.kept.items() if left < kept[slot]}
        return Expected(
            money_minor=before - self._worth(),
            due_minor=sum(self.due.values()) - due,
            points_returned=points - self._points_used(),
            points_clawed_back=earned - self._earned(),
            given_back=_with_something(kept) - _with_something(self.kept),
            taken=taken,
            shares={slot: self._shares(slot, kept[slot]) for slot in taken if slot in self.shares},
        )

    def _worth(self, *, goods_alone: bool = False) -> int:
        """What the member has paid of what it keeps."""
        goods = sum(line.unit_price_minor * self.units_left[line.id] for line in self.cart.lines)
        shipping = 0 if goods_alone or not self._units() else self.cart.shipping_minor
        taken_off = sum(minor for (part, _), minor in self.kept.items() if part != SHIPPING or not goods_alone)
        return goods + shipping - taken_off

    def _units(self) -> int:
        return sum(self.units_left.values())

    def _free_units(self) -> None:
        """Units that went back take their part of all that was taken off their line with them, rounded once."""
        quantities = {line.id: (line.quantity, self.units_left[line.id]) for line in self.cart.lines}
        quantities[SHIPPING] = (1, 1 if self._units() else 0)
        for part, (bought, left) in quantities.items():
            slots = [slot for slot in self.given if slot[0] == part]
            whole = sum(self.given[slot] for slot in slots)
            gone = _half_up(Fraction(whole * (bought - left), bought))
            for slot, minor in zip(slots, _split(gone, [self.given[slot] for slot in slots]), strict=True):
                self.kept[slot] = min(self.kept[slot], self.given[slot] - minor)

    def _undeserved(self) -> dict[Slot, int]:
        """By how much coupons that are priced anew give more than the rest deserves, with those alone that are used."""
        used = _with_something(self.kept)
        anew = {coupon for coupon in used if self.policies[coupon] is not RefundPolicy.KEEP_ALLOCATION}
        if not anew or not self._units():
            return {}
        lines = tuple(
            replace(line, quantity=self.units_left[line.id]) for line in self.cart.lines if self.units_left[line.id]
        )
        offers = [self._as_it_was(one) for one in self.offers if one.coupon_id in used]
        rest = price(replace(self.cart, lines=lines), offers, policy=PricingPolicy(), at=self.at)
        deserved = {(line.line.id, one.coupon_id): one.amount_minor for line in rest.lines for one in line.allocations}
        deserved |= {(SHIPPING, one.coupon_id): one.amount_minor for one in rest.shipping_allocations}
        return {
            slot: max(0, kept - deserved.get((slot[0], slot[1]), 0))  # type: ignore[arg-type]
            for slot, kept in self.kept.items()
            if slot[1] in anew
        }

    def _as_it_was(self, offer: Offer) -> Offer:
        if offer.balance_minor is None:
            return offer
        return replace(offer, balance_minor=sum(m for slot, m in self.given.items() if slot[1] == offer.coupon_id))

    def _policy(self, slot: Slot) -> RefundPolicy | None:
        return None if isinstance(slot[1], str) else self.policies[slot[1]]

    def _shares(self, slot: Slot, before: int) -> tuple[int, ...]:
        """What each funder gets back: its part of all that is gone by now, less that of what was gone before."""
        now, then = (_split(self.given[slot] - kept, self.shares[slot]) for kept in (self.kept[slot], before))
        return tuple(later - earlier for later, earlier in zip(now, then, strict=True))

    def _points_used(self) -> int:
        paid = sum(minor for slot, minor in self.given.items() if slot[1] == POINTS)
        still = sum(minor for slot, minor in self.kept.items() if slot[1] == POINTS)
        return _half_up(Fraction(self.points_used * still, paid)) if paid else 0

    def _earned(self) -> int:
        return floor(self._worth(goods_alone=True) * self.factor)


def _with_something(kept: Mapping[Slot, int]) -> frozenset[CouponId]:
    return frozenset(bearer for (_, bearer), minor in kept.items() if minor and not isinstance(bearer, str))


def _half_up(exact: Fraction) -> int:
    return floor(exact + Fraction(1, 2))


def _split(taken: int, amounts: Sequence[int]) -> list[int]:
    """Of a sum of which so much is gone what is gone of each amount: the first its part, the others of the rest."""
    if not amounts:
        return []
    first, *others = amounts
    whole = first + sum(others)
    share = _half_up(Fraction(taken * first, whole)) if whole else 0
    return [share, *_split(taken - share, others)]


def _shared_out(at_most: int, over: Mapping[Slot, int]) -> dict[Slot, int]:
    """All of it where the refund covers it; else in proportion, what is left over by largest remainder."""
    whole = sum(over.values())
    if whole <= at_most:
        return dict(over)
    exact = {slot: Fraction(at_most * minor, whole) for slot, minor in over.items()}
    parts = {slot: floor(part) for slot, part in exact.items()}
    # Of equal remainders the larger claim comes first, then the earlier: sorting keeps their order.
    by_claim = sorted(over, key=lambda slot: (exact[slot] - parts[slot], over[slot]), reverse=True)
    for slot in by_claim[: at_most - sum(parts.values())]:
        parts[slot] += 1
    return parts
