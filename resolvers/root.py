"""The schema: every slice's fields under three roots, each held to its rule."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from resolvers.access import guard
from resolvers.campaigns import CampaignsMutation, CampaignsQuery
from resolvers.coupons import CouponsMutation, CouponsQuery
from resolvers.distribution import DistributionMutation
from resolvers.live import LiveSubscription
from resolvers.members import MembersMutation, MembersQuery
from resolvers.merchants import MerchantsMutation, MerchantsQuery
from resolvers.nodes import NodesQuery
from resolvers.orders import OrdersMutation, OrdersQuery
from resolvers.points import PointsMutation
from resolvers.problems import refusal_handlers
from resolvers.refunds import RefundsMutation
from resolvers.reservations import ReservationsMutation
from resolvers.rewards import RewardsMutation, RewardsQuery
from resolvers.tills import TillsMutation
from resolvers.viewer import ViewerQuery
from schema.problems import Problem
from schema.scalars import SCALARS
from schema.till_problems import OfflineLimitReachedProblem, ScanTimeRefusedProblem


@strawberry.type(description="What can be read.")
class Query(
    CampaignsQuery, CouponsQuery, MembersQuery, MerchantsQuery, NodesQuery, OrdersQuery, RewardsQuery, ViewerQuery
):
    pass


@strawberry.type(
    description="What can be done. Each takes one input and answers with a union: its success, or a refusal."
)
class Mutation(
    CampaignsMutation,
    CouponsMutation,
    DistributionMutation,
    MembersMutation,
    MerchantsMutation,
    OrdersMutation,
    PointsMutation,
    RefundsMutation,
    ReservationsMutation,
    RewardsMutation,
    TillsMutation,
):
    pass


@strawberry.type(description="What is pushed while it happens: graphql-transport-ws, at the same path.")
class Subscription(LiveSubscription):
    pass


def build_schema() -> strawberry.Schema:
    """The one schema that phones, portals, tills and GraphiQL share."""
    guard(Query, name="Query")
    guard(Mutation, name="Mutation")
    _describe_inputs(Mutation)
    guard(Subscription, name="Subscription")
    return strawberry.Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[Problem, OfflineLimitReachedProblem, ScanTimeRefusedProblem],
        config=StrawberryConfig(scalar_map=SCALARS),
        exception_handlers=refusal_handlers(),
    )


def _describe_inputs(mutation: type) -> None:
    """Every mutation takes one input, which its type describes: its argument needs no words of its own."""
    for field in mutation.__strawberry_definition__.fields:  # type: ignore[attr-defined]
        for argument in field.arguments:
            argument.description = (
                argument.description or "What to do, with the idempotency key under which it is done once."
            )
