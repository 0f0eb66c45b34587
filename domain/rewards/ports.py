"""What the rewards slice needs of the world."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.coupons.ports import CouponsTransaction
from domain.points.ports import PointsTransactionPort
from domain.rewards.model import LockedReward, Reward, RewardStock
from domain.shared.ids import EntryId, MemberId, RewardId
from domain.shared.paging import Page, PageRequest


@dataclass(frozen=True, slots=True)
class Taken:
    """So many of a reward, for a member, by the entry that spent the points."""

    member_id: MemberId
    entry_id: EntryId
    quantity: int


class Rewards(Protocol):
    """Rewards, written."""

    async def add(self, reward: Reward, *, stock: int) -> None:
        """Stores a reward with its stock."""
        ...

    async def lock_or_none(self, reward_id: RewardId) -> LockedReward | None:
        """The reward with its stock, locked."""
        ...

    async def exchanged(self, reward_id: RewardId, *, member_ids: Collection[MemberId]) -> Mapping[MemberId, int]:
        """How many of it each of the members has exchanged; one that has none is not in it."""
        ...

    async def take(self, reward_id: RewardId, *, taken: Sequence[Taken]) -> None:
        """Takes as many from a stock that is locked and has them, and records who has them."""
        ...


class RewardsTransaction(CouponsTransaction, PointsTransactionPort, Protocol):
    """A transaction of the rewards slice."""

    @property
    def rewards(self) -> Rewards:
        """The rewards."""
        ...


class RewardReads(Protocol):
    """Rewards, read. The mall is public."""

    async def rewards_by_id(self, reward_ids: Sequence[RewardId]) -> Mapping[RewardId, Reward]:
        """The rewards of these ids."""
        ...

    async def rewards_page(self, *, page: PageRequest) -> Page[Reward]:
        """A page of the mall, cheapest first."""
        ...

    async def stocks(self, reward_ids: Sequence[RewardId]) -> Mapping[RewardId, RewardStock]:
        """What is left of these rewards."""
        ...
