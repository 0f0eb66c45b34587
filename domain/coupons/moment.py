"""A cart half-way through pricing, and what an offer takes off it there."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from operator import or_
from typing import overload

from domain.coupons.cart import Cart
from domain.coupons.offer import Offer, PercentBase
from domain.coupons.sights import Sights
from domain.coupons.terms import Basket, BasketLine, Discount, OnLines, OnShipping
from domain.shared.allocation import allocate
from domain.shared.money import half_up


@dataclass(frozen=True, slots=True)
class Effect:
    """What an offer takes off each line of the cart, and off shipping, and of which units it is the last to do so.

    `units` are by line what a kind that acts on units takes part in; empty where the kind does not.
    """

    lines_minor: tuple[int, ...]
    shipping_minor: int
    units: tuple[int, ...] = ()

    @property
    def amount_minor(self) -> int:
        """All that it takes off."""
        return sum(self.lines_minor) + self.shipping_minor


@dataclass(frozen=True, slots=True)
class Moment:
    """A cart after some offers: what is left to pay on each line and on shipping, and which offers act already.

    `min_payable_minor` is the least that the whole order must still cost. `touched_units` are by line those that no
    coupon may act on one by one any more, `touched_minor` is what is left to pay on them; empty: none are.
    `points_minor` is by line what points have paid, which is left to pay no more; empty: nothing. They pay
    `points_offered_minor` at most. `sights` are those of all moments of the cart.
    """

    cart: Cart
    left_minor: tuple[int, ...]
    shipping_left_minor: int
    min_payable_minor: int
    sights: Sights = field(compare=False, repr=False)
    applied: tuple[Offer, ...] = ()
    touched_units: tuple[int, ...] = ()
    touched_minor: tuple[int, ...] = ()
    points_minor: tuple[int, ...] = ()
    points_offered_minor: int = 0

    @classmethod
    def at_start(cls, cart: Cart, *, min_payable_minor: int) -> "Moment":
        """The cart before any offer."""
        left = tuple(line.subtotal_minor for line in cart.lines)
        return cls(cart, left, cart.shipping_minor, min_payable_minor, Sights(cart))

    def after(self, offer: Offer, *, effect: Effect) -> "Moment":
        """The cart after one offer more."""
        return self._after(effect, applied=(*self.applied, offer), points_minor=self.points_minor)

    def paid_with_points(self, most_minor: int) -> "Moment":
        """The cart after points have paid so much of the goods, or all that is left; never a part of the shipping."""
        off = min(most_minor, sum(self.left_minor), self.room_minor)
        if not off:
            return replace(self, points_offered_minor=most_minor) if most_minor else self
        lines = allocate(off, weights=self.left_minor)
        paid = self._after(Effect(lines, 0), applied=self.applied, points_minor=lines)
        return replace(paid, points_offered_minor=most_minor)

    def after_all(
        self, ordered: Sequence[Offer], *, points_minor: int, effect_of: Callable[[Offer, "Moment"], Effect | None]
    ) -> "Moment":
        """The cart after the turns of these offers, in pricing order; points pay last in their lane."""
        moment = self
        for place, offer in enumerate(ordered):
            if offer.lane.is_after_points and not (place and ordered[place - 1].lane.is_after_points):
                moment = moment.paid_with_points(points_minor)
            effect = effect_of(offer, moment)
            if effect is not None:
                moment = moment.after(offer, effect=effect)
        if not (ordered and ordered[-1].lane.is_after_points):
            moment = moment.paid_with_points(points_minor)
        return moment

    def _after(self, effect: Effect, *, applied: tuple[Offer, ...], points_minor: tuple[int, ...]) -> "Moment":
        left = tuple([left - off for left, off in zip(self.left_minor, effect.lines_minor, strict=True)])
        units, minor = self.touched_units, self.touched_minor
        if effect.units or units:
            units, minor = self._touched_after(effect)
        return Moment(
            self.cart,
            left,
            self.shipping_left_minor - effect.shipping_minor,
            self.min_payable_minor,
            self.sights,
            applied,
            units,
            minor,
            points_minor,
            self.points_offered_minor,
        )

    def _touched_after(self, effect: Effect) -> tuple[tuple[int, ...], tuple[int, ...]]:
        untouched = (0,) * len(self.left_minor)
        units, minor, off = (
            list(self.touched_units or untouched),
            list(self.touched_minor or untouched),
            effect.lines_minor,
        )
        acted = effect.units or untouched
        # Lines without touched units, which most are, stay so unless their units are acted on.
        for place in [place for place, one in enumerate(map(or_, units, acted)) if one]:
            if acted[place] or off[place]:
                units[place], minor[place] = touched_after(self.line(place), off_minor=off[place], units=acted[place])
        return tuple(units), tuple(minor)

    def open_units(self, places: Sequence[int]) -> int:
        """The units of these lines that a coupon may act on one by one."""
        lines, left = self.cart.lines, self.left_minor
        if self.touched_units:
            units, minor = self.touched_units, self.touched_minor
            return sum([lines[place].quantity - units[place] for place in places if left[place] > minor[place]])
        return sum([lines[place].quantity for place in places if left[place]])

    def line(self, place: int) -> BasketLine:
        """A line of the cart as a coupon kind sees it."""
        units, minor = (self.touched_units[place], self.touched_minor[place]) if self.touched_units else (0, 0)
        return self.sights.line(place, left_minor=self.left_minor[place], touched_units=units, touched_minor=minor)

    @property
    def room_minor(self) -> int:
        """What may still be taken off before the payable floor is reached."""
        return max(0, sum(self.left_minor) + self.shipping_left_minor - self.min_payable_minor)


class Lines(Sequence[BasketLine]):
    """The lines in scope, made only for a kind that looks at them: most look at their sum alone.

    typing.override is not in the standard library of Python 3.11, hence the ignored errors.
    """

    __slots__ = ("_line", "_made", "_places")

    def __init__(self, line: Callable[[int], BasketLine], places: tuple[int, ...]) -> None:
        self._line, self._places = line, places
        self._made: tuple[BasketLine, ...] | None = None

    def __len__(self) -> int:  # type: ignore[explicit-override]
        return len(self._places)

    def __iter__(self) -> Iterator[BasketLine]:  # type: ignore[explicit-override]
        return iter(self._lines())

    @overload
    def __getitem__(self, place: int) -> BasketLine: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[BasketLine]: ...

    def __getitem__(self, place: int | slice) -> BasketLine | Sequence[BasketLine]:  # type: ignore[explicit-override]
        return self._lines()[place]

    def _lines(self) -> tuple[BasketLine, ...]:
        if self._made is None:
            line = self._line
            self._made = tuple([line(place) for place in self._places])
        return self._made


@dataclass(frozen=True, slots=True)
class Reach:
    """What of a cart an offer may act on, at one moment."""

    offer: Offer
    moment: Moment
    places: tuple[int, ...]

    @classmethod
    def of(cls, offer: Offer, *, moment: Moment) -> "Reach":
        """The lines in the offer's scope."""
        return cls(offer, moment, moment.sights.places(offer))

    @property
    def open_units(self) -> int:
        """The units in scope that a coupon may act on one by one."""
        return self.moment.open_units(self.places)

    @property
    def initial_minor(self) -> int:
        """The lines in scope before any discount."""
        lines = self.moment.cart.lines
        return sum([lines[place].subtotal_minor for place in self.places])

    @property
    def left_minor(self) -> int:
        """What is left to pay on the lines in scope."""
        return sum(map(self.moment.left_minor.__getitem__, self.places))

    @property
    def points_minor(self) -> int:
        """What points have paid of the lines in scope; a threshold counts it as if it were still to pay."""
        paid = self.moment.points_minor
        return sum(paid[place] for place in self.places) if paid else 0

    @property
    def basket(self) -> Basket:
        """What the coupon kind may see."""
        initial, left_minor = self.offer.percent_base is PercentBase.INITIAL, self.left_minor
        on_units = self.offer.coupon_kind.units(self.offer.terms) > 0
        return Basket(
            # A kind that counts units looks at every line, most others at none.
            lines=tuple(map(self.moment.line, self.places)) if on_units else Lines(self.moment.line, self.places),
            left_minor=left_minor,
            base_minor=self.initial_minor if initial else left_minor,
            shipping_left_minor=self.moment.shipping_left_minor,
            balance_minor=self.offer.balance_minor,
        )

    @property
    def effect(self) -> Effect:
        """What the offer takes off: what its kind promises, capped by what is left and by the payable floor."""
        return self.within(self.moment.room_minor)

    def within(self, most_minor: int) -> Effect:
        """The same, and so much at most: shared out as if the order could not be made cheaper than by that."""
        moment = self.moment
        return effect_of(
            self.offer.coupon_kind.discount(self.offer.terms, self.basket),
            places=self.places,
            left_minor=moment.left_minor,
            shipping_left_minor=moment.shipping_left_minor,
            room_minor=min(most_minor, moment.room_minor),
        )


