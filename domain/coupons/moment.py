"""A cart half-way through pricing, and what an offer takes off it there."""

from dataclasses import dataclass, replace

from domain.coupons.cart import Cart
from domain.coupons.offer import Offer, PercentBase
from domain.coupons.terms import Basket, BasketLine, OnLines, OnShipping
from domain.shared.allocation import allocate


@dataclass(frozen=True, slots=True)
class Effect:
    """What an offer takes off each line of the cart, and off shipping."""

    lines_minor: tuple[int, ...]
    shipping_minor: int

    @property
    def amount_minor(self) -> int:
        """All that it takes off."""
        return sum(self.lines_minor) + self.shipping_minor


@dataclass(frozen=True, slots=True)
class Moment:
    """A cart after some offers: what is left to pay on each line and on shipping, and which offers act already.

    `min_payable_minor` is the least that the whole order must still cost.
    """

    cart: Cart
    left_minor: tuple[int, ...]
    shipping_left_minor: int
    min_payable_minor: int
    applied: tuple[Offer, ...] = ()

    @classmethod
    def at_start(cls, cart: Cart, *, min_payable_minor: int) -> "Moment":
        """The cart before any offer."""
        left = tuple(line.subtotal_minor for line in cart.lines)
        return cls(cart, left, cart.shipping_minor, min_payable_minor)

    def after(self, offer: Offer, *, effect: Effect) -> "Moment":
        """The cart after one offer more."""
        return replace(
            self,
            left_minor=tuple(left - off for left, off in zip(self.left_minor, effect.lines_minor, strict=True)),
            shipping_left_minor=self.shipping_left_minor - effect.shipping_minor,
            applied=(*self.applied, offer),
        )

    @property
    def room_minor(self) -> int:
        """What may still be taken off before the payable floor is reached."""
        return max(0, sum(self.left_minor) + self.shipping_left_minor - self.min_payable_minor)


@dataclass(frozen=True, slots=True)
class Reach:
    """What of a cart an offer may act on, at one moment."""

    offer: Offer
    moment: Moment
    places: tuple[int, ...]

    @classmethod
    def of(cls, offer: Offer, *, moment: Moment) -> "Reach":
        """The lines in the offer's scope."""
        merchant_ids, scope = offer.merchant_ids, offer.scope
        lines = enumerate(moment.cart.lines)
        places = tuple(place for place, line in lines if scope.holds_line(line, merchant_ids=merchant_ids))
        return cls(offer, moment, places)

    @property
    def initial_minor(self) -> int:
        """The lines in scope before any discount."""
        return sum(self.moment.cart.lines[place].subtotal_minor for place in self.places)

    @property
    def left_minor(self) -> int:
        """What is left to pay on the lines in scope."""
        return sum(self.moment.left_minor[place] for place in self.places)

    @property
    def basket(self) -> Basket:
        """What the coupon kind may see."""
        lines, left = self.moment.cart.lines, self.moment.left_minor
        initial = self.offer.percent_base is PercentBase.INITIAL
        return Basket(
            lines=tuple(BasketLine(lines[place], left[place]) for place in self.places),
            left_minor=self.left_minor,
            base_minor=self.initial_minor if initial else self.left_minor,
            shipping_left_minor=self.moment.shipping_left_minor,
            balance_minor=self.offer.balance_minor,
        )

    @property
    def effect(self) -> Effect:
        """What the offer takes off: what its kind promises, capped by what is left and by the payable floor."""
        promise = self.offer.coupon_kind.discount(self.offer.terms, self.basket)
        room, nothing = self.moment.room_minor, (0,) * len(self.moment.left_minor)
        left = [self.moment.left_minor[place] for place in self.places]
        match promise:
            case OnShipping(amount):
                return Effect(nothing, min(amount, self.moment.shipping_left_minor, room))
            case OnLines(amounts):
                within = [min(amount, most) for amount, most in zip(amounts, left, strict=True)]
                return Effect(self._on_places(allocate(min(sum(within), room), weights=within)), 0)
            case _:
                return Effect(self._on_places(allocate(min(promise.amount_minor, room), weights=left)), 0)

    def _on_places(self, amounts: tuple[int, ...]) -> tuple[int, ...]:
        by_place = dict(zip(self.places, amounts, strict=True))
        return tuple(by_place.get(place, 0) for place in range(len(self.moment.left_minor)))
