"""What would become of the same coupons after a step of the member's: tried by the functions that decide."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Final

from domain.coupons.cart import Cart, CartError, CartLine
from domain.coupons.checks import (
    Circumstances,
    Ruling,
    admitted,
    effect_of,
    gates,
    threshold_base,
    threshold_checks,
)
from domain.coupons.facts import MemberFacts
from domain.coupons.moment import Effect, Moment, Reach
from domain.coupons.offer import Offer
from domain.shared.ids import CouponId

MAX_TRIALS: Final = 32
"""How often a coupon's chances are tried at most, all of its steps together."""
MIN_TRIALS: Final = 8
MAX_DECISIONS: Final = 400
"""A trial decides every coupon anew: of many coupons there are fewer trials, but never fewer than MIN_TRIALS."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """All coupons after a step: what the one in question takes off (None: it does not act), and which others act.

    `saving_minor` is what they take off together; `reach` is what the one in question found at its turn.
    """

    effect: Effect | None
    reach: Reach
    others: frozenset[CouponId]
    saving_minor: int
    circumstances: Circumstances
    ruling: Ruling | None = None

    @property
    def taken_minor(self) -> int:
        """What the one in question takes off."""
        return 0 if self.effect is None else self.effect.amount_minor

    @property
    def failed(self) -> frozenset[str]:
        """What stands in its way, by name."""
        checks = [
            *gates(self.reach, circumstances=self.circumstances),
            *threshold_checks(self.reach, effect=self.reach.effect),
        ]
        refused = {self.ruling.because.name} if self.ruling is not None and self.ruling.forbids else set[str]()
        return frozenset(check.name for check in checks if not check.passed) | refused

    @property
    def base_minor(self) -> int:
        """What its threshold is held against."""
        return threshold_base(self.reach, effect=self.reach.effect)


class Trials:
    """One coupon and those that are priced with it: what they would do in another cart, at another time.

    `beside` are the others; `moment` is any moment of the pricing in question.
    """

    def __init__(self, offer: Offer, *, beside: Sequence[Offer], moment: Moment, circumstances: Circumstances) -> None:
        self.offer = offer
        self.beside = [other for other in beside if other.coupon_id != offer.coupon_id]
        self.cart = moment.cart
        self.circumstances = circumstances
        self._moment = moment
        self._ordered = sorted([*self.beside, offer], key=lambda one: one.pricing_order)
        self.left = max(MIN_TRIALS, min(MAX_TRIALS, MAX_DECISIONS // len(self._ordered)))

    @cached_property
    def now(self) -> Outcome:
        """As it is."""
        return self._run(self.cart, at=self.circumstances.at, owner=None)

    def run(
        self, *, cart: Cart | None = None, at: datetime | None = None, owner: MemberFacts | None = None
    ) -> Outcome | None:
        """What would be, were this otherwise; None where so much was tried that no more is."""
        if self.left <= 0:
            return None
        self.left -= 1
        return self._run(cart or self.cart, at=at or self.circumstances.at, owner=owner)

    def keeps(self, outcome: Outcome) -> bool:
        """Whether the coupon acts, and every other that acts now still does."""
        return outcome.effect is not None and self.now.others <= outcome.others

    def gains(self, outcome: Outcome) -> bool:
        """Whether the coupon acts, and all of them together save more than now."""
        return outcome.effect is not None and outcome.saving_minor > self.now.saving_minor

    def with_goods(self, goods: CartLine, *, count: int, price_minor: int) -> Cart | None:
        """The cart with so many units more; None where a cart cannot hold them."""
        taken = {line.id for line in self.cart.lines}
        line_id = next(name for number in range(len(taken) + 1) if (name := f"more-{number}") not in taken)
        bought = replace(goods, id=line_id, quantity=count, unit_price_minor=price_minor)
        try:
            return replace(self.cart, lines=(*self.cart.lines, bought))
        except CartError:
            return None

    def _run(self, cart: Cart, *, at: datetime, owner: MemberFacts | None) -> Outcome:
        circumstances = replace(self.circumstances, at=at)
        moment = Moment.at_start(cart, min_payable_minor=self._moment.min_payable_minor)
        if cart is self.cart:
            moment = replace(moment, sights=self._moment.sights)
        admit = circumstances.admission()
        found: dict[CouponId, tuple[Effect | None, Moment, Ruling | None]] = {}

        def at_its_turn(offer: Offer, before: Moment) -> Effect | None:
            known = replace(offer, owner=owner) if owner and isinstance(offer.owner, MemberFacts) else offer
            effect = effect_of(known, moment=before, circumstances=circumstances)
            taken, ruling = admitted(known, effect, moment=before, admit=admit)
            found[offer.coupon_id] = taken, before, ruling
            return taken

        moment.after_all(self._ordered, points_minor=self._moment.points_offered_minor, effect_of=at_its_turn)
        mine, before, ruling = found.pop(self.offer.coupon_id)
        acting = {coupon_id: effect for coupon_id, (effect, *_) in found.items() if effect is not None}
        saving_minor = sum(effect.amount_minor for effect in acting.values())
        offer = replace(self.offer, owner=owner) if owner else self.offer
        return Outcome(
            effect=mine,
            reach=Reach.of(offer, moment=before),
            others=frozenset(acting),
            saving_minor=saving_minor + (mine.amount_minor if mine is not None else 0),
            circumstances=circumstances,
            ruling=ruling,
        )
