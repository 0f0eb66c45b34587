"""Conditions of use as clients write them: tiers and stores by their ids."""

from domain.coupons.reading_conditions import PLAIN_NAMES, PlainNames
from domain.members.tiers import DEFAULT_PROGRAMME, Tier
from domain.shared.ids import StoreId
from schema.node_ids import NodeType, read_node_id


class NodeNames(PlainNames):
    """A tier by its id, code or rank; a store by its id alone, as everywhere in the schema."""

    def tier(self, given: object) -> Tier | None:  # type: ignore[explicit-override]
        """The tier of an id, a code or a rank."""
        ref = read_node_id(given) if isinstance(given, str) else None
        if ref is None or ref.type is not NodeType.Tier:
            return PLAIN_NAMES.tier(given)
        return next((tier for tier in DEFAULT_PROGRAMME.tiers if tier.id == ref.id), None)

    def store(self, given: object) -> StoreId | None:  # type: ignore[explicit-override]
        """The store of an id."""
        ref = read_node_id(given) if isinstance(given, str) else None
        return None if ref is None or ref.type is not NodeType.Store else StoreId(ref.id)


NODE_NAMES = NodeNames()
