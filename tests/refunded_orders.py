"""Orders in memory that are refunded by the rules alone: what an order costs, and what each refund of it gives."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from domain.coupons.cart import Cart
from domain.coupons.model import RefundPolicy
from domain.coupons.offer import Offer
from domain.coupons.pricing import AppliedOffer, PricingPolicy, price
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
    Redemption,
)
from domain.orders.refund_decision import PointsMoved, decide_refund, points_moved, uses_that_stand
from domain.orders.refund_model import Bearer, CouponUse, Part, RefundedOrder, Settled, TakenBack, coupon_of_bearer
from domain.orders.refund_parts import LineStanding, parts_of
from domain.orders.refund_rules import goods_paid_minor, points_kept, units_asked
from domain.shared.ids import CouponId, MemberId, OrderId, RedemptionId
from tests.domain.coupons.carts import NOW
from tests.refund_reckoning import POINTS, Expected, Reckoning, Slot


@dataclass
class Refunded:
    """An order as refunds find it, and all that they have given so far: decided by what decides a refund in earnest."""

    found: RefundedOrder
    offers: Sequence[Offer]
    reckoning: Reckoning
    settled: list[Settled] = field(default_factory=list)
    moved: list[PointsMoved] = field(default_factory=list)

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.found.parts

    @property
    def paid_minor(self) -> int:
        return self.found.order.paid_minor

    @property
    def points_used(self) -> int:
        return self.found.points_used

    @property
    def points_earned(self) -> int:
        return self.found.order.points_pending + self.found.points_clawed_back

    @property
    def points_returned(self) -> int:
        return self.found.points_returned

    @property
    def points_clawed_back(self) -> int:
        return self.found.points_clawed_back

    @property
    def refunded_minor(self) -> int:
        return sum(one.amount_minor for one in self.settled)

    @property
    def policies(self) -> Mapping[Bearer, RefundPolicy]:
        return {use.bearer: use.redemption.refund_policy for use in self.found.uses}

    @property
    def due_minor(self) -> Mapping[Bearer, int]:
        return {use.bearer: use.receivable_minor for use in self.found.uses}

    def refund(self, units: Mapping[str, int] | None = None) -> Settled:
        """Refunds as `refund_order` does, and holds what it gives against the reckoning."""
        found, asked = self.found, units_asked(self.parts, lines=units)
        stand = {use.redemption.coupon_id for use in uses_that_stand(found)}
        settled = decide_refund(found, units=asked, offers=self.offers)
        moved = points_moved(found, parts=settled.parts)
        due = dict(settled.receivables_minor)
        uses = tuple(replace(use, receivable_minor=use.receivable_minor + due.get(use.bearer, 0)) for use in found.uses)
        self.found = replace(
            found,
            order=replace(found.order, points_pending=found.order.points_pending - moved.clawed_back),
            parts=settled.parts,
            uses=uses,
            refunds=found.refunds + 1,
            points_clawed_back=found.points_clawed_back + moved.clawed_back,
            points_returned=found.points_returned + moved.returned,
        )
        self.settled.append(settled)
        self.moved.append(moved)
        left = {use.redemption.coupon_id for use in uses_that_stand(self.found)}
        assert as_reckoned(settled, moved, given_back=stand - left) == self.reckoning.refund(asked)
        return settled


def as_reckoned(settled: Settled, moved: PointsMoved, *, given_back: Collection[CouponId]) -> Expected:
    """A refund in the words of the reckoning."""

    def slot(taken: TakenBack) -> Slot:
        coupon_id = coupon_of_bearer(taken.bearer)
        return taken.part_id, POINTS if coupon_id is None else coupon_id

    return Expected(
        money_minor=settled.amount_minor,
        due_minor=sum(minor for _, minor in settled.receivables_minor),
        points_returned=moved.returned,
        points_clawed_back=moved.clawed_back,
        given_back=frozenset(given_back),
        taken={slot(one): one.amount_minor for one in settled.taken_back},
        shares={slot(one): tuple(s.amount_minor for s in one.shares) for one in settled.taken_back if one.shares},
    )


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
        terms=QuoteTerms(
            cart.channel, NOW, points=1, per_minor=100, bonus_basis_points=bonus_basis_points, store_id=cart.store_id
        ),
    )
    points = points_minor or {}
    terms = _terms(quote)
    lines = tuple(OrderLine(one.line, one.discount_minor) for one in pricing.lines)
    order = Order(
        key=OrderKey(MemberId(UUID(int=1)), OrderId(UUID(int=2))),
        ref=OrderRef(ORDER_SYSTEM, "A1"),
        state=OrderState.PAID,
        store_id=cart.store_id,
        currency=cart.currency,
        subtotal_minor=pricing.subtotal_minor,
        discount_minor=pricing.discount_minor,
        shipping_minor=cart.shipping_minor,
        paid_minor=pricing.payable_minor - sum(points.values()),
        points_pending=0,
        points_earned=0,
        cart_hash=None,
        quote=quote,
        paid_at=NOW,
    )
    parts = parts_of(order, [LineStanding(one, points.get(one.line.id, 0)) for one in lines], taken={})
    order = replace(order, points_pending=points_kept(terms, goods_paid_minor=goods_paid_minor(parts)))
    chosen = {
        one.offer.coupon_id: policies if isinstance(policies, RefundPolicy) else policies[one.offer.coupon_id]
        for one in pricing.applied
    }
    uses = tuple(CouponUse(_redemption(order, one, policy=chosen[one.offer.coupon_id]), 0) for one in pricing.applied)
    reckoning = Reckoning.of(
        pricing,
        cart=cart,
        at=NOW,
        policies=chosen,
        points_minor=points,
        points_used=points_used,
        bonus_basis_points=bonus_basis_points,
    )
    found = RefundedOrder(order, lines, parts, uses, 0, 0, 0, points_used)
    return Refunded(found, [one.offer for one in pricing.applied], reckoning)


def _redemption(order: Order, applied: AppliedOffer, *, policy: RefundPolicy) -> Redemption:
    return Redemption(
        id=RedemptionId(applied.offer.coupon_id),
        member_id=order.key.member_id,
        coupon_id=applied.offer.coupon_id,
        template_id=applied.offer.template_id,
        campaign_id=None,
        merchant_id=None,
        store_id=order.store_id,
        order_id=order.key.order_id,
        order_ref=order.ref.ref,
        currency=order.currency,
        discount_minor=applied.amount_minor,
        shares=applied.shares,
        redeemed_at=NOW,
        from_balance=applied.offer.balance_minor is not None,
        refund_policy=policy,
    )


def _terms(quote: Quote) -> QuoteTerms:
    assert quote.terms is not None
    return quote.terms
