"""What a cart costs with these coupons, to the fen, with a proof for every coupon that acts or does not.

One function decides, for a preview as for the real thing, so that a preview can only differ from the decision because
the world did. Coupons act lane by lane, in a lane by priority, then by id; each takes its amount off what the earlier
ones left, shares it over the lines in its scope, and over who bears it.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from domain.coupons.cart import Cart, CartError, CartLine
from domain.coupons.checks import Admit, admit_all
from domain.coupons.decision import Circumstances, Condition, Decision, decide
from domain.coupons.eligibility import Eligibility
from domain.coupons.moment import Effect, Moment
from domain.coupons.offer import CouponState, Funder, FunderShare, Offer
from domain.shared.allocation import WHOLE_BASIS_POINTS, split_over_funders
from domain.shared.ids import CouponId


@dataclass(frozen=True, slots=True)
class PricingPolicy:
    """What the programme has decided about prices: the least that an order must still cost, 0 or 1 minor unit."""

    min_payable_minor: int = 0


@dataclass(frozen=True, slots=True)
class FunderAmount:
    """What one funder bears."""

    funder: Funder
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Allocation:
    """One coupon's part in the discount of a line, or of the shipping fee."""

    coupon_id: CouponId
    amount_minor: int
    shares: tuple[FunderAmount, ...]


@dataclass(frozen=True, slots=True)
class PricedLine:
    """A line with what every coupon takes off it, and what points pay of it."""

    line: CartLine
    allocations: tuple[Allocation, ...]
    points_minor: int = 0

    @property
    def subtotal_minor(self) -> int:
        """Before discounts."""
        return self.line.subtotal_minor

    @property
    def discount_minor(self) -> int:
        """All that the coupons take off."""
        return sum(allocation.amount_minor for allocation in self.allocations)

    @property
    def payable_minor(self) -> int:
        """What the member pays for the line in money."""
        return self.subtotal_minor - self.discount_minor - self.points_minor


@dataclass(frozen=True, slots=True)
class AppliedOffer:
    """A coupon that acts: what it takes off, and who bears that. Why it may is worked out when it is asked for.

    `full_minor` is what it would take off, were what coupons share enough for it; None: it takes all of that.
    """

    offer: Offer
    amount_minor: int
    shares: tuple[FunderAmount, ...]
    decision: Decision
    full_minor: int | None = None

    @property
    def eligibility(self) -> Eligibility:
        """Why it may."""
        return self.decision.proof().eligibility


@dataclass(frozen=True, slots=True)
class RejectedOffer:
    """A coupon that does not act and is not used up: why, and which applied coupon is in its way."""

    offer: Offer
    eligibility: Eligibility
    conflicts_with: CouponId | None


@dataclass(frozen=True, slots=True)
class Pricing:
    """A priced cart: payable = subtotal + shipping - discount - points; a discount is the sum of its allocations."""

    currency: str
    lines: tuple[PricedLine, ...]
    shipping_minor: int
    shipping_allocations: tuple[Allocation, ...]
    applied: tuple[AppliedOffer, ...]
    not_applied: tuple[RejectedOffer, ...]

    @property
    def subtotal_minor(self) -> int:
        """All lines before discounts, without shipping."""
        return sum(line.subtotal_minor for line in self.lines)

    @property
    def discount_minor(self) -> int:
        """All that the coupons take off, lines and shipping."""
        return sum(offer.amount_minor for offer in self.applied)

    @property
    def points_minor(self) -> int:
        """What points pay of the lines."""
        return sum(line.points_minor for line in self.lines)

    @property
    def payable_minor(self) -> int:
        """What the member pays in money."""
        return self.subtotal_minor + self.shipping_minor - self.discount_minor - self.points_minor


