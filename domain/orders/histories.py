"""What happened must explain what is stored; `persistence.orders.history_invariants` looks for each by its name.

These are of no slice alone: they hold events, receipts, coupons, redemptions, orders and points against each other.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

HISTORIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "moves_are_legal": "By its events a coupon is claimed once and first, and makes no other than the legal moves.",
        "every_event_has_its_place": "Every stream's events are numbered from 1, and none is without a stream.",
        "uses_are_told": "A wallet's events tell of each use of a coupon at its instant, and of no other.",
        "merchants_are_told_of_redemptions": "A merchant's events tell of each redemption and reversal, and no others.",
        "redemptions_fit_their_coupons": "A redemption is as its coupon, its template, its order and its store say.",
        "allocations_sum_to_redemptions": "What an order's lines and shipping bear of a coupon is its redemption's.",
        "allocations_sum_to_lines": "The discount of a line is what its quote allocated to it.",
        "orders_say_when": "An order is in the state that its instants say: paid, received or cancelled.",
        "receipts_name_coupons": "A coupon that was acknowledged as claimed, exchanged, issued or redeemed is there.",
        "coupon_codes_are_unique": "No two coupons have the same code.",
        "balances_follow_entries": "The balance after each movement of points is the sum of all movements up to it.",
        "check_ins_follow_days": "The day of a streak follows the day before, and each check-in earned its points.",
        "pending_is_of_orders": "An account's pending points are those that its orders wait for.",
    }
)
