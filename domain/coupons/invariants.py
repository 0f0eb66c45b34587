"""What must always hold of coupons, recomputed from the rows."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Violation:
    """One row that breaks an invariant: which invariant, and what was found."""

    name: str
    detail: str


INVARIANTS = {
    "stock_matches_coupons": "What is gone from a template's stock, total less remaining, is what members got of it.",
    "ordinals_have_no_gap": "A member's coupons of a template are numbered 1, 2, 3 … without a gap.",
    "ordinals_within_limit": "No member has more coupons of a template than its limit.",
    "day_limits_kept": "No member claimed more coupons of a template on one day than its limit by the day.",
    "only_published_are_claimed": "Nobody holds a coupon of a draft.",
    "terms_are_those_of_the_template": "A coupon's kind and terms are those that its template was published with.",
    "last_event_says_the_state": "The last event of a coupon says the state that it is in.",
    "streams_have_no_gap": "A wallet's events are numbered from 1 to the stream's sequence without a gap.",
}


class CouponInvariants(Protocol):
    """Looks for rows that break an invariant."""

    async def violations(self, *, limit: int) -> list[Violation]:
        """At most so many violations of each invariant."""
        ...
