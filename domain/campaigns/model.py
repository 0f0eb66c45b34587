"""Campaigns 营销活动 as the domain knows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final

from domain.shared.ids import CampaignId, MerchantId
from domain.shared.money import Money


class CampaignGoal(Enum):
    """What a campaign is for: 拉新 促活 留存 转化."""

    ACQUISITION = "ACQUISITION"
    ACTIVATION = "ACTIVATION"
    RETENTION = "RETENTION"
    CONVERSION = "CONVERSION"


class CampaignState(Enum):
    """Where a campaign stands. Its period moves it from SCHEDULED to RUNNING and from there to ENDED by itself."""

    DRAFT = "DRAFT"
    SCHEDULED = "SCHEDULED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    ENDED = "ENDED"


class RemainderPolicy(Enum):
    """What becomes of a discount that is more than what a budget has left.

    REJECT: the coupon does not act. PARTIAL: it acts with what is left.
    """

    REJECT = "REJECT"
    PARTIAL = "PARTIAL"


@dataclass(frozen=True, slots=True)
class Campaign:
    """A plan with a goal, a period and perhaps a budget; `merchant_id` is None for the platform's own.

    `limit_per_member` bounds what one member may get of all its templates together; it never changes, nor does what
    becomes of a `remainder` of the budget.
    """

    id: CampaignId
    merchant_id: MerchantId | None
    name: str
    goal: CampaignGoal
    state: CampaignState
    starts_at: datetime
    ends_at: datetime
    budget: Money | None
    limit_per_member: int | None = None
    remainder: RemainderPolicy = RemainderPolicy.REJECT


# The account of a budget that all funders share; those of single funders have the funder's name.
ALL_FUNDERS: Final = "ALL"


@dataclass(frozen=True, slots=True)
class BudgetAccount:
    """What may be spent of an account of a budget, and what of that is held and spent, in minor units."""

    limit_minor: int
    reserved_minor: int
    redeemed_minor: int

    @property
    def available_minor(self) -> int:
        """What is left to promise."""
        return self.limit_minor - self.reserved_minor - self.redeemed_minor


@dataclass(frozen=True, slots=True)
class Budget:
    """What a campaign may cost, and what of that is held and spent, in minor units.

    `by_funder` has, by the funder's name, those who may bear only so much of it. `remainder` says what becomes of a
    discount that is more than what is left.
    """

    currency: str
    limit_minor: int
    reserved_minor: int
    redeemed_minor: int
    by_funder: Mapping[str, BudgetAccount]
    remainder: RemainderPolicy = RemainderPolicy.REJECT

    @property
    def available_minor(self) -> int:
        """What is left to promise."""
        return self.limit_minor - self.reserved_minor - self.redeemed_minor


@dataclass(frozen=True, slots=True)
class CampaignMetrics:
    """What a campaign has done, counted from its coupons and their orders in one currency.

    `revenue_minor` is what members paid for orders in which a coupon of the campaign was redeemed.
    """

    claimed: int
    redeemed: int
    discount_minor: int
    revenue_minor: int
    currency: str

    @property
    def redemption_rate(self) -> float:
        """Redeemed of claimed, 0 to 1."""
        return self.redeemed / self.claimed if self.claimed else 0.0

    @property
    def roi(self) -> float | None:
        """(revenue - discount) / discount; None while nothing was given."""
        if self.discount_minor == 0:
            return None
        return (self.revenue_minor - self.discount_minor) / self.discount_minor


@dataclass(frozen=True, slots=True)
class CampaignQuery:
    """Which campaigns a list shows."""

    states: tuple[CampaignState, ...] | None = None
    goal: CampaignGoal | None = None
    merchant_id: MerchantId | None = None


@dataclass(frozen=True, slots=True)
class CampaignCreated:
    """The result of planning a campaign."""

    campaign_id: CampaignId


@dataclass(frozen=True, slots=True)
class CampaignStateChanged:
    """The result of moving a campaign."""

    campaign_id: CampaignId
    state: CampaignState
