"""Quotes, redemptions and orders: who may, which use-case."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Final

import strawberry

from domain.coupons.cart import Cart
from domain.coupons.offer import MAX_COUPONS_PER_ORDER
from domain.coupons.pricing import PricingPolicy
from domain.coupons.wallet import HeldCoupon
from domain.orders.model import BestQuote, Order, OrderKey, Quotable, QuoteStrategy, RedemptionKey
from domain.orders.points_payment import PointsOffered
from domain.orders.quotes import Buyer, make_best_quote, make_quote
from domain.orders.redeeming import RedeemReservation
from domain.orders.refund_model import RefundCause
from domain.orders.rules import Seller
from domain.orders.use_cases import RecordOrder, RedeemCoupons, record_order, redeem_coupons
from domain.points.policy import DEFAULT_POLICY
from domain.shared.errors import BadUserInput
from domain.shared.ids import CouponId, MemberId, RedemptionId, StoreId
from domain.shared.principal import Principal, Role, Scope
from resolvers.budgets import BEST_QUOTE_SECONDS, TimeBudget
from resolvers.context import Info
from resolvers.inputs import given, ref_of
from resolvers.once import once
from resolvers.reservations import reservation_key
from schema.node_ids import NodeRef, NodeType, expect_id
from schema.orders import (
    RecordOrderInput,
    RecordOrderResult,
    RecordOrderSuccess,
    RedeemCouponsInput,
    RedeemCouponsResult,
    RedeemCouponsSuccess,
    Redemption,
    load_redemption,
)
from schema.quotes import Quote, QuoteInput
from schema.scalars import SafeInt

MAX_AT_ONCE: Final = 60
"""How many coupons are searched where the server answers everybody."""


@strawberry.type
class OrdersQuery:
    @strawberry.field(
        description="What a cart costs with the member's best coupons, or with chosen ones; writes nothing."
    )
    async def quote(
        self, info: Info, input: Annotated[QuoteInput, strawberry.argument(description="The cart and the coupons.")]
    ) -> Quote:
        """Prices a cart."""
        cart = input.cart.to_domain(argument="input.cart")
        member_id = _buyer(info, input)
        coupon_ids = _coupon_ids(input, member_id=member_id)
        asked = _points(input)
        quotable = await info.context.reads.orders.quotable(
            member_id,
            coupon_ids=coupon_ids,
            store_id=cart.store_id,
            with_points=asked is not None,
            scope=info.context.scope,
        )
        if quotable is None:
            raise BadUserInput("input.memberId names no member", path=["input", "memberId"])
        programme = info.context.programme
        buyer = Buyer(
            member_id,
            quotable.bonus_basis_points,
            points_currency=programme.currency,
            pricing=PricingPolicy(programme.min_payable_minor),
        )
        points = None
        if asked is not None:
            points = PointsOffered(asked, available=quotable.points_available, debt=quotable.points_debt)
        if coupon_ids is None:
            best = await best_quote(cart, quotable, buyer=buyer, points=points)
            return Quote.of_best(best, locale=info.context.locale)
        held = _held(quotable, coupon_ids)
        quote = make_quote(
            cart,
            held,
            buyer=buyer,
            points_policy=DEFAULT_POLICY,
            at=quotable.at,
            points=points,
            room=quotable.room,
        )
        return Quote.from_domain(quote, locale=info.context.locale)


async def best_quote(cart: Cart, quotable: Quotable, *, buyer: Buyer, points: PointsOffered | None) -> BestQuote:
    """The best quote; of a large wallet in a thread, so that nobody waits who asks something else meanwhile."""
    make = partial(
        make_best_quote,
        cart,
        list(quotable.held.values()),
        buyer=buyer,
        points_policy=DEFAULT_POLICY,
        at=quotable.at,
        budget=TimeBudget(BEST_QUOTE_SECONDS),
        points=points,
        room=quotable.room,
    )
    return make() if len(quotable.held) <= MAX_AT_ONCE else await asyncio.to_thread(make)


@strawberry.type
class OrdersMutation:
    @strawberry.mutation(
        description="At payment: what was reserved, or the coupon of a scanned code, is used; the order is recorded "
        "as PAID."
    )
    async def redeem_coupons(self, info: Info, input: RedeemCouponsInput) -> RedeemCouponsResult:
        """Redeems a coupon."""
        seller = seller_of(info.context.caller)
        command = _redemption(info, input, seller=seller)
        done = await redeem_coupons(
            command,
            begin=info.context.begin_within,
            tokens=info.context.redemption_tokens,
            sweep=info.context.sweep_campaign,
        )
        info.context.forget()
        result = done.result
        # Whoever was shown the member's code may read of this member what it has just written.
        within = seller.scope_with(result.member_id)
        order = await _order(info, OrderKey(result.member_id, result.order_id), scope=within)
        keys = [RedemptionKey(result.member_id, id_) for id_ in result.redemption_ids]
        redemptions = await info.context.reads.orders.redemptions_by_key(keys, scope=within)
        assert order.quote is not None, "an order that used coupons has its quote"
        return RedeemCouponsSuccess(
            redemptions=[Redemption.from_domain(redemptions[key]) for key in keys],
            quote=Quote.from_domain(order.quote, locale=info.context.locale),
            late_capture=result.late_capture,
            replayed=done.replayed or result.repeated,
        )

    @strawberry.mutation(description="Tells what became of an order: paid without coupons, received, cancelled.")
    async def record_order(self, info: Info, input: RecordOrderInput) -> RecordOrderResult:
        """Records an order."""
        command = RecordOrder(
            order_ref=ref_of(input.order_ref, argument="input.orderRef"),
            member_id=MemberId(expect_id(input.member_id, NodeType.Member, argument="input.memberId").id),
            state=input.state,
            cart=None if input.cart is None else input.cart.to_domain(argument="input.cart"),
            seller=seller_of(info.context.caller),
            once=once(info, input),
            cause=input.cause or RefundCause.CUSTOMER,
        )
        done = await record_order(command, begin=info.context.begin_within)
        recorded = done.result
        return RecordOrderSuccess(
            order_ref=recorded.order_ref,
            state=recorded.state,
            points_pending=SafeInt(recorded.points_pending),
            points_earned=SafeInt(recorded.points_earned),
            replayed=done.replayed or recorded.repeated,
        )


def _redemption(info: Info, asked: RedeemCouponsInput, *, seller: Seller) -> RedeemCoupons | RedeemReservation:
    """What is redeemed: what was reserved, or what a phone shows."""
    store = asked.store_id and expect_id(asked.store_id, NodeType.Store, argument="input.storeId")
    store_id = StoreId(store.id) if store else None
    order_ref = ref_of(asked.order_ref, argument="input.orderRef")
    if asked.reservation_id is None:
        return RedeemCoupons(
            order_ref=order_ref,
            token=given(asked.redemption_token, argument="input.redemptionToken"),
            cart=given(asked.cart, argument="input.cart").to_domain(argument="input.cart"),
            store_id=store_id,
            seller=seller,
            once=once(info, asked),
        )
    if asked.redemption_token is not None or asked.cart is not None:
        raise BadUserInput("a reservation has its own coupons and cart", path=["input", "reservationId"])
    ref = expect_id(asked.reservation_id, NodeType.Reservation, argument="input.reservationId")
    return RedeemReservation(order_ref, reservation_key(ref), store_id, seller=seller, once=once(info, asked))


def seller_of(caller: Principal) -> Seller:
    """The caller as one who sells: the order system, or staff at the tills of their merchants and of no other."""
    if Role.SERVICE in caller.roles:
        return Seller(caller.scope)
    merchant_ids = tuple(sorted(caller.merchant_ids))
    return Seller(Scope(everything=False, member_id=None, merchant_ids=merchant_ids), store_ids=caller.store_ids)


async def redemption_by_ref(info: Info, ref: NodeRef) -> Redemption | None:
    """A redemption within the caller's scope."""
    return await load_redemption(info.context, RedemptionKey(ref.owner, RedemptionId(ref.id)))


