"""Reservations: who may, which use-case."""

from collections.abc import Sequence

import strawberry

from domain.coupons.model import CouponKey
from domain.orders.quote_tokens import QUOTE_TOKENS
from domain.orders.reservation_model import ReservationKey
from domain.orders.reserving import (
    TTL_SECONDS_DEFAULT,
    ReleaseReservation,
    ReserveCoupons,
    release_reservation,
    reserve_coupons,
)
from domain.orders.voiding import VoidCoupon, void_coupon
from domain.shared.errors import BadUserInput
from domain.shared.ids import CouponId, MemberId, ReservationId
from resolvers.context import Info
from resolvers.inputs import MAX_NAME_LENGTH, bounded, ref_of
from resolvers.once import once
from schema.node_ids import NodeRef, NodeType, expect_id
from schema.quotes import Quote, used_coupon
from schema.reservations import (
    ReleaseReservationInput,
    ReleaseReservationResult,
    ReleaseReservationSuccess,
    Reservation,
    ReserveCouponsInput,
    ReserveCouponsResult,
    ReserveCouponsSuccess,
    VoidCouponInput,
    VoidCouponResult,
    VoidCouponSuccess,
    load_reservation,
)

_COUPONS = "input.couponIds"


@strawberry.type
class ReservationsMutation:
    @strawberry.mutation(
        description="Holds coupons and points for an order that is about to be paid; they count as used against every "
        "limit and budget until it is paid or released, or its time is over."
    )
    async def reserve_coupons(self, info: Info, input: ReserveCouponsInput) -> ReserveCouponsResult:
        """Reserves."""
        cart = input.cart.to_domain(argument="input.cart")
        refs = [expect_id(id_, NodeType.Coupon, argument=f"{_COUPONS}.{n}") for n, id_ in enumerate(input.coupon_ids)]
        command = ReserveCoupons(
            order_ref=ref_of(input.order_ref, argument="input.orderRef"),
            member_id=_owner(info, refs),
            cart=cart,
            coupon_ids=[CouponId(ref.id) for ref in refs],
            points=input.points or 0,
            quote_token=input.quote_token,
            ttl_seconds=TTL_SECONDS_DEFAULT if input.ttl_seconds is None else input.ttl_seconds,
            scope=info.context.scope,
            once=once(info, input),
        )
        done = await reserve_coupons(
            command, begin=info.context.begin_within, tokens=QUOTE_TOKENS, sweep=info.context.sweep_campaign
        )
        info.context.forget()
        key = ReservationKey(done.result.member_id, done.result.reservation_id)
        reservation = await load_reservation(info.context, key)
        assert reservation is not None, "what was reserved is there"
        quote = Quote.from_domain(reservation.entity.quote, locale=info.context.locale)
        return ReserveCouponsSuccess(reservation=reservation, quote=quote, replayed=done.replayed)

    @strawberry.mutation(description="Gives up what is held for an order, before its time is over.")
    async def release_reservation(self, info: Info, input: ReleaseReservationInput) -> ReleaseReservationResult:
        """Releases."""
        ref = expect_id(input.reservation_id, NodeType.Reservation, argument="input.reservationId")
        command = ReleaseReservation(reservation_key(ref), scope=info.context.scope, once=once(info, input))
        done = await release_reservation(command, begin=info.context.begin_within)
        info.context.forget()
        keys = [CouponKey(done.result.member_id, coupon_id) for coupon_id in done.result.coupon_ids]
        coupons = [await used_coupon(info.context, key) for key in keys]
        return ReleaseReservationSuccess(coupons=coupons, replayed=done.replayed)

    @strawberry.mutation(description="Takes a coupon back that its member has not used.")
    async def void_coupon(self, info: Info, input: VoidCouponInput) -> VoidCouponResult:
        """Voids."""
        ref = expect_id(input.coupon_id, NodeType.Coupon, argument="input.couponId")
        command = VoidCoupon(
            coupon=CouponKey(ref.owner, CouponId(ref.id)),
            reason=bounded(input.reason, MAX_NAME_LENGTH, argument="input.reason"),
            scope=info.context.scope,
            once=once(info, input),
        )
        done = await void_coupon(command, begin=info.context.begin_within)
        info.context.forget()
        return VoidCouponSuccess(coupon=await used_coupon(info.context, command.coupon), replayed=done.replayed)


def reservation_key(ref: NodeRef) -> ReservationKey:
    """The reservation that an id names."""
    return ReservationKey(ref.owner, ReservationId(ref.id))


async def reservation_by_ref(info: Info, ref: NodeRef) -> Reservation | None:
    """A reservation within the caller's scope."""
    return await load_reservation(info.context, reservation_key(ref))


def _owner(info: Info, refs: Sequence[NodeRef]) -> MemberId:
    """Whose coupons they are: a member's own, or, for the order system, those of one member."""
    own = info.context.scope.member_id
    if own is None:
        if not refs:
            raise BadUserInput("name coupons: they say whose order it is", path=_COUPONS.split("."))
        own = refs[0].owner
    for place, ref in enumerate(refs):
        if ref.owner != own:
            raise BadUserInput(
                f"{_COUPONS}.{place} names no coupon of this member", path=["input", "couponIds", str(place)]
            )
    return own
