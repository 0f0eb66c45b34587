"""Refunds: who may, which use-case."""

from collections.abc import Mapping

import strawberry

from domain.coupons.cart import MAX_LINES
from domain.coupons.model import CouponKey
from domain.orders.refund_model import OrderRefunded, RefundCause
from domain.orders.refunding import RefundOrder, refund_order
from domain.shared.errors import BadUserInput
from domain.shared.idempotency import Done
from resolvers.context import Info
from resolvers.inputs import ref_of
from resolvers.once import once
from resolvers.orders import seller_of
from schema.money import Money
from schema.quotes import used_coupon
from schema.refunds import RefundLineInput, RefundOrderInput, RefundOrderResult, RefundOrderSuccess
from schema.scalars import SafeInt


@strawberry.type
class RefundsMutation:
    @strawberry.mutation(
        description="Refunds an order, wholly or by line and unit, any number of times: money, coupons, points that "
        "were paid and earned, tier metric, budgets and shares, in one transaction."
    )
    async def refund_order(self, info: Info, input: RefundOrderInput) -> RefundOrderResult:
        """Refunds an order."""
        command = RefundOrder(
            order_ref=ref_of(input.order_ref, argument="input.orderRef"),
            units=None if input.lines is None else _units(input.lines),
            seller=seller_of(info.context.caller),
            once=once(info, input),
            cause=input.cause or RefundCause.CUSTOMER,
        )
        done = await refund_order(command, begin=info.context.begin_within)
        info.context.forget()
        return await _success(info, done)


async def _success(info: Info, done: Done[OrderRefunded]) -> RefundOrderSuccess:
    result = done.result
    keys = [CouponKey(result.member_id, coupon_id) for coupon_id in result.restored]
    return RefundOrderSuccess(
        refund=Money.of(result.refund_minor, result.currency),
        receivable=Money.of(result.receivable_minor, result.currency),
        restored=[await used_coupon(info.context, key) for key in keys],
        points_returned=SafeInt(result.points_returned),
        points_clawed_back=SafeInt(result.points_clawed_back),
        replayed=done.replayed,
    )


def _units(lines: list[RefundLineInput]) -> Mapping[str, int]:
    """The units by line; the form is checked here, what is left of the order where it is locked."""
    if not 1 <= len(lines) <= MAX_LINES:
        raise BadUserInput(f"input.lines names 1 to {MAX_LINES} lines", path=["input", "lines"])
    for place, line in enumerate(lines):
        if line.quantity < 1:
            path = ["input", "lines", str(place), "quantity"]
            raise BadUserInput(f"input.lines.{place}.quantity is 1 at least", path=path)
    if len({line.line_id for line in lines}) < len(lines):
        raise BadUserInput("input.lines names a line twice", path=["input", "lines"])
    return {str(line.line_id): line.quantity for line in lines}
