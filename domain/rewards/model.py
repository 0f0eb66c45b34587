"""Rewards: what points are exchanged for."""

from dataclasses import dataclass
from enum import Enum

from domain.shared.ids import CouponId, EntryId, MemberId, RewardId, TemplateId


class RewardKind(Enum):
    """What a reward is."""

    COUPON = "COUPON"
    GOODS = "GOODS"
    SERVICE = "SERVICE"


@dataclass(frozen=True, slots=True)
class Reward:
    """One offer of the points mall; `limit_per_member` counts over its whole life, None: no limit."""

    id: RewardId
    name: str
    kind: RewardKind
    points_price: int
    limit_per_member: int | None
    template_id: TemplateId | None


@dataclass(frozen=True, slots=True)
class RewardStock:
    """How many there are of a reward in all, and how many are left."""

    total: int
    remaining: int


@dataclass(frozen=True, slots=True)
class LockedReward:
    """A reward whose stock nobody else can take from before this transaction ends."""

    reward: Reward
    stock: RewardStock


@dataclass(frozen=True, slots=True)
class RewardCreated:
    """The result of making a reward."""

    reward_id: RewardId


@dataclass(frozen=True, slots=True)
class PointsExchanged:
    """The result of an exchange."""

    member_id: MemberId
    entry_id: EntryId
    coupon_ids: tuple[CouponId, ...]
