"""A coupon as pricing sees it: what its template says, in whose name, and whether it may be used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final

from domain.coupons.cart import EVERYTHING, Scope
from domain.coupons.conditions import Conditions
from domain.coupons.facts import Owner
from domain.coupons.kinds import KINDS
from domain.coupons.lanes import Lane
from domain.coupons.terms import AnyKind, Terms, TermsError
from domain.shared.allocation import WHOLE_BASIS_POINTS
from domain.shared.ids import CouponId, MerchantId, TemplateId


class CouponState(Enum):
    """Where a coupon is in its life."""

    CLAIMED = "CLAIMED"
    RESERVED = "RESERVED"
    REDEEMED = "REDEEMED"
    EXPIRED = "EXPIRED"
    VOIDED = "VOIDED"


class ThresholdBase(Enum):
    """The subtotal of the goods in scope that a threshold is held against.

    INITIAL: before any discount. BEFORE_THIS: after the earlier offers. AFTER_THIS: after this offer too. Tax is in it;
    shipping, gift cards and points are not.
    """

    INITIAL = "INITIAL"
    BEFORE_THIS = "BEFORE_THIS"
    AFTER_THIS = "AFTER_THIS"


class PercentBase(Enum):
    """The subtotal of the goods in scope that a percentage is taken of: what is left to pay, or the undiscounted."""

    REMAINING = "REMAINING"
    INITIAL = "INITIAL"


class Funder(Enum):
    """Who bears a discount."""

    PLATFORM = "PLATFORM"
    MERCHANT = "MERCHANT"


@dataclass(frozen=True, slots=True)
class FunderShare:
    """A funder's part of a discount, in basis points."""

    funder: Funder
    basis_points: int


MAX_COUPONS_PER_ORDER: Final = 100
"""Whatever they are."""


@dataclass(frozen=True, slots=True)
class Stacking:
    """How a template's coupons go together with others.

    Two coupons of one lane combine only when each names a tag of the other in `combines_with_tags`; two of the same
    template too. Of an `exclusive_group` an order takes one, of the template `max_per_order`. Where the lane is the
    same the higher priority acts first.
    """

    lane: Lane | None = None
    tags: frozenset[str] = frozenset()
    combines_with_tags: frozenset[str] = frozenset()
    exclusive_group: str | None = None
    priority: int = 0
    max_per_order: int = 1

    def __post_init__(self) -> None:
        """Refuse a maximum that nothing can meet."""
        if self.max_per_order < 1:
            raise TermsError("an order takes one at least", path=("stacking", "maxPerOrder"))

    def combines_with(self, other: "Stacking") -> bool:
        """Whether both consent to each other."""
        return not self.combines_with_tags.isdisjoint(other.tags) and not other.combines_with_tags.isdisjoint(self.tags)


ALONE: Final = Stacking()


@dataclass(frozen=True, slots=True)
class Offer:
    """One coupon in a member's hand, with the terms as they stood when it was claimed.

    `merchant_id` is who issued it; None is the platform. `balance_minor` is what is left on a coupon that keeps a
    balance. `valid_until` is not in the validity any more. `owner` is what conditions may ask of the member; None where
    they ask nothing.
    """

    coupon_id: CouponId
    template_id: TemplateId
    kind: str
    terms: Terms
    currency: str
    valid_from: datetime
    valid_until: datetime
    state: CouponState = CouponState.CLAIMED
    merchant_id: MerchantId | None = None
    scope: Scope = EVERYTHING
    stacking: Stacking = ALONE
    threshold_base: ThresholdBase = ThresholdBase.BEFORE_THIS
    percent_base: PercentBase = PercentBase.REMAINING
    funders: tuple[FunderShare, ...] = ()
    balance_minor: int | None = None
    conditions: Conditions | None = None
    owner: Owner | None = None

    @property
    def coupon_kind(self) -> AnyKind:
        """How this coupon takes money off."""
        return KINDS[self.kind]

    @property
    def lane(self) -> Lane:
        """Where it is priced: as its template says, else as its kind, else a merchant's before the platform's."""
        return self.stacking.lane or lane_of(self.stacking, kind=KINDS[self.kind], merchant_id=self.merchant_id)

    @property
    def merchant_ids(self) -> frozenset[MerchantId]:
        """The merchants whose goods it acts on; a merchant's own coupon, unless told, on that merchant's. None: any."""
        if self.scope.merchant_ids or self.merchant_id is None:
            return self.scope.merchant_ids
        return frozenset((self.merchant_id,))

    @property
    def borne_by(self) -> tuple[FunderShare, ...]:
        """Who bears it; unless told, who issued it."""
        return self.funders or (default_funder(self.merchant_id),)

    @property
    def pricing_order(self) -> tuple[int, int, str]:
        """Lane, then priority (higher first), then id: never the order of the request."""
        return (self.lane.place, -self.stacking.priority, str(self.coupon_id))


def lane_of(stacking: Stacking, *, kind: AnyKind, merchant_id: MerchantId | None) -> Lane:
    """Where coupons are priced: as their template says, else as their kind, else a merchant's before the platform's."""
    return stacking.lane or kind.lane or (Lane.PLATFORM_ORDER if merchant_id is None else Lane.STORE_ORDER)


def default_funder(merchant_id: MerchantId | None) -> FunderShare:
    """Whoever issues a coupon bears it."""
    return FunderShare(Funder.PLATFORM if merchant_id is None else Funder.MERCHANT, WHOLE_BASIS_POINTS)


def require_whole(funders: Sequence[FunderShare]) -> None:
    """Raise TermsError unless each funder is named once and the shares make a whole."""
    if any(not 0 <= share.basis_points <= WHOLE_BASIS_POINTS for share in funders):
        raise TermsError("a share is 0 to 10000 basis points", path=("funders",))
    if len({share.funder for share in funders}) < len(funders):
        raise TermsError("names a funder twice", path=("funders",))
    if sum(share.basis_points for share in funders) != WHOLE_BASIS_POINTS:
        raise TermsError("the shares sum to 10000 basis points", path=("funders",))
