"""Every table, in one place for migrations and the tests that compare the two."""

from persistence import batches, documents, events, idempotency, orders
from persistence.base import metadata
from persistence.campaigns import tables as campaigns
from persistence.catalogue import tables as catalogue
from persistence.coupons import distribution_tables
from persistence.coupons import tables as coupons
from persistence.members import tables as members
from persistence.merchants import tables as merchants
from persistence.orders import refund_tables
from persistence.points import tables as points
from persistence.rewards import tables as rewards

__all__ = [
    "batches",
    "campaigns",
    "catalogue",
    "coupons",
    "distribution_tables",
    "documents",
    "events",
    "idempotency",
    "members",
    "merchants",
    "metadata",
    "orders",
    "points",
    "refund_tables",
    "rewards",
]
