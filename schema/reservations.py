"""Reservations 锁定 as clients see them."""

from asyncio import gather
from datetime import datetime
from typing import Annotated

import strawberry

from domain.coupons.offer import MAX_COUPONS_PER_ORDER
from domain.orders import reservation_model as model
from domain.orders.reservation_model import ReservationState
from domain.orders.reserving import TTL_SECONDS_DEFAULT, TTL_SECONDS_MAX, TTL_SECONDS_MIN
from schema.carts import CartInput
from schema.context import Context, Info
from schema.coupons import Coupon
from schema.enums import publish_enum
from schema.node_ids import NodeType, node_id
from schema.nodes import Node
from schema.order_problems import (
    BudgetExhaustedProblem,
    CouponExpiredProblem,
    CouponNotUsableProblem,
    NotEligibleProblem,
    QuoteChangedProblem,
    StackingConflictProblem,
)
from schema.points import InsufficientPointsProblem
from schema.problems import (
    IdempotencyKeyReusedProblem,
    InvalidStateChangeProblem,
    NotFoundProblem,
    OperationInProgressProblem,
)
from schema.quotes import Quote, used_coupon
from schema.scalars import SafeInt

publish_enum(
    ReservationState,
    "Where a reservation is.",
    values={
        "HELD": "Its coupons and points are held for the order.",
        "RELEASED": "It was given up, or replaced by another of the same order.",
        "EXPIRED": "Its time is over; it can be paid late while nobody else took what it held.",
        "REDEEMED": "The order was paid.",
    },
)


@strawberry.type(description="Coupons and points that are held for an order 锁定.")
class Reservation(Node):
    order_ref: str = strawberry.field(description="What its order system calls the order.")
    state: ReservationState = strawberry.field(description="Its state now; past expiresAt it is EXPIRED at once.")
    points: SafeInt = strawberry.field(description="The points that are held, or were.")
    expires_at: datetime = strawberry.field(description="It is held before this instant, by the server's clock.")
    entity: strawberry.Private[model.Reservation]

    @staticmethod
    def from_domain(reservation: model.Reservation) -> "Reservation":
        """The domain's reservation, in its state of now, as clients see it."""
        key = reservation.key
        return Reservation(
            id=node_id(NodeType.Reservation, key.reservation_id, member_id=key.member_id),
            order_ref=reservation.order_ref,
            state=reservation.state,
            points=SafeInt(reservation.points),
            expires_at=reservation.expires_at,
            entity=reservation,
        )

    @strawberry.field(description="The coupons that are held, or were.")
    async def coupons(self, info: Info) -> list[Coupon]:
        """Its coupons."""
        return await gather(*(used_coupon(info.context, key) for key in self.entity.coupons))


async def load_reservation(context: Context, key: model.ReservationKey) -> Reservation | None:
    """A reservation by its key, where the viewer may see it."""
    found = await context.load.reservations.load(key)
    return None if found is None else Reservation.from_domain(found)


@strawberry.input(description="What to hold for an order that is about to be paid.")
class ReserveCouponsInput:
    order_ref: str = strawberry.field(
        description="What the order system calls the order: 1 to 128 characters. What the same order held is replaced."
    )
    cart: CartInput = strawberry.field(description="What will be paid.")
    coupon_ids: list[strawberry.ID] = strawberry.field(
        description=f"The coupons to hold, at most {MAX_COUPONS_PER_ORDER}, of one member: each must act on the cart."
    )
    points: SafeInt | None = strawberry.field(
        default=None, description="The points to pay with. Held are as many as the goods leave something to pay for."
    )
    quote_token: str | None = strawberry.field(
        default=None,
        description="Of the quote that was shown: another price is QUOTE_CHANGED. Null: whatever the price is now.",
    )
    ttl_seconds: int | None = strawberry.field(
        default=TTL_SECONDS_DEFAULT,
        description=f"How long they are held, {TTL_SECONDS_MIN} to {TTL_SECONDS_MAX} seconds by the server's clock.",
    )
    idempotency_key: strawberry.ID = strawberry.field(description="Made by the client before it sends.")


@strawberry.type(description="The coupons and points are held.")
class ReserveCouponsSuccess:
    reservation: Reservation = strawberry.field(description="What is held.")
    quote: Quote = strawberry.field(description="The price that is promised until then.")
    replayed: bool = strawberry.field(description="Whether this is the first answer again.")


@strawberry.input(description="What need not be held any more.")
class ReleaseReservationInput:
    reservation_id: strawberry.ID = strawberry.field(description="The reservation.")
    idempotency_key: strawberry.ID = strawberry.field(description="Made by the client before it sends.")


@strawberry.type(description="Nothing is held by it any more.")
class ReleaseReservationSuccess:
    coupons: list[Coupon] = strawberry.field(description="The coupons, each with the validity that it has.")
    replayed: bool = strawberry.field(description="Whether this is the first answer again.")


@strawberry.input(description="A coupon to take back.")
class VoidCouponInput:
    coupon_id: strawberry.ID = strawberry.field(description="The coupon: one that can be used, and is not held.")
    reason: str = strawberry.field(description="Why, for the member: 1 to 128 characters.")
    idempotency_key: strawberry.ID = strawberry.field(description="Made by the client before it sends.")


@strawberry.type(description="The coupon was taken back.")
class VoidCouponSuccess:
    coupon: Coupon = strawberry.field(description="The coupon, VOIDED.")
    replayed: bool = strawberry.field(description="Whether this is the first answer again.")


VoidCouponResult = Annotated[
    VoidCouponSuccess
    | NotFoundProblem
    | InvalidStateChangeProblem
    | IdempotencyKeyReusedProblem
    | OperationInProgressProblem,
    strawberry.union("VoidCouponResult", description="What was taken back, or why not."),
]
ReserveCouponsResult = Annotated[
    ReserveCouponsSuccess
    | NotFoundProblem
    | CouponNotUsableProblem
    | CouponExpiredProblem
    | NotEligibleProblem
    | StackingConflictProblem
    | QuoteChangedProblem
    | BudgetExhaustedProblem
    | InsufficientPointsProblem
    | InvalidStateChangeProblem
    | IdempotencyKeyReusedProblem
    | OperationInProgressProblem,
    strawberry.union("ReserveCouponsResult", description="What is held, or why not."),
]
ReleaseReservationResult = Annotated[
    ReleaseReservationSuccess
    | NotFoundProblem
    | InvalidStateChangeProblem
    | IdempotencyKeyReusedProblem
    | OperationInProgressProblem,
    strawberry.union("ReleaseReservationResult", description="What is free again, or why not."),
]