async def _order(info: Info, key: OrderKey, *, scope: Scope) -> Order:
    order = await info.context.reads.orders.order_by_key(key, scope=scope)
    assert order is not None, "what was recorded is there"
    return order


def _buyer(info: Info, given: QuoteInput) -> MemberId:
    """Whose wallet the quote is for: a member's own, or that of the member whom a service or an operator names."""
    named = given.member_id and MemberId(expect_id(given.member_id, NodeType.Member, argument="input.memberId").id)
    if info.context.scope.everything:
        buyer = named or info.context.scope.member_id
        if buyer is None:
            raise BadUserInput("input.memberId: say who buys", path=["input", "memberId"])
        return buyer
    own = info.context.member_id
    if named and named != own:
        raise BadUserInput("input.memberId names no member", path=["input", "memberId"])
    return own


def _points(given: QuoteInput) -> int | None:
    if given.points is not None and given.points < 0:
        raise BadUserInput("input.points is not negative", path=["input", "points"])
    return given.points


def _coupon_ids(given: QuoteInput, *, member_id: MemberId) -> Sequence[CouponId] | None:
    """The coupons to use, None for the best; one of another member is as unknown as one that there is not."""
    if given.strategy is not QuoteStrategy.CHOSEN:
        if given.coupon_ids is not None:
            raise BadUserInput("input.couponIds is for the strategy CHOSEN", path=["input", "couponIds"])
        return None
    coupon_ids = given.coupon_ids
    if coupon_ids is None:
        raise BadUserInput("input.couponIds: say which, for the strategy CHOSEN", path=["input", "couponIds"])
    if len(coupon_ids) > MAX_COUPONS_PER_ORDER:
        raise BadUserInput(f"input.couponIds names at most {MAX_COUPONS_PER_ORDER}", path=["input", "couponIds"])
    refs = [expect_id(id_, NodeType.Coupon, argument=f"input.couponIds.{n}") for n, id_ in enumerate(coupon_ids)]
    for place, ref in enumerate(refs):
        if ref.owner != member_id:
            raise _no_coupon(place)
    if len(set(refs)) < len(refs):
        raise BadUserInput("input.couponIds names a coupon twice", path=["input", "couponIds"])
    return [CouponId(ref.id) for ref in refs]


def _held(quotable: Quotable, coupon_ids: Sequence[CouponId]) -> Sequence[HeldCoupon]:
    for place, coupon_id in enumerate(coupon_ids):
        if coupon_id not in quotable.held:
            raise _no_coupon(place)
    return [quotable.held[coupon_id] for coupon_id in coupon_ids]


def _no_coupon(place: int) -> BadUserInput:
    return BadUserInput(
        f"input.couponIds.{place} names no coupon of this member", path=["input", "couponIds", str(place)]
    )
