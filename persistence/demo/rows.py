"""Rows of the demo programme, field by field as their tables' columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple, TypeAlias
from uuid import UUID

from domain.coupons.model import CouponTemplate

Json: TypeAlias = str
"""A document as its text: binary COPY knows no codec of ours."""


class MemberRow(NamedTuple):
    """A row of members; the personal columns are sealed."""

    member_id: UUID
    external_ref: str
    display_name: object
    phone: object
    phone_index: object
    birthday: object
    locale: str
    joined_at: datetime


class TierRow(NamedTuple):
    """A row of member_tiers."""

    member_id: UUID
    tier_code: str
    since: datetime
    keep_until: date | None


class MetricDayRow(NamedTuple):
    """A row of tier_metric_days."""

    member_id: UUID
    on_date: date
    amount: int


class OrderRow(NamedTuple):
    """A row of orders."""

    member_id: UUID
    id: UUID
    source_id: UUID
    order_ref: str
    state: str
    store_id: UUID
    currency: str
    subtotal_minor: int
    discount_minor: int
    shipping_minor: int
    paid_minor: int
    points_pending: int
    points_earned: int
    paid_at: datetime
    received_at: datetime


class OrderLineRow(NamedTuple):
    """A row of order_lines."""

    member_id: UUID
    order_id: UUID
    position: int
    line_id: str
    product_ref: str
    merchant_id: UUID
    category_refs: Sequence[str]
    quantity: int
    unit_price_minor: int
    subtotal_minor: int
    discount_minor: int
    payable_minor: int


class DirectoryRow(NamedTuple):
    """A row of order_directory."""

    source_id: UUID
    order_ref: str
    member_id: UUID
    order_id: UUID


class AccountRow(NamedTuple):
    """A row of points_accounts."""

    member_id: UUID
    available: int
    pending: int
    debt: int
    lifetime_earned: int


class EntryRow(NamedTuple):
    """A row of points_entries."""

    member_id: UUID
    id: UUID
    kind: str
    delta: int
    balance_after: int
    reason: str
    order_id: UUID | None
    occurred_at: datetime


class PostingRow(NamedTuple):
    """A row of points_postings."""

    member_id: UUID
    entry_id: UUID
    account: str
    amount: int


class LotRow(NamedTuple):
    """A row of points_lots."""

    member_id: UUID
    id: UUID
    entry_id: UUID
    earned: int
    remaining: int
    earned_at: datetime
    expires_at: datetime | None


class DrawRow(NamedTuple):
    """A row of points_lot_draws."""

    member_id: UUID
    entry_id: UUID
    lot_id: UUID
    points: int


class ExchangeRow(NamedTuple):
    """A row of reward_exchanges."""

    member_id: UUID
    entry_id: UUID
    reward_id: UUID
    quantity: int
    exchanged_at: datetime


class CouponRow(NamedTuple):
    """A row of coupons."""

    member_id: UUID
    id: UUID
    template_id: UUID
    merchant_id: UUID | None
    ordinal: int
    code: str
    state: str
    kind: str
    terms: Json
    claimed_at: datetime
    claimed_on: date
    valid_from: datetime
    valid_until: datetime


class RedemptionRow(NamedTuple):
    """A row of redemptions."""

    member_id: UUID
    id: UUID
    coupon_id: UUID
    template_id: UUID
    campaign_id: UUID | None
    merchant_id: UUID | None
    store_id: UUID | None
    order_id: UUID
    order_ref: str
    currency: str
    discount_minor: int
    shares: Json
    redeemed_at: datetime


class EventRow(NamedTuple):
    """A row of events; history is told to nobody, so it counts as published."""

    owner_id: UUID
    stream: str
    sequence: int
    kind: str
    subject_id: UUID
    facts: Json
    occurred_at: datetime
    published_at: datetime


class StreamRow(NamedTuple):
    """A row of streams."""

    owner_id: UUID
    stream: str
    sequence: int


@dataclass(frozen=True, slots=True)
class MemberRows:
    """All that belongs to a slice of members."""

    members: list[MemberRow]
    tiers: list[TierRow]
    metric_days: list[MetricDayRow]
    orders: list[OrderRow]
    order_lines: list[OrderLineRow]
    directory: list[DirectoryRow]
    accounts: list[AccountRow]
    entries: list[EntryRow]
    postings: list[PostingRow]
    lots: list[LotRow]
    draws: list[DrawRow]
    exchanges: list[ExchangeRow]
    coupons: list[CouponRow]
    redemptions: list[RedemptionRow]
    events: list[EventRow]
    streams: list[StreamRow]

    @staticmethod
    def none() -> "MemberRows":
        """No rows yet."""
        return MemberRows([], [], [], [], [], [], [], [], [], [], [], [], [], [], [], [])


class MerchantRow(NamedTuple):
    """A row of merchants."""

    id: UUID
    external_ref: str
    name: str
    created_at: datetime


class StoreRow(NamedTuple):
    """A row of stores."""

    id: UUID
    merchant_id: UUID
    external_ref: str
    name: str
    created_at: datetime


class CampaignRow(NamedTuple):
    """A row of campaigns, without a budget."""

    id: UUID
    merchant_id: UUID | None
    name: str
    goal: str
    state: str
    starts_at: datetime
    ends_at: datetime
    created_at: datetime


class RewardRow(NamedTuple):
    """A row of rewards."""

    id: UUID
    name: str
    kind: str
    points_price: int
    limit_per_member: int | None
    template_id: UUID | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PublishedTemplate:
    """A template, how many there are of it, and since when it is public."""

    template: CouponTemplate
    stock: int
    published_at: datetime


@dataclass(frozen=True, slots=True)
class CatalogueRows:
    """What belongs to no member."""

    merchants: Sequence[MerchantRow]
    stores: Sequence[StoreRow]
    campaigns: Sequence[CampaignRow]
    templates: Sequence[PublishedTemplate]
    rewards: Sequence[tuple[RewardRow, int]]
    """Each reward with its stock."""
