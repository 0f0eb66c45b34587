"""What must always hold of orders. How each is looked for: `persistence.orders.invariants`, under the same name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

INVARIANTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "lines_sum_to_order": "The subtotal, discount and points of an order are those of its lines and its shipping.",
        "orders_add_up": "What was paid for an order is its subtotal and shipping less discount and points.",
        "redemptions_sum_to_order": "The discount of an order is its redemptions'; cancelled, they are reversed.",
        "shares_sum_to_discount": "What the funders bear of a redemption is its discount.",
        "redeemed_once_each": "A coupon is redeemed exactly while it has one redemption that was not reversed.",
        "balances_match_redemptions": "What is gone from a balance its redemptions took; other kinds have no balance.",
        "budgets_match_redemptions": "What a budget has spent is the sum of its redemptions that were not reversed.",
        "budgets_match_reservations": "What a budget holds is the sum of what reservations hold of it.",
        "budgets_within_limit": "What a budget has left, promised and spent is its limit, all told and by funder.",
        "cuts_are_of_partial_budgets": "A coupon takes off less than it would only of a budget that is used so.",
        "remainders_are_published": "A template says of a remainder of its campaign's budget what the campaign says.",
        "reserved_is_held": "A coupon is reserved exactly while one reservation holds it, and says which and how long.",
        "holds_end_together": "A reservation holds all of its coupons while it is held, and none afterwards.",
        "reservations_hold_as_quoted": "A reservation holds what its quote says: coupons, discounts, who bears them.",
        "reservations_fit_their_orders": "A reservation that was paid is an order of its name, store and price.",
        "points_spent_are_owned": "Points spent and not returned are those that orders were paid with or hold.",
        "tokens_used_by_redemptions": "A token that was used was used by the order of a redemption of its coupon.",
        "offline_days_match_tokens": "What was accepted of a store's day is the sum of the tokens handed in for it.",
        "offline_tills_match_tokens": "… and so is what was accepted of each of its tills.",
        "batches_keep_their_rows": "A batch has an outcome for each row that is done, until its receipt has them.",
        "pending_matches_orders": "The points that an order waits for are those that it has promised.",
        "refunds_sum_to_order": "What was refunded of an order is the sum of its refunds, no more than was paid.",
        "refund_lines_sum_to_refund": "What a refund pays back is the sum over its lines and the shipping fee.",
        "refunded_units_sum_to_line": "The returned units of a line are those of its refunds; all returned, all is.",
        "taken_back_sums_to_redemption": "What refunds took back of a discount is its own; all of it reverses it.",
        "taken_back_is_borne_as_it_was": "Of a discount that was taken back each funder has its own share back.",
        "taken_back_is_shared_out": "What a refund takes back of a discount is shared out over who bore it.",
        "taken_back_within_allocation": "No refund takes more of a discount back from a line than it was given there.",
        "receivables_within_discount": "What is due of a discount is no more than what is left of it.",
        "points_of_refunds_match": "The points of a refunded order are those promised less those taken back.",
        "directory_names_each_order": "Every order is found by its reference, and every reference names an order.",
    }
)
