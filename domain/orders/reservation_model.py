"""Reservations 锁定: coupons and points that are held for an order until it is paid, or until their time is over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from domain.coupons.cart import Cart
from domain.coupons.model import CouponKey
from domain.orders.budgets import Discount
from domain.orders.model import Quote
from domain.shared.ids import CampaignId, CouponId, MemberId, OrderId, ReservationId


class ReservationState(Enum):
    """Where a reservation is: held, then given up, run out, or paid. One that has run out may yet be paid late."""

    HELD = "HELD"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"
    REDEEMED = "REDEEMED"


@dataclass(frozen=True, slots=True)
class ReservationKey:
    """Names a reservation in its member's partition."""

    member_id: MemberId
    reservation_id: ReservationId


@dataclass(frozen=True, slots=True)
class Reservation:
    """What is held for an order of this member, for which cart at which price.

    Every coupon of the quote acts; `campaign_ids` says whose budgets they are held of. `points` were taken from the
    balance in the name of `order_id`, which the order will have. `expires_at` is by the database's clock.
    """

    key: ReservationKey
    order_ref: str
    state: ReservationState
    cart: Cart
    quote: Quote
    campaign_ids: Mapping[CouponId, CampaignId | None]
    points: int
    order_id: OrderId
    reserved_at: datetime
    expires_at: datetime
    late_capture: bool = False

    @property
    def coupons(self) -> Sequence[CouponKey]:
        """The coupons that are, or were, held."""
        return [CouponKey(self.key.member_id, one.coupon_id) for one in self.quote.applied]

    @property
    def discounts(self) -> Sequence[Discount]:
        """What budgets hold, or held, for it."""
        return [
            Discount(
                CouponKey(self.key.member_id, one.coupon_id),
                self.campaign_ids[one.coupon_id],
                self.quote.currency,
                one.shares,
            )
            for one in self.quote.applied
        ]

    def state_at(self, at: datetime) -> ReservationState:
        """Where it is at an instant: one that was not paid in time has run out, swept or not."""
        if self.state is ReservationState.HELD and self.expires_at <= at:
            return ReservationState.EXPIRED
        return self.state


@dataclass(frozen=True, slots=True)
class CouponsReserved:
    """The result of a reservation."""

    member_id: MemberId
    reservation_id: ReservationId


@dataclass(frozen=True, slots=True)
class ReservationReleased:
    """The result of giving a reservation up."""

    member_id: MemberId
    coupon_ids: tuple[CouponId, ...]
