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
        "limits_per_week_kept": "… nor in one week of the programme than its limit by the week.",
        "limits_per_month_kept": "… nor in one month than its limit by the month.",
        "limits_per_campaign_kept": "No member has more of all coupons of a campaign than the campaign's limit.",
        "limits_per_store_kept": "No more coupons of a template are used in one store than its limit by the store.",
        "issues_answer_every_row": "Every row of an issued batch that is done has one answer, and no other has one.",
        "codes_count_their_uses": "A code was used as often as members have used it.",
        "only_published_are_held": "Nobody holds a coupon of a draft.",
        "terms_are_those_published": "A coupon's kind, terms and merchant are those that its template has.",
        "validity_is_the_templates": "A coupon is valid as its template says, or until the grace of a return is over.",
        "claims_are_told": "A coupon was claimed at the instant of its first event, on that day of the programme.",
        "last_event_says_the_state": "A coupon is in the state that its last event leads to; no event is of no coupon.",
        "wallets_have_no_gap": "A wallet's events are numbered from 1 to the sequence of its stream.",
    }
)
