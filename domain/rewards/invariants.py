"""What must always hold of rewards. How each is looked for is in `persistence.rewards.invariants`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

INVARIANTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "reward_stock_matches_exchanges": "What is gone from a reward's stock is what members exchanged of it.",
        "exchanges_are_spent": "An exchange is of an entry that spent points, and what no order spent is exchanged.",
    }
)
