"""Orders 订单, quotes 试算 and redemptions 核销 as the domain knows them; amounts in minor units of one currency."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Protocol
from uuid import UUID

from domain.coupons.cart import CartLine, Channel
from domain.coupons.eligibility import Eligibility
from domain.coupons.model import CouponKey, RefundPolicy
from domain.coupons.pricing import Allocation, AppliedOffer, FunderAmount
from domain.coupons.solver.answers import Optimality
from domain.coupons.solver.rejections import Rejection
from domain.coupons.wallet import HeldCoupon
from domain.orders.room import AMPLE, Room
from domain.shared.ids import (
    CampaignId,
    CouponId,
    MemberId,
    MerchantId,
    OrderId,
    RedemptionId,
    StoreId,
    TemplateId,
)


class QuoteStrategy(Enum):
    """Which coupons a quote is made with: the best combination of the wallet, or those that the caller chose."""

    BEST = "BEST"
    CHOSEN = "CHOSEN"


class OrderState(Enum):
    """Where an order is: paid, then either received or cancelled."""

    PAID = "PAID"
    RECEIVED = "RECEIVED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class QuotedLine:
    """A line with what every coupon takes off it, and what points pay of it."""

    id: str
    quantity: int
    subtotal_minor: int
    allocations: tuple[Allocation, ...]
    points_minor: int = 0

    @property
    def discount_minor(self) -> int:
        """All that the coupons take off."""
        return sum(allocation.amount_minor for allocation in self.allocations)

    @property
    def payable_minor(self) -> int:
        """What the member pays for the line in money."""
        return self.subtotal_minor - self.discount_minor - self.points_minor


@dataclass(frozen=True, slots=True)
class AppliedCoupon:
    """A coupon that acts: what it takes off, and who bears that.

    `full_minor` is what it would take off, had its campaign's budget covered it; None: it takes all of that. `pricing`
    knows why it may, which is worked out when it is asked for; it is not stored.
    """

    coupon_id: CouponId
    amount_minor: int
    shares: tuple[FunderAmount, ...]
    pricing: AppliedOffer | None = field(default=None, compare=False, repr=False)
    full_minor: int | None = None

    @property
    def eligibility(self) -> Eligibility | None:
        """Why it may be used; None where that was decided when it was."""
        return None if self.pricing is None else self.pricing.eligibility


class Refused(Protocol):
    """A coupon that does not act: why, and which applied coupon is in its way."""

    @property
    def coupon_id(self) -> CouponId:
        """The coupon."""
        ...

    @property
    def eligibility(self) -> Eligibility:
        """Why not, and what would help."""
        ...

    @property
    def conflicts_with(self) -> CouponId | None:
        """What is in its way."""
        ...


@dataclass(frozen=True, slots=True)
class RejectedCoupon:
    """A coupon that does not act and is not used up: why, and which applied coupon is in its way."""

    coupon_id: CouponId
    eligibility: Eligibility
    conflicts_with: CouponId | None


@dataclass(frozen=True, slots=True)
class QuoteTerms:
    """How a quote was made, which is how a refund prices what is left: channel, store, instant, the rate of points.

    `points` for every `per_minor` that is paid for goods, and the tier's bonus. `min_payable_minor` is the least that
    was left to pay. What was reserved for no store may be paid in one: the price was made for no store.
    """

    channel: Channel
    priced_at: datetime
    points: int
    per_minor: int
    bonus_basis_points: int
    min_payable_minor: int = 0
    store_id: StoreId | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """What a member's cart costs with these coupons; payable = subtotal + shipping - discount - points.

    `cart_hash` says which cart. `points_used` pay `points_minor`; `points_decision` says why not all that were offered
    do, and is missing where none were. `points_earned` are what paying it will promise. The prices hold before
    `valid_until`, if the world does not change.
    """

    member_id: MemberId
    currency: str
    lines: tuple[QuotedLine, ...]
    shipping_minor: int
    shipping_allocations: tuple[Allocation, ...]
    applied: tuple[AppliedCoupon, ...]
    not_applied: tuple[RejectedCoupon, ...]
    points_earned: int
    valid_until: datetime
    cart_hash: str = ""
    terms: QuoteTerms | None = None
    points_used: int = 0
    points_decision: Eligibility | None = None

    @property
    def subtotal_minor(self) -> int:
        """All lines before discounts, without shipping."""
        return sum(line.subtotal_minor for line in self.lines)

    @property
    def discount_minor(self) -> int:
        """All that the coupons take off, lines and shipping."""
        return sum(coupon.amount_minor for coupon in self.applied)

    @property
    def points_minor(self) -> int:
        """What points pay of the lines."""
        return sum(line.points_minor for line in self.lines)

    @property
    def payable_minor(self) -> int:
        """What the member pays in money."""
        return self.subtotal_minor + self.shipping_minor - self.discount_minor - self.points_minor


@dataclass(frozen=True, slots=True)
class FoundCombination:
    """Coupons that all act together, in the order in which they do, and what the cart costs with them."""

    coupon_ids: tuple[CouponId, ...]
    discount_minor: int
    payable_minor: int


@dataclass(frozen=True, slots=True)
class BestQuote:
    """A quote with the best combination that was found in a wallet, how good that is, and what else was found.

    The coupons that are not in it are in `not_applied`, not in the quote's own: each is explained when it is asked.
    """

    quote: Quote
    optimality: Optimality
    alternatives: tuple[FoundCombination, ...]
    not_applied: tuple[Rejection, ...]


@dataclass(frozen=True, slots=True)
class Quotable:
    """What a quote is made of, read at one instant: the member's coupons by id, and what the tier adds to points.

    What is available of the member's points and what of them is owed is there where it was asked for.
    """

    at: datetime
    held: Mapping[CouponId, HeldCoupon]
    bonus_basis_points: int
    points_available: int = 0
    points_debt: int = 0
    room: Room = AMPLE


@dataclass(frozen=True, slots=True)
class OrderKey:
    """Names an order in its member's partition."""

    member_id: MemberId
    order_id: OrderId


