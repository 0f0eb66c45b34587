"""Identities: one NewType per noun, so that a coupon's id never passes for a member's."""

from typing import NewType, Protocol
from uuid import UUID

MemberId = NewType("MemberId", UUID)
MerchantId = NewType("MerchantId", UUID)
StoreId = NewType("StoreId", UUID)
CampaignId = NewType("CampaignId", UUID)
TemplateId = NewType("TemplateId", UUID)
CouponId = NewType("CouponId", UUID)
RedemptionId = NewType("RedemptionId", UUID)
OrderId = NewType("OrderId", UUID)
ReservationId = NewType("ReservationId", UUID)
RewardId = NewType("RewardId", UUID)
EntryId = NewType("EntryId", UUID)
LotId = NewType("LotId", UUID)
TierId = NewType("TierId", UUID)


class Ids(Protocol):
    """Where new identities come from: time-ordered UUIDs (version 7) in production, counted ones in tests."""

    def new(self) -> UUID:
        """A UUID that nothing else has."""
        ...
