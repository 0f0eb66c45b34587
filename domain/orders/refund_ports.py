"""What refunds need of the world."""

from collections.abc import Sequence
from typing import Protocol

from domain.orders.model import Order, OrderKey
from domain.orders.refund_model import Earned, Refund, RefundedOrder
from domain.points.journal import Draw, Lot


class Refunds(Protocol):
    """Orders as refunds find them, and refunds written. The order must be locked."""

    async def found(self, order: Order) -> RefundedOrder:
        """The order with its parts as earlier refunds have left them, and all of its uses of coupons."""
        ...

    async def record(self, refund: Refund) -> None:
        """Stores a refund, and what it leaves of the order's lines and redemptions."""
        ...

    async def lower_pending(self, key: OrderKey, *, points: int) -> None:
        """Takes points from those that the order promises."""
        ...

    async def earned(self, key: OrderKey) -> Earned | None:
        """When the order's points were released, and its own lots; None: they were not."""
        ...

    async def spent(self, key: OrderKey) -> Sequence[tuple[Draw, Lot]]:
        """What the order was paid with of which lots, in the order in which it was drawn, with the lots as they are."""
        ...
