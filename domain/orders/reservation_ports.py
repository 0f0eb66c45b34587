"""What reservations need of the world."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from domain.coupons.model import CouponKey
from domain.coupons.wallet import HeldCoupon
from domain.orders.reservation_model import Reservation, ReservationKey, ReservationState
from domain.shared.ids import CampaignId, MemberId, OrderId
from domain.shared.principal import Scope


class Reservations(Protocol):
    """Reservations and the coupons that they hold, written."""

    async def lock_or_none(self, key: ReservationKey) -> Reservation | None:
        """The reservation, locked; none when there is none within the scope."""
        ...

    async def lock_held(self, member_id: MemberId) -> Sequence[Reservation]:
        """The member's reservations that are held, their time over or not, locked."""
        ...

    async def lock_coupons(self, keys: Sequence[CouponKey]) -> Sequence[HeldCoupon]:
        """The coupons with their templates, locked; one that is not within the scope is not among them."""
        ...

    async def hold(self, reservation: Reservation) -> None:
        """Stores a reservation and moves its coupons, which were locked, from CLAIMED to RESERVED."""
        ...

    async def give_up(self, reservation: Reservation, *, state: ReservationState) -> None:
        """Moves a reservation that is held to RELEASED or EXPIRED, and its coupons from RESERVED to CLAIMED."""
        ...

    async def pay(self, reservation: Reservation, *, order_id: OrderId, late: bool) -> None:
        """Moves a reservation from HELD, or late from EXPIRED, to REDEEMED; its coupons are redeemed one by one."""
        ...

    async def overdue(self, *, limit: int, campaign_id: CampaignId | None = None) -> Sequence[MemberId]:
        """Members with reservations that are held though their time is over, not locked, the longest overdue first.

        With a campaign: of those that hold something of its budget.
        """
        ...


class ReservationReads(Protocol):
    """Reservations, read."""

    async def reservations_by_key(
        self, keys: Sequence[ReservationKey], *, scope: Scope
    ) -> Mapping[ReservationKey, Reservation]:
        """These reservations, in their states of now; what is beyond the scope is not there."""
        ...
