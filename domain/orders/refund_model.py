"""What an order is to a refund 退款: parts whose units may be returned, and what each discount still gives on them."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final, NewType
from uuid import UUID

from domain.coupons.model import CouponKey
from domain.coupons.pricing import FunderAmount
from domain.orders.model import Order, OrderKey, OrderLine, Redemption
from domain.points.journal import Lot
from domain.shared.ids import CouponId, MemberId, OrderId

Bearer = NewType("Bearer", str)
"""Whose discount it is: a coupon's id, or a word for what is no coupon's."""

POINTS_PAID: Final = Bearer("POINTS")
"""What was paid with points: no discount, but money that does not come back as money."""
UNNAMED: Final = Bearer("OTHER")
"""What an order that was brought in from elsewhere had taken off, whoever by."""
SHIPPING: Final = ""
"""The part of an order that is its shipping fee: one unit, which is returned with the last of the goods."""

WORDS: Final = frozenset({POINTS_PAID, UNNAMED})


class RefundCause(Enum):
    """Why an order is refunded or cancelled: the member's own wish, or the merchant's fault."""

    CUSTOMER = "CUSTOMER"
    MERCHANT_FAULT = "MERCHANT_FAULT"


def bearer_of(coupon_id: CouponId) -> Bearer:
    """A coupon as the bearer of its discount."""
    return Bearer(str(coupon_id))


def coupon_of_bearer(bearer: Bearer) -> CouponId | None:
    """The coupon whose discount it is, if it is one's."""
    return None if bearer in WORDS else CouponId(UUID(bearer))


@dataclass(frozen=True, slots=True)
class PartDiscount:
    """One bearer's discount on a part, as it was paid, and what refunds have taken back of it since, in minor units."""

    bearer: Bearer
    amount_minor: int
    shares: tuple[FunderAmount, ...]
    taken_back_minor: int = 0

    @property
    def kept_minor(self) -> int:
        """What it still gives."""
        return self.amount_minor - self.taken_back_minor


@dataclass(frozen=True, slots=True)
class Part:
    """A line of an order, or its shipping fee, and how many of its units were returned. Amounts in minor units."""

    id: str
    quantity: int
    unit_price_minor: int
    discounts: tuple[PartDiscount, ...]
    returned: int = 0

    @property
    def remaining(self) -> int:
        """The units that the member has kept."""
        return self.quantity - self.returned

    @property
    def paid_minor(self) -> int:
        """What stays paid for them."""
        return self.remaining * self.unit_price_minor - sum(discount.kept_minor for discount in self.discounts)


@dataclass(frozen=True, slots=True)
class CouponUse:
    """A redemption of an order, and what became due by it so far (RefundPolicy CLAWBACK), in minor units."""

    redemption: Redemption
    receivable_minor: int

    @property
    def bearer(self) -> Bearer:
        """The coupon, as the bearer of its discount."""
        return bearer_of(self.redemption.coupon_id)


@dataclass(frozen=True, slots=True)
class Earned:
    """When an order's points were released to the member, and what is left of the lots that they came to.

    `expired` is what expired of them unused, less what refunds have taken back of that.
    """

    at: datetime
    lots: tuple[Lot, ...]
    expired: int


@dataclass(frozen=True, slots=True)
class RefundedOrder:
    """An order as a refund finds it: the goods it was of, its parts, the uses of coupons, how often it was refunded.

    A coupon that earlier refunds gave back is among them. `points_clawed_back` and `points_returned` are those of
    earlier refunds.
    """

    order: Order
    lines: tuple[OrderLine, ...]
    parts: tuple[Part, ...]
    uses: tuple[CouponUse, ...]
    refunds: int
    points_clawed_back: int
    points_returned: int
    points_used: int


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What a refund takes back of one discount on one part, by who bore it."""

    part_id: str
    bearer: Bearer
    amount_minor: int
    shares: tuple[FunderAmount, ...]


@dataclass(frozen=True, slots=True)
class ReturnedPart:
    """What a refund does to one part: units returned, and money paid back; negative where what stays costs more."""

    part_id: str
    quantity: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Settled:
    """A refund as the rules decide it: the parts after it, and all that changes.

    `receivables_minor` are changes too, by coupon: a later refund may make an earlier one needless.
    """

    parts: tuple[Part, ...]
    returned: tuple[ReturnedPart, ...]
    taken_back: tuple[TakenBack, ...]
    receivables_minor: tuple[tuple[Bearer, int], ...]

    @property
    def amount_minor(self) -> int:
        """The money that is paid back."""
        return sum(part.amount_minor for part in self.returned)


@dataclass(frozen=True, slots=True)
class RedemptionRefund:
    """What a refund does to one redemption: what it takes back, what becomes due, and whether nothing is left of it."""

    redemption: Redemption
    taken_back_minor: int
    shares: tuple[FunderAmount, ...]
    receivable_minor: int
    is_over: bool


@dataclass(frozen=True, slots=True)
class Returned:
    """A coupon that comes back, or whose balance gets so much back; None: its validity is as it was.

    Otherwise it ends at `valid_until_at_least`, or later.
    """

    coupon: CouponKey
    amount_minor: int
    valid_until_at_least: datetime | None


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund as it is stored."""

    id: UUID
    key: OrderKey
    ordinal: int
    settled: Settled
    redemptions: tuple[RedemptionRefund, ...]
    points_returned: int
    points_clawed_back: int
    refunded_at: datetime
    cause: RefundCause = RefundCause.CUSTOMER


@dataclass(frozen=True, slots=True)
class OrderRefunded:
    """The result of a refund; `receivable_minor` is by how much what is due has grown, or shrunk."""

    member_id: MemberId
    order_id: OrderId
    currency: str
    refund_minor: int
    receivable_minor: int
    restored: tuple[CouponId, ...]
    points_returned: int
    points_clawed_back: int
