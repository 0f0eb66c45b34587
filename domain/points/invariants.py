"""What must always hold of points. How each is looked for is in `persistence.points.invariants`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

INVARIANTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "postings_sum_to_zero": "The postings of an entry sum to zero: points are moved, never made or lost.",
        "accounts_are_sums_of_postings": "An account's balances are the sums of its postings.",
        "lots_mirror_what_is_available": "What is left of a member's lots is what is available.",
        "draws_explain_lots": "What a lot has lost is what entries drew from it.",
        "entries_say_their_effect": "An entry's delta is what it posts to AVAILABLE.",
        "points_streams_have_no_gap": "A member's points events are numbered from 1 to the sequence of their stream.",
    }
)
