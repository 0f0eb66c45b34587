"""What can be done in the points mall."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TypeAlias

from domain.coupons.errors import ClaimLimitReached, Ended, NotStarted, SoldOut
from domain.coupons.model import Coupon, TemplateState
from domain.coupons.use_cases import issue_in_transaction
from domain.points.errors import InsufficientPoints
from domain.points.ledger import live_lots, open_account, post
from domain.points.rules import NotEnoughPoints, SpendingBlocked, spend
from domain.rewards.errors import ExchangeLimitReached, RewardOutOfStock
from domain.rewards.model import LockedReward, PointsExchanged, Reward, RewardCreated, RewardKind
from domain.rewards.ports import RewardsTransaction
from domain.shared.errors import BadUserInput, NotFound
from domain.shared.idempotency import Done, Once, do_once
from domain.shared.ids import MemberId, RewardId, TemplateId
from domain.shared.money import SAFE_INT_MAX

Begin: TypeAlias = Callable[[], AbstractAsyncContextManager[RewardsTransaction]]

MAX_QUANTITY = 100


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


@dataclass(frozen=True, slots=True)
class ExchangePoints:
    """Exchanges a member's points for a reward."""

    reward_id: RewardId
    member_id: MemberId
    quantity: int
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


async def exchange_points(command: ExchangePoints, *, begin: Begin) -> Done[PointsExchanged]:
    """Takes the points, the reward from its stock, and issues its coupons: all of it, or nothing.

    `begin` is a transaction of the member's own scope. Locks: the reward's stock, the template's stock, the member.

    Refusals: NotFound, InsufficientPoints, RewardOutOfStock, ExchangeLimitReached, IdempotencyKeyReused.
    """
    if not 1 <= command.quantity <= MAX_QUANTITY:
        raise BadUserInput(f"quantity must be 1 to {MAX_QUANTITY}", path=["input", "quantity"])

    async def decide(tx: RewardsTransaction) -> PointsExchanged:
        locked = await tx.rewards.lock_or_none(command.reward_id)
        if locked is None:
            raise NotFound("Reward")
        if locked.stock.remaining < command.quantity:
            raise RewardOutOfStock(remaining=locked.stock.remaining)
        coupons = await _issue(tx, command, locked=locked)
        account = await open_account(tx, command.member_id)
        reward = locked.reward
        if reward.limit_per_member is not None:
            exchanged = await tx.rewards.exchanged(reward.id, member_id=command.member_id)
            if exchanged + command.quantity > reward.limit_per_member:
                raise ExchangeLimitReached(limit=reward.limit_per_member)
        price = reward.points_price * command.quantity
        try:
            lots = await live_lots(tx, command.member_id)
            entry = spend(price, lots=lots, debt=account.debt, at=tx.now)
        except NotEnoughPoints as missing:
            raise InsufficientPoints(
                required=price, available=missing.available, shortfall=price - missing.available
            ) from None
        except SpendingBlocked as blocked:
            raise InsufficientPoints(required=price, available=0, shortfall=price + blocked.debt) from None
        _, entry_id = await post(tx, account, entry, reason=reward.name)
        await tx.rewards.take(reward.id, member_id=command.member_id, entry_id=entry_id, quantity=command.quantity)
        return PointsExchanged(command.member_id, entry_id, tuple(c.id for c in coupons))

    return await do_once(command.once, begin=begin, decide=decide, result_type=PointsExchanged)


async def _issue(tx: RewardsTransaction, command: ExchangePoints, *, locked: LockedReward) -> Sequence[Coupon]:
    template_id = locked.reward.template_id
    if template_id is None:
        return ()
    try:
        return await issue_in_transaction(
            tx, template_id=template_id, member_id=command.member_id, count=command.quantity
        )
    except ClaimLimitReached as reached:
        raise ExchangeLimitReached(limit=reached.limit) from None
    except (SoldOut, NotStarted, Ended, NotFound):
        # The mall shows a reward whose coupons cannot be issued: for the member it is out of stock.
        raise RewardOutOfStock(remaining=0) from None
