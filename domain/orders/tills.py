"""What tills 收银台 need to be trusted with: each scanned token once, and what a store may redeem without a network."""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Protocol

from domain.coupons.model import CouponKey
from domain.shared.ids import MerchantId, OrderId, StoreId

# How long a store may keep what it has scanned, and by how much its clock may differ from ours.
MAX_OFFLINE_AGE: Final = timedelta(hours=72)
CLOCK_TOLERANCE: Final = timedelta(minutes=2)
# The longest that a token lives: it cannot have been scanned before it was made.
MAX_TOKEN_LIFE: Final = timedelta(seconds=300)


@dataclass(frozen=True, slots=True)
class OfflineLimits:
    """What of one store's day is accepted unseen: so many redemptions, of discounts that sum to so much at most.

    Of each of its tills no more than the limits per till, where there are any. Amounts are in the programme's currency.
    """

    max_count: int
    max_minor: int
    max_count_per_till: int | None = None
    max_minor_per_till: int | None = None

    @property
    def of_store(self) -> "OfflineLimit":
        """What all tills of the store may have together, whatever they call themselves."""
        return OfflineLimit(self.max_count, self.max_minor, per_till=False)

    @property
    def of_till(self) -> "OfflineLimit":
        """What one till may have: never more than its store."""
        count, minor = self.max_count_per_till, self.max_minor_per_till
        return OfflineLimit(
            self.max_count if count is None else min(count, self.max_count),
            self.max_minor if minor is None else min(minor, self.max_minor),
            per_till=True,
        )


@dataclass(frozen=True, slots=True)
class OfflineLimit:
    """What is accepted unseen of one day, of a till or of all tills of a store."""

    max_count: int
    max_minor: int
    per_till: bool


DEFAULT_OFFLINE_LIMITS: Final = OfflineLimits(max_count=200, max_minor=200_000)
"""For stores of merchants that nobody has set limits for: ¥2,000 a day."""

NO_TILL_ID: Final = ""
"""The till of a store that says nothing of itself: those that do not are one till together."""
MAX_TILL_ID_LENGTH: Final = 64


@dataclass(frozen=True, slots=True)
class OfflineScan:
    """A scan without a network: when by the till's clock, in which store, and on which of the programme's days.

    `till_id` is the store's own word for the till that scanned.
    """

    scanned_at: datetime
    merchant_id: MerchantId
    store_id: StoreId
    on_date: date
    till_id: str = NO_TILL_ID


@dataclass(frozen=True, slots=True)
class OfflineLimitsSet:
    """The result of setting limits; `store_id` None: for the merchant's stores that have none of their own."""

    merchant_id: MerchantId
    store_id: StoreId | None
    max_count: int
    max_minor: int
    max_count_per_till: int | None = None
    max_minor_per_till: int | None = None


def token_hash(token: str) -> bytes:
    """What is kept of a token that was used."""
    return hashlib.sha256(token.encode()).digest()


class Tills(Protocol):
    """Tokens that were used, and what stores redeemed without a network."""

    async def use_token(
        self, hash_: bytes, *, coupon: CouponKey, order_id: OrderId, scan: OfflineScan | None, discount_minor: int
    ) -> bool:
        """Notes that a token was used; False where it was used before, were it at the same moment."""
        ...

    async def accept_unseen(self, scan: OfflineScan, *, discount_minor: int | None) -> OfflineLimit | None:
        """Counts a redemption towards the limits of its till's and its store's day; the one that does not allow it.

        None is a discount that the limits cannot be held against: they do not allow it.
        """
        ...

    async def count_less(self, hash_: bytes, *, coupon: CouponKey, scan: OfflineScan, minor: tuple[int, int]) -> None:
        """Counts the second of these amounts where the first was counted, of a token that was used just now."""
        ...

    async def set_limits(self, merchant_id: MerchantId, store_id: StoreId | None, *, limits: OfflineLimits) -> None:
        """What a store, or each of a merchant's stores that has none of its own, may redeem without a network."""
        ...