def price(
    cart: Cart,
    offers: Sequence[Offer],
    *,
    policy: PricingPolicy,
    at: datetime,
    usable_states: Collection[CouponState] = (CouponState.CLAIMED,),
    conditions: Sequence[Condition] = (),
    admission: Callable[[], Admit] = admit_all,
    points_minor: int = 0,
    start: Moment | None = None,
) -> Pricing:
    """Price a cart with exactly these coupons, each applied or refused with its proof.

    The order of `offers` changes nothing. `usable_states` lets an order use the coupons that are reserved for it.
    Who `admission` admits is asked of each that would act, in the order in which they do. `points_minor` is the most
    that points pay: last in their lane, before the balances of the lane TENDER. `start` is the cart before any offer,
    where that is made already.
    """
    if len({offer.coupon_id for offer in offers}) < len(offers):
        raise CartError("names a coupon twice", path=("couponIds",))
    circumstances = Circumstances(at, frozenset(usable_states), tuple(conditions), admission)
    ordered = sorted(offers, key=lambda offer: offer.pricing_order)
    admit, decisions = admission(), list[Decision]()

    def decided(offer: Offer, moment: Moment) -> Effect | None:
        decisions.append(decide(offer, moment=moment, circumstances=circumstances, beside=ordered, admit=admit))
        return decisions[-1].effect

    first = start or Moment.at_start(cart, min_payable_minor=policy.min_payable_minor)
    first = replace(first, points_offered_minor=points_minor)
    moment = first.after_all(ordered, points_minor=points_minor, effect_of=decided)
    return _total(cart, decisions, points_minor=moment.points_minor)


def explain(
    offer: Offer, *, cart: Cart, policy: PricingPolicy, at: datetime, conditions: Sequence[Condition] = ()
) -> Eligibility:
    """Whether this coupon, alone, acts on the cart, and why."""
    pricing = price(cart, [offer], policy=policy, at=at, conditions=conditions)
    decided = pricing.applied[0] if pricing.applied else pricing.not_applied[0]
    return decided.eligibility


def _total(cart: Cart, decisions: Sequence[Decision], *, points_minor: Sequence[int]) -> Pricing:
    lines: list[list[Allocation]] = [[] for _ in cart.lines]
    shipping: list[Allocation] = []
    applied: list[AppliedOffer] = []
    not_applied: list[RejectedOffer] = []
    for decision in decisions:
        if decision.effect is None:
            proof = decision.proof()
            not_applied.append(RejectedOffer(decision.offer, proof.eligibility, proof.conflicts_with))
            continue
        amounts = (*decision.effect.lines_minor, decision.effect.shipping_minor)
        shares = _share_out(decision.offer, amounts, slots=[*lines, shipping])
        applied.append(AppliedOffer(decision.offer, sum(amounts), shares, decision, decision.full_minor))
    return Pricing(
        currency=cart.currency,
        lines=tuple(
            PricedLine(line, tuple(slot), paid)
            for line, slot, paid in zip(cart.lines, lines, points_minor or (0,) * len(lines), strict=True)
        ),
        shipping_minor=cart.shipping_minor,
        shipping_allocations=tuple(shipping),
        applied=tuple(applied),
        not_applied=tuple(not_applied),
    )


def _share_out(offer: Offer, amounts: Sequence[int], *, slots: Sequence[list[Allocation]]) -> tuple[FunderAmount, ...]:
    """Write down what the offer takes off each line, and off shipping, by who bears it; what each bears in all."""
    coupon_id, funders = offer.coupon_id, offer.borne_by
    if len(funders) == 1 and funders[0].basis_points == WHOLE_BASIS_POINTS:
        only = funders[0].funder
        for slot, amount in zip(slots, amounts, strict=True):
            if amount:
                slot.append(Allocation(coupon_id, amount, (FunderAmount(only, amount),)))
        return (FunderAmount(only, sum(amounts)),)
    rows = split_over_funders(amounts, basis_points=[share.basis_points for share in funders])
    for slot, amount, row in zip(slots, amounts, rows, strict=True):
        if amount:
            slot.append(Allocation(coupon_id, amount, _named(funders, row)))
    return _named(funders, [sum(column) for column in zip(*rows, strict=True)])


def _named(funders: Sequence[FunderShare], amounts: Sequence[int]) -> tuple[FunderAmount, ...]:
    return tuple(FunderAmount(share.funder, amount) for share, amount in zip(funders, amounts, strict=True))