def effect_of(
    promise: Discount,
    *,
    places: Sequence[int],
    left_minor: Sequence[int],
    shipping_left_minor: int,
    room_minor: int,
) -> Effect:
    """What a promise on these lines comes to: capped by what is left on each, and by what may be taken off in all."""
    left, off = [left_minor[place] for place in places], (0,) * len(left_minor)
    units: tuple[int, ...] = ()
    match promise:
        case OnShipping(amount):
            return Effect(off, min(amount, shipping_left_minor, room_minor))
        case OnLines(amounts, acted):
            within = list(map(min, amounts, left))
            if sum(within) > room_minor:
                within = list(allocate(room_minor, weights=within))
            if acted:
                units = _on_places(acted, places=places, count=len(left_minor))
            return Effect(_on_places(within, places=places, count=len(left_minor)), 0, units)
        case _:
            shares = allocate(min(promise.amount_minor, room_minor), weights=left)
            return Effect(_on_places(shares, places=places, count=len(left_minor)), 0)


def _on_places(amounts: Sequence[int], *, places: Sequence[int], count: int) -> tuple[int, ...]:
    lines = [0] * count
    for place, amount in zip(places, amounts, strict=True):
        lines[place] = amount
    return tuple(lines)


def touched_after(line: BasketLine, *, off_minor: int, units: int) -> tuple[int, int]:
    """The touched units of a line after so much was taken off it, of so many units; and what is left to pay on them."""
    if units:
        return line.touched_units + units, line.touched_minor + line.units_minor(units) - off_minor
    if not off_minor:
        return line.touched_units, line.touched_minor
    # Taken off the whole line: the touched units bear their part of it.
    return line.touched_units, half_up(line.touched_minor * (line.left_minor - off_minor), line.left_minor)