@dataclass(frozen=True, slots=True)
class OrderRef:
    """What its caller calls an order. `source_id` is the merchant whose till wrote it, or the order system's (nil)."""

    source_id: UUID
    ref: str


ORDER_SYSTEM = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Order:
    """What was bought, paid and earned.

    `paid_minor` = subtotal + shipping - discount - points_minor, which `points_used` paid. `points_pending` wait for
    the return window, `points_earned` were released. `cart_hash` and `quote` are missing on orders that were brought in
    from elsewhere.
    """

    key: OrderKey
    ref: OrderRef
    state: OrderState
    store_id: StoreId | None
    currency: str
    subtotal_minor: int
    discount_minor: int
    shipping_minor: int
    paid_minor: int
    points_pending: int
    points_earned: int
    cart_hash: str | None
    quote: Quote | None
    paid_at: datetime
    received_at: datetime | None = None
    cancelled_at: datetime | None = None
    points_used: int = 0
    points_minor: int = 0


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line of an order, as it was paid; `points_minor` of it with points."""

    line: CartLine
    discount_minor: int
    points_minor: int = 0

    @property
    def payable_minor(self) -> int:
        """What was paid for it in money."""
        return self.line.subtotal_minor - self.discount_minor - self.points_minor


@dataclass(frozen=True, slots=True)
class Redemption:
    """One use of a coupon. `merchant_id` is who it happened at; `shares` sum to the discount.

    `from_balance`: it took a part of the coupon's balance, of which others may be uses too. `refund_policy` is the
    template's as it was then, and so is `merchant_fault_grace_days`; `refunded_minor` is what refunds have taken
    back of the discount.
    """

    id: RedemptionId
    member_id: MemberId
    coupon_id: CouponId
    template_id: TemplateId
    campaign_id: CampaignId | None
    merchant_id: MerchantId | None
    store_id: StoreId | None
    order_id: OrderId
    order_ref: str
    currency: str
    discount_minor: int
    shares: tuple[FunderAmount, ...]
    redeemed_at: datetime
    reversed_at: datetime | None = None
    from_balance: bool = False
    refund_policy: RefundPolicy = RefundPolicy.KEEP_ALLOCATION
    refunded_minor: int = 0
    merchant_fault_grace_days: int = 0

    @property
    def coupon(self) -> CouponKey:
        """The coupon that was used."""
        return CouponKey(self.member_id, self.coupon_id)


@dataclass(frozen=True, slots=True)
class RedemptionKey:
    """Names a redemption in its member's partition."""

    member_id: MemberId
    redemption_id: RedemptionId


@dataclass(frozen=True, slots=True)
class CouponsRedeemed:
    """The result of a redemption; `repeated` when the order had used these coupons before, under another key.

    `late_capture`: what was used had been reserved, and the reservation had run out.
    """

    member_id: MemberId
    order_id: OrderId
    redemption_ids: tuple[RedemptionId, ...]
    repeated: bool
    late_capture: bool = False


@dataclass(frozen=True, slots=True)
class OrderRecorded:
    """The result of recording an order; `repeated` when it stood there already, with nothing different."""

    order_ref: str
    state: OrderState
    points_pending: int
    points_earned: int
    repeated: bool
