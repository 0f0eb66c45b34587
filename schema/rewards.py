"""The points mall as clients see it."""

from typing import Annotated

import strawberry

from domain.rewards import model
from domain.rewards.model import RewardKind
from domain.shared.ids import RewardId
from domain.shared.listed import Listed
from domain.shared.paging import PageRequest
from schema.catalogue import PURE, FromCatalogue, now, read, shown
from schema.context import Context, Info, Later
from schema.coupon_templates import CouponTemplate, StockStatus, find_template
from schema.coupons import Coupon
from schema.enums import publish_enum
from schema.node_ids import NodeType, node_id
from schema.nodes import Node
from schema.paging import Connection, connection
from schema.points import InsufficientPointsProblem, PointsAccount, PointsTransaction
from schema.problems import IdempotencyKeyReusedProblem, NotFoundProblem, OperationInProgressProblem, Problem
from schema.scalars import SafeInt

publish_enum(
    RewardKind,
    "What a reward is.",
    values={
        "COUPON": "Coupons of a template, issued at once.",
        "GOODS": "A thing, handed over elsewhere.",
        "SERVICE": "A service, given elsewhere.",
    },
)


@strawberry.type(description="A reward 权益 of the points mall.")
class Reward(FromCatalogue, Node):
    name: str = strawberry.field(description="What it is called.")
    kind: RewardKind = strawberry.field(description="What it is.")
    points_price: SafeInt = strawberry.field(description="What one costs, in points.")
    limit_per_member: int | None = strawberry.field(description="How many a member may exchange; null: no limit.")
    entity: strawberry.Private[model.Reward]

    @staticmethod
    def from_domain(reward: model.Reward) -> "Reward":
        """The domain's reward as clients see it."""
        return Reward(
            id=node_id(NodeType.Reward, reward.id),
            name=reward.name,
            kind=reward.kind,
            points_price=SafeInt(reward.points_price),
            limit_per_member=reward.limit_per_member,
            entity=reward,
        )

    @staticmethod
    def of(listed: Listed[model.Reward]) -> "Reward":
        """The catalogue's reward as clients see it."""
        return shown(listed, Reward, Reward.from_domain)

    @strawberry.field(description="How many there are, and how many are left.")
    async def stock(self, info: Info) -> StockStatus:
        """Its stock."""
        stock = await info.context.load.reward_stocks.load(self.entity.id)
        assert stock is not None, "a reward has a stock"
        return StockStatus(total=SafeInt(stock.total), remaining=SafeInt(stock.remaining))

    @strawberry.field(
        description="The template that a reward of kind COUPON issues.",
        graphql_type=CouponTemplate | None,
        metadata=PURE,
    )
    def coupon_template(self, info: Info) -> Later[CouponTemplate | None]:
        """Its template."""
        return find_template(info.context, self.entity.template_id)


def find_reward(context: Context, reward_id: RewardId | None) -> Later[Reward | None]:
    """A reward by id."""
    if reward_id is None:
        return None
    listed = context.catalogue.rewards.get(reward_id)
    return read(context.load.rewards, reward_id, Reward.from_domain) if listed is None else Reward.of(listed)


async def load_reward(context: Context, reward_id: RewardId) -> Reward | None:
    """The same, waited for."""
    return await now(find_reward(context, reward_id))


async def rewards_page(context: Context, *, page: PageRequest) -> Connection[Reward]:
    """A page of rewards: of the catalogue, but for those who manage it and shall see at once what they wrote."""
    listed = context.catalogue.rewards_page(page=page) if context.managing_scope.is_public else None
    if listed is not None:
        return connection(listed, nodes=[Reward.of(each) for each in listed.items])
    found = await context.reads.rewards.rewards_page(page=page)
    return connection(found, nodes=[Reward.from_domain(reward) for reward in found.items])


@strawberry.type(description="Fewer are left than were asked for.")
class RewardOutOfStockProblem(Problem):
    remaining: SafeInt = strawberry.field(description="How many may still be had.")


@strawberry.type(description="The member has exchanged as many of this reward as one may.")
class ExchangeLimitReachedProblem(Problem):
    limit: int = strawberry.field(description="How many one may.")


@strawberry.input(description="A reward to put into the mall.")
class CreateRewardInput:
    name: str = strawberry.field(description="1 to 128 characters.")
    kind: RewardKind = strawberry.field(description="What it is.")
    points_price: SafeInt = strawberry.field(description="What one costs, in points; at least 1.")
    stock: SafeInt = strawberry.field(description="How many there are; at least 1.")
    limit_per_member: int | None = strawberry.field(default=None, description="How many a member may exchange.")
    coupon_template_id: strawberry.ID | None = strawberry.field(
        default=None, description="For kind COUPON, and for no other: the published template that it issues."
    )
    idempotency_key: strawberry.ID = strawberry.field(description="Made by the client before it sends.")


@strawberry.type(description="The reward is in the mall.")
class CreateRewardSuccess:
    reward: Reward = strawberry.field(description="The reward.")
    replayed: bool = strawberry.field(description="Whether this is the first answer again.")


@strawberry.input(description="Points to exchange for a reward.")
class ExchangePointsInput:
    reward_id: strawberry.ID = strawberry.field(description="The reward.")
    quantity: int | None = strawberry.field(default=1, description="How many, 1 to 100.")
    idempotency_key: strawberry.ID = strawberry.field(description="Made by the client before it sends.")


@strawberry.type(description="The points are spent and the reward is the member's.")
class ExchangePointsSuccess:
    transaction: PointsTransaction = strawberry.field(description="What was spent.")
    coupons: list[Coupon] = strawberry.field(description="The coupons that were issued; empty for other kinds.")
    account: PointsAccount = strawberry.field(description="The account after it.")
    replayed: bool = strawberry.field(description="Whether this is the first answer again.")


CreateRewardResult = Annotated[
    CreateRewardSuccess | NotFoundProblem | IdempotencyKeyReusedProblem | OperationInProgressProblem,
    strawberry.union("CreateRewardResult", description="The reward, or why not."),
]
ExchangePointsResult = Annotated[
    ExchangePointsSuccess
    | NotFoundProblem
    | InsufficientPointsProblem
    | RewardOutOfStockProblem
    | ExchangeLimitReachedProblem
    | IdempotencyKeyReusedProblem
    | OperationInProgressProblem,
    strawberry.union("ExchangePointsResult", description="What was spent and had, or why not."),
]
