"""Refunds of orders as clients see them."""

from typing import Annotated

import strawberry

from domain.coupons.cart import MAX_LINES
from schema.coupons import Coupon
from schema.money import Money
from schema.order_problems import RefundExceedsOrderProblem
from schema.problems import (
    IdempotencyKeyReusedProblem,
    InvalidStateChangeProblem,
    NotFoundProblem,
    OperationInProgressProblem,
)
from schema.refund_causes import RefundCause
from schema.scalars import SafeInt


@strawberry.input(description="Units of a line that are returned.")
class RefundLineInput:
    line_id: strawberry.ID = strawberry.field(description="The line's id in the cart that was paid; each line once.")
    quantity: int = strawberry.field(description="How many of its units: 1 to as many as were not returned yet.")


@strawberry.input(description="What of an order is refunded.")
class RefundOrderInput:
    order_ref: str = strawberry.field(
        description="What the order system, or the till's merchant, calls the order: 1 to 128 characters."
    )
    lines: list[RefundLineInput] | None = strawberry.field(
        default=None,
        description=f"The units that are returned, 1 to {MAX_LINES} lines; null: all that is left of the order. The "
        "shipping fee goes back with the last unit.",
    )
    cause: RefundCause | None = strawberry.field(
        default=RefundCause.CUSTOMER,
        description="Why. By the merchant's fault coupons that come back are valid for CouponTemplate."
        "merchantFaultGraceDays at least.",
    )
    idempotency_key: strawberry.ID = strawberry.field(description="Made by the client before it sends.")


@strawberry.type(description="The units are refunded. Any sequence of refunds gives what one full refund gives.")
class RefundOrderSuccess:
    refund: Money = strawberry.field(description="What the member gets back in money.")
    receivable: Money = strawberry.field(
        description="By how much more the member owes for discounts that the rest does not deserve (CLAWBACK); "
        "negative where a later refund makes an earlier one needless."
    )
    restored: list[Coupon] = strawberry.field(
        description="Coupons that were given back, with their original validity or days of grace (cause), or to whose "
        "balance a part returned. One that was voided is not among them."
    )
    points_returned: SafeInt = strawberry.field(
        description="Points that the order was paid with and that went back to their lots."
    )
    points_clawed_back: SafeInt = strawberry.field(
        description="Points that the order promised or earned and that were taken back; owed where they are spent, "
        "and not where they expired unused."
    )
    replayed: bool = strawberry.field(description="Whether this is the first answer again.")


RefundOrderResult = Annotated[
    RefundOrderSuccess
    | NotFoundProblem
    | RefundExceedsOrderProblem
    | InvalidStateChangeProblem
    | IdempotencyKeyReusedProblem
    | OperationInProgressProblem,
    strawberry.union("RefundOrderResult", description="What was refunded, or why not."),
]
