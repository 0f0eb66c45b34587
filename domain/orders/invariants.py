"""What must always hold of orders. How each is looked for: `persistence.orders.invariants`, under the same name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

INVARIANTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "lines_sum_to_order": "The subtotal and the discount of an order are those of its lines and its shipping.",
        "orders_add_up": "What was paid for an order is its subtotal and shipping less its discount.",
        "redemptions_sum_to_order": "The discount of an order is that of its redemptions, which are reversed with it.",
        "shares_sum_to_discount": "What the funders bear of a redemption is its discount.",
        "redeemed_once_each": "A coupon is redeemed exactly while it has one redemption that was not reversed.",
        "balances_match_redemptions": "What is gone from a balance its redemptions took; an empty one is redeemed.",
        "budgets_match_redemptions": "What a budget has spent is the sum of its redemptions that were not reversed.",
        "budgets_match_reservations": "What a budget holds is the sum of what reservations hold of it.",
        "budgets_within_limit": "What a budget has left, promised and spent is its limit, all told and by funder.",
        "reserved_is_held": "A coupon is reserved exactly while one reservation holds it, and says which.",
        "holds_end_together": "A reservation holds all of its coupons while it is held, and none afterwards.",
        "pending_matches_orders": "The points that an order waits for are those that it has promised.",
        "directory_names_each_order": "Every order is found by its reference, and every reference names an order.",
    }
)
