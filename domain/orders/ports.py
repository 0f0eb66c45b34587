"""What the orders slice needs of the world."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from domain.coupons.model import Coupon, CouponKey
from domain.coupons.ports import CouponsTransaction
from domain.coupons.wallet import HeldCoupon
from domain.orders.budgets import Budgets
from domain.orders.model import (
    Order,
    OrderKey,
    OrderLine,
    OrderRef,
    Quotable,
    Redemption,
    RedemptionKey,
)
from domain.orders.refund_model import Returned
from domain.orders.refund_ports import Refunds
from domain.orders.reservation_ports import Reservations
from domain.orders.store_limits import StoreUses
from domain.orders.tills import Tills
from domain.points.ports import PointsTransactionPort
from domain.shared.batches import HasBatches
from domain.shared.ids import CouponId, MemberId, MerchantId, OrderId, ReservationId, StoreId
from domain.shared.paging import Page, PageRequest
from domain.shared.principal import Scope


class Orders(Protocol):
    """Orders and the points that they promise, written."""

    async def find(self, ref: OrderRef) -> OrderKey | None:
        """The order that its caller calls so, whoever's it is."""
        ...

    async def lock_or_none(self, key: OrderKey) -> Order | None:
        """The order, locked; none when there is none within the scope."""
        ...

    async def add(self, order: Order, *, lines: Sequence[OrderLine]) -> bool:
        """Stores an order with its lines; False when its reference was taken in the meantime."""
        ...

    async def move(self, order: Order) -> None:
        """Stores state, points and times of an order that was locked."""
        ...

    async def bonus_basis_points(self, member_id: MemberId) -> int:
        """What the member's tier adds to points today."""
        ...

    async def add_pending(self, key: OrderKey, *, points: int) -> None:
        """Notes the points that an order promises; they wait for it to be received."""
        ...

    async def release_later(self, key: OrderKey, *, release_at: datetime) -> None:
        """Notes when an order's points may be spent."""
        ...

    async def take_pending(self, key: OrderKey) -> int:
        """Removes what an order promises and answers how many points it was; 0 where there is nothing."""
        ...

    async def due_members(self, *, limit: int) -> Sequence[MemberId]:
        """Members who have points that are due, not locked."""
        ...

    async def due_orders(self, member_id: MemberId) -> Sequence[OrderId]:
        """The orders of a member whose points are due, the longest due first."""
        ...


class Redemptions(Protocol):
    """Coupons used and given back."""

    async def lock_coupon(self, key: CouponKey) -> HeldCoupon | None:
        """The coupon, locked, with its template; none when there is none within the scope."""
        ...

    async def redeem(
        self,
        key: CouponKey,
        *,
        amount_minor: int,
        reservation_id: ReservationId | None = None,
        scanned_at: datetime | None = None,
    ) -> None:
        """Moves a coupon that was locked from CLAIMED to REDEEMED; one of whose balance something is left stays.

        With a reservation: from RESERVED, where that is what holds it; one with a balance is CLAIMED then. One that a
        till without a network scanned in time is redeemed though it has expired since.
        """
        ...

    async def restore(self, returned: Sequence[Returned]) -> Mapping[CouponId, Coupon]:
        """Moves coupons from REDEEMED back to CLAIMED, or to EXPIRED where their time is over; as they are now.

        A coupon that keeps a balance gets its amount back, and stays RESERVED or VOIDED where it is so. Grace makes the
        validity of any but a VOIDED one last longer; a balance that had expired is CLAIMED again by it.
        """
        ...

    async def void(self, key: CouponKey) -> None:
        """Moves a coupon that was locked from CLAIMED to VOIDED."""
        ...

    async def add(self, redemption: Redemption) -> None:
        """Stores a redemption."""
        ...

    async def of_order(self, key: OrderKey) -> Sequence[Redemption]:
        """The redemptions of an order, by coupon; those that were reversed since too."""
        ...


class OrdersTransaction(CouponsTransaction, PointsTransactionPort, HasBatches, Protocol):
    """A transaction of the orders slice."""

    @property
    def orders(self) -> Orders:
        """The orders."""
        ...

    @property
    def redemptions(self) -> Redemptions:
        """The redemptions."""
        ...

    @property
    def store_uses(self) -> StoreUses:
        """Uses of coupons by store."""
        ...

    @property
    def reservations(self) -> Reservations:
        """The reservations."""
        ...

    @property
    def tills(self) -> Tills:
        """Tokens that were used, and what stores redeemed without a network."""
        ...

    @property
    def budgets(self) -> Budgets:
        """The budgets of campaigns."""
        ...

    @property
    def refunds(self) -> Refunds:
        """The refunds."""
        ...


class OrderReads(Protocol):
    """Orders, redemptions and what quotes are made of, read. What is beyond the scope is as if it were not there."""

    async def quotable(
        self,
        member_id: MemberId,
        *,
        coupon_ids: Sequence[CouponId] | None,
        store_id: StoreId | None = None,
        with_points: bool = False,
        scope: Scope,
    ) -> Quotable | None:
        """What a quote for this member is made of. None: there is no such member.

        Of the coupons named those that the member owns are in it; where none are named (None, not an empty list), all
        that may be used now, of a large wallet the MAX_CONSIDERED that expire soonest. `with_points` reads the account.
        `store_id` is where the cart is bought: what limits by store have left is read for it, and what budgets have.
        """
        ...

    async def order_by_key(self, key: OrderKey, *, scope: Scope) -> Order | None:
        """An order with its quote."""
        ...

    async def redemptions_by_key(
        self, keys: Sequence[RedemptionKey], *, scope: Scope
    ) -> Mapping[RedemptionKey, Redemption]:
        """These redemptions."""
        ...

    async def redemptions_of_merchants(
        self,
        merchant_ids: Sequence[MerchantId],
        *,
        store_ids: frozenset[StoreId],
        page: PageRequest,
        scope: Scope,
    ) -> Mapping[MerchantId, Page[Redemption]]:
        """The same page of what was redeemed at each merchant, in these stores (none named: anywhere), newest first."""
        ...

    async def redeemed_coupons(self, keys: Sequence[CouponKey], *, scope: Scope) -> Mapping[CouponKey, Coupon]:
        """Those of the coupons that were redeemed at a merchant within the scope, or are the scope's own."""
        ...
