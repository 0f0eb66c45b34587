"""A coupon as lists show it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.coupons.model import Coupon
from domain.coupons.offer import CouponState
from domain.members.model import Member
from domain.shared.ids import CouponId, MemberId, TemplateId
from domain.shared.paging import Page


@dataclass(frozen=True, slots=True)
class MemberWithWallet:
    """A member, and the page of its wallet that was read with it."""

    member: Member
    page: "Page[WalletEntry]"


class WalletEntry(Protocol):
    """A coupon in a list: what a reader looks at is there, the whole is put together when it is asked for.

    A `Coupon` is one. One that was read for a few of its names (`domain.coupons.ports.CouponReads.wallet_page`) has
    those alone; `id`, `member_id`, `template_id` and `state` are always there.
    """

    @property
    def id(self) -> CouponId:
        """Which coupon."""
        ...

    @property
    def member_id(self) -> MemberId:
        """Whose."""
        ...

    @property
    def template_id(self) -> TemplateId:
        """What it is a coupon of."""
        ...

    @property
    def state(self) -> CouponState:
        """Its state at the instant of the read."""
        ...

    @property
    def code(self) -> str:
        """What a person can read out."""
        ...

    @property
    def claimed_at(self) -> datetime:
        """When it was claimed."""
        ...

    @property
    def valid_from(self) -> datetime:
        """It can be used from this instant."""
        ...

    @property
    def valid_until(self) -> datetime:
        """Until before this instant."""
        ...

    @property
    def whole(self) -> Coupon:
        """All of it."""
        ...
