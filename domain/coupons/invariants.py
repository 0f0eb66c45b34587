"""What must always hold of coupons; `persistence.coupons.invariants` looks for each under the same name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

INVARIANTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "stock_matches_coupons": "What is gone from a template's stock (total less remaining) is what members got.",
        "ordinals_have_no_gap": "A member's coupons of a template are numbered 1, 2, 3 … without a gap.",
        "limits_per_member_kept": "No member has more coupons of a template than its limit.",
        "limits_per_day_kept": "No member claimed more coupons of a template on one day than its limit by the day.",
        "only_published_are_held": "Nobody holds a coupon of a draft.",
        "terms_are_those_published": "A coupon's kind and terms are those that its template was published with.",
        "last_event_says_the_state": "The last event of a coupon leads to the state that it is in.",
        "wallets_have_no_gap": "A wallet's events are numbered from 1 to the sequence of its stream.",
    }
)
