"""Orders in memory that are refunded by the rules alone: what an order costs, and what each refund of it gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from domain.coupons.cart import Cart
from domain.coupons.model import RefundPolicy
from domain.coupons.offer import Offer
from domain.coupons.pricing import PricingPolicy, price
from domain.orders.model import (
    ORDER_SYSTEM,
    AppliedCoupon,
    Order,
    OrderKey,
    OrderLine,
    OrderRef,
    OrderState,
    Quote,
    QuotedLine,
    QuoteTerms,
)
from domain.orders.refund_model import Bearer, Part, Settled, bearer_of
from domain.orders.refund_parts import LineStanding, parts_of
from domain.orders.refund_rules import (
    goods_paid_minor,
    kept_minor,
    points_kept,
    points_still_used,
    settle,
    units_asked,
)
from domain.orders.repricing import as_used, deserved_by
from domain.shared.ids import CouponId, MemberId, OrderId
from tests.domain.coupons.carts import NOW


@dataclass
class Refunded:
    """An order, what is left of it, and all that its refunds have given so far."""

    order: Order
    lines: tuple[OrderLine, ...]
    offers: Sequence[Offer]
    policies: dict[Bearer, RefundPolicy]
    parts: tuple[Part, ...]
    paid_minor: int
    points_used: int = 0
    points_earned: int = 0
    settled: list[Settled] = field(default_factory=list)
    due_minor: dict[Bearer, int] = field(default_factory=dict)
    points_returned: int = 0
    points_clawed_back: int = 0

    @property
    def refunded_minor(self) -> int:
        return sum(one.amount_minor for one in self.settled)

    def refund(self, units: Mapping[str, int] | None = None) -> Settled:
        terms = _terms(self.order)
        live = {one: policy for one, policy in self.policies.items() if kept_minor(self.parts, bearer=one)}
        offers = [
            as_used(one, used_minor=self._used_minor(bearer), terms=terms)
            for one in self.offers
            if (bearer := bearer_of(one.coupon_id)) in live
        ]
        settled = settle(
            self.parts,
            units=units_asked(self.parts, lines=units),
            policies=live,
            due_minor=self.due_minor,
            deserved=lambda parts: deserved_by(parts, order=self.order, lines=self.lines, offers=offers, terms=terms),
        )
        before, after = self.parts, settled.parts
        self.points_clawed_back += self.points_earned - self.points_clawed_back - self._still_earned(after)
        returned = points_still_used(before, points_used=self.points_used)
        self.points_returned += returned - points_still_used(after, points_used=self.points_used)
        self.parts = after
        self.settled.append(settled)
        for bearer, minor in settled.receivables_minor:
            self.due_minor[bearer] = self.due_minor.get(bearer, 0) + minor
        return settled

    def _used_minor(self, bearer: Bearer) -> int:
        return sum(one.amount_minor for part in self.parts for one in part.discounts if one.bearer == bearer)

    def _still_earned(self, parts: Sequence[Part]) -> int:
        return points_kept(_terms(self.order), goods_paid_minor=goods_paid_minor(parts))


def refundable(
    cart: Cart,
    offers: Sequence[Offer] = (),
    *,
    policies: Mapping[CouponId, RefundPolicy] | RefundPolicy = RefundPolicy.KEEP_ALLOCATION,
    points_minor: Mapping[str, int] | None = None,
    points_used: int = 0,
    bonus_basis_points: int = 0,
) -> Refunded:
    """An order of this cart, paid with these coupons and, line by line, with points worth so much."""
    pricing = price(cart, offers, policy=PricingPolicy(), at=NOW)
    quote = Quote(
        member_id=MemberId(UUID(int=1)),
        currency=cart.currency,
        lines=tuple(QuotedLine(o.line.id, o.line.quantity, o.subtotal_minor, o.allocations) for o in pricing.lines),
        shipping_minor=cart.shipping_minor,
        shipping_allocations=pricing.shipping_allocations,
        applied=tuple(AppliedCoupon(o.offer.coupon_id, o.amount_minor, o.shares) for o in pricing.applied),
        not_applied=(),
        points_earned=0,
        valid_until=NOW,
        terms=QuoteTerms(cart.channel, NOW, points=1, per_minor=100, bonus_basis_points=bonus_basis_points),
    )
    paid = pricing.payable_minor - sum((points_minor or {}).values())
    order = Order(
        key=OrderKey(MemberId(UUID(int=1)), OrderId(UUID(int=2))),
        ref=OrderRef(ORDER_SYSTEM, "A1"),
        state=OrderState.PAID,
        store_id=cart.store_id,
        currency=cart.currency,
        subtotal_minor=pricing.subtotal_minor,
        discount_minor=pricing.discount_minor,
        shipping_minor=cart.shipping_minor,
        paid_minor=paid,
        points_pending=0,
        points_earned=0,
        cart_hash=None,
        quote=quote,
        paid_at=NOW,
    )
    lines = tuple(OrderLine(one.line, one.discount_minor) for one in pricing.lines)
    standings = [LineStanding(one, (points_minor or {}).get(one.line.id, 0)) for one in lines]
    applied = [o.offer for o in pricing.applied]
    chosen = {
        bearer_of(o.coupon_id): policies if isinstance(policies, RefundPolicy) else policies[o.coupon_id]
        for o in applied
    }
    made = Refunded(order, lines, applied, chosen, parts_of(order, standings, taken={}), paid, points_used)
    made.points_earned = made._still_earned(made.parts)
    return made


def _terms(order: Order) -> QuoteTerms:
    assert order.quote is not None
    assert order.quote.terms is not None
    return order.quote.terms
