"""Refunds in the world of orders."""

from collections.abc import Mapping

from domain.orders.model import OrderState
from domain.orders.refund_model import OrderRefunded, RefundCause
from domain.orders.refunding import RefundOrder, refund_order
from domain.orders.rules import Seller
from domain.points.policy import DEFAULT_POLICY, PointsPolicy
from domain.shared.errors import Refusal
from domain.shared.idempotency import Done
from tests.coupon_world import NAMES, once
from tests.order_world import SERVICE, Shop

Units = Mapping[str, int] | None


async def refund(
    shop: Shop,
    ref: str,
    units: Units = None,
    *,
    seller: Seller = SERVICE,
    key: str | None = None,
    policy: PointsPolicy = DEFAULT_POLICY,
    cause: RefundCause = RefundCause.CUSTOMER,
) -> Done[OrderRefunded] | Refusal:
    asked = once(NAMES, key=key, mutation="refundOrder", content=repr(units).encode())
    try:
        command = RefundOrder(order_ref=ref, units=units, seller=seller, once=asked, cause=cause)
        return await refund_order(command, begin=shop.world.database.begin, policy=policy)
    except Refusal as refusal:
        return refusal


async def refunded(shop: Shop, ref: str, units: Units = None, **how: object) -> OrderRefunded:
    outcome = await refund(shop, ref, units, **how)  # type: ignore[arg-type]
    assert isinstance(outcome, Done), outcome
    return outcome.result


async def receive_and_release(shop: Shop, ref: str) -> None:
    """The order is received, with no return window: its points may be spent."""
    await shop.recorded(ref, OrderState.RECEIVED, policy=PointsPolicy(release_days=0))
