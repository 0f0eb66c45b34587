"""node(id:) and nodes(ids:): every type that has a global id, found by it."""

from asyncio import gather
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Final

import strawberry

from domain.shared.errors import BadUserInput, CallerError
from domain.shared.ids import CampaignId, EntryId, LotId, MemberId, MerchantId, RewardId, StoreId, TemplateId
from resolvers.access import NODES
from resolvers.context import Info
from resolvers.coupons import coupon_by_ref
from resolvers.members import member_by_id, tier_by_id
from resolvers.orders import redemption_by_ref
from resolvers.points import account_by_id, lot_by_id, transaction_by_id
from resolvers.reservations import reservation_by_ref
from schema.campaigns import load_campaign
from schema.coupon_templates import load_template
from schema.merchants import load_merchant, load_store
from schema.node_ids import NodeRef, NodeType, read_node_id
from schema.nodes import Node
from schema.paging import PAGE_SIZE_MAX
from schema.rewards import load_reward

Find = Callable[[Info, NodeRef], Awaitable[Node | None]]

FINDERS: Final[Mapping[NodeType, Find]] = {
    NodeType.Merchant: lambda info, ref: load_merchant(info.context, MerchantId(ref.id)),
    NodeType.Store: lambda info, ref: load_store(info.context, StoreId(ref.id)),
    NodeType.Campaign: lambda info, ref: load_campaign(info.context, CampaignId(ref.id)),
    NodeType.PointsAccount: lambda info, ref: account_by_id(info, MemberId(ref.id)),
    NodeType.PointsLot: lambda info, ref: lot_by_id(info, ref.owner, LotId(ref.id)),
    NodeType.PointsTransaction: lambda info, ref: transaction_by_id(info, ref.owner, EntryId(ref.id)),
    NodeType.Reward: lambda info, ref: load_reward(info.context, RewardId(ref.id)),
    NodeType.Tier: lambda info, ref: tier_by_id(info, ref.id),
    NodeType.CouponTemplate: lambda info, ref: load_template(info.context, TemplateId(ref.id)),
    NodeType.Coupon: coupon_by_ref,
    NodeType.Redemption: redemption_by_ref,
    NodeType.Reservation: reservation_by_ref,
    NodeType.Member: lambda info, ref: member_by_id(info, MemberId(ref.id)),
}


@strawberry.type
class NodesQuery:
    @strawberry.field(
        description="Anything by its global id; null when there is none, or none that the viewer may see."
    )
    async def node(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="A global id.")]
    ) -> Node | None:
        """One node."""
        return await find_node(info, id)

    @strawberry.field(description="Several things by their global ids, in the order asked.")
    async def nodes(
        self,
        info: Info,
        ids: Annotated[list[strawberry.ID], strawberry.argument(description=f"Global ids, at most {PAGE_SIZE_MAX}.")],
    ) -> list[Node | None]:
        """Several nodes."""
        if len(ids) > PAGE_SIZE_MAX:
            raise BadUserInput(f"ids must be at most {PAGE_SIZE_MAX}, not {len(ids)}", path=["ids"])
        return list(await gather(*(find_node(info, id_) for id_ in ids)))


async def find_node(info: Info, id_: str) -> Node | None:
    """The node, or None: an unknown id, somebody else's thing and a type beyond the caller's reach look alike."""
    ref = read_node_id(id_)
    if ref is None or ref.type not in FINDERS:
        return None
    try:
        NODES[ref.type].check(info.context.principal)
    except CallerError:
        return None
    return await FINDERS[ref.type](info, ref)
