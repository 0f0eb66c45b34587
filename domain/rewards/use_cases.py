"""What can be done in the points mall."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TypeAlias

from domain.coupons.model import TemplateState
from domain.rewards.model import Reward, RewardCreated, RewardKind
from domain.rewards.ports import RewardsTransaction
from domain.shared.errors import BadUserInput, NotFound
from domain.shared.idempotency import Done, Once, do_once
from domain.shared.ids import RewardId, TemplateId
from domain.shared.money import SAFE_INT_MAX

Begin: TypeAlias = Callable[[], AbstractAsyncContextManager[RewardsTransaction]]


@dataclass(frozen=True, slots=True)
class CreateReward:
    """Puts a reward into the mall; one of kind COUPON names the template that it issues."""

    name: str
    kind: RewardKind
    points_price: int
    stock: int
    limit_per_member: int | None
    template_id: TemplateId | None
    once: Once


async def create_reward(command: CreateReward, *, begin: Begin) -> Done[RewardCreated]:
    """Puts a reward into the mall.

    Refusals: NotFound, IdempotencyKeyReused.
    """
    _check(command)

    async def decide(tx: RewardsTransaction) -> RewardCreated:
        if command.template_id is not None:
            template = await tx.templates.lock_or_none(command.template_id)
            if template is None or template.state is not TemplateState.PUBLISHED:
                raise NotFound("CouponTemplate")
        reward = Reward(
            id=RewardId(tx.ids.new()),
            name=command.name,
            kind=command.kind,
            points_price=command.points_price,
            limit_per_member=command.limit_per_member,
            template_id=command.template_id,
        )
        await tx.rewards.add(reward, stock=command.stock)
        return RewardCreated(reward.id)

    return await do_once(command.once, begin=begin, decide=decide, result_type=RewardCreated)


def _check(command: CreateReward) -> None:
    for name, value, least in (
        ("pointsPrice", command.points_price, 1),
        ("stock", command.stock, 1),
        ("limitPerMember", command.limit_per_member, 1),
    ):
        if value is not None and not least <= value <= SAFE_INT_MAX:
            raise BadUserInput(f"{name} must be at least {least}", path=["input", name])
    if (command.kind is RewardKind.COUPON) != (command.template_id is not None):
        raise BadUserInput(
            "a reward of kind COUPON names a couponTemplateId, and no other does", path=["input", "couponTemplateId"]
        )
