"""The points mall: who may, which use-case."""

import strawberry

from domain.coupons.model import CouponKey
from domain.rewards.exchanging import ExchangePoints
from domain.rewards.use_cases import CreateReward, create_reward
from domain.shared.ids import RewardId, TemplateId
from resolvers.context import Info
from resolvers.inputs import name_of
from resolvers.once import once
from resolvers.points import transaction_by_id
from schema.coupons import Coupon, load_coupon
from schema.node_ids import NodeType, expect_id
from schema.paging import PAGE_SIZE_DEFAULT, After, Connection, First, page_request
from schema.points import PointsAccount
from schema.rewards import (
    CreateRewardInput,
    CreateRewardResult,
    CreateRewardSuccess,
    ExchangePointsInput,
    ExchangePointsResult,
    ExchangePointsSuccess,
    Reward,
    load_reward,
    rewards_page,
)


@strawberry.type
class RewardsQuery:
    @strawberry.field(description="The points mall, cheapest first.")
    async def rewards(self, info: Info, first: First = PAGE_SIZE_DEFAULT, after: After = None) -> Connection[Reward]:
        """A page of rewards."""
        return await rewards_page(info.context, page=page_request(first, after))


@strawberry.type
class RewardsMutation:
    @strawberry.mutation(description="Puts a reward into the points mall.")
    async def create_reward(self, info: Info, input: CreateRewardInput) -> CreateRewardResult:
        """Makes a reward."""
        template_id = input.coupon_template_id and expect_id(
            input.coupon_template_id, NodeType.CouponTemplate, argument="input.couponTemplateId"
        )
        command = CreateReward(
            name=name_of(input.name),
            kind=input.kind,
            points_price=input.points_price,
            stock=input.stock,
            limit_per_member=input.limit_per_member,
            template_id=TemplateId(template_id.id) if template_id else None,
            once=once(info, input),
        )
        done = await create_reward(command, begin=info.context.begin)
        reward = await load_reward(info.context, done.result.reward_id)
        assert reward is not None, "a reward that was made is there"
        return CreateRewardSuccess(reward=reward, replayed=done.replayed)

    @strawberry.mutation(description="Exchanges the member's points for a reward: all of it, or nothing.")
    async def exchange_points(self, info: Info, input: ExchangePointsInput) -> ExchangePointsResult:
        """Exchanges points."""
        context = info.context
        command = ExchangePoints(
            reward_id=RewardId(expect_id(input.reward_id, NodeType.Reward, argument="input.rewardId").id),
            member_id=context.member_id,
            quantity=1 if input.quantity is None else input.quantity,
            scope=context.scope,
            once=once(info, input),
        )
        done = await context.exchanges.exchange(command)
        context.forget()
        result = done.result
        transaction = await transaction_by_id(info, result.member_id, result.entry_id)
        assert transaction is not None, "what was posted is there"
        coupons: list[Coupon] = []
        for coupon_id in result.coupon_ids:
            coupon = await load_coupon(context, CouponKey(result.member_id, coupon_id))
            assert coupon is not None, "what was issued is there"
            coupons.append(coupon)
        account = await context.load.points_accounts.load(result.member_id)
        return ExchangePointsSuccess(
            transaction=transaction,
            coupons=coupons,
            account=PointsAccount.from_domain(account),
            replayed=done.replayed,
        )
