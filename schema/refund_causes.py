"""Why orders are refunded or cancelled, as clients say it."""

from domain.orders.refund_model import RefundCause
from schema.enums import publish_enum

__all__ = ["RefundCause"]

publish_enum(
    RefundCause,
    "Why an order is refunded or cancelled.",
    values={
        "CUSTOMER": "The member wishes it.",
        "MERCHANT_FAULT": "The merchant cannot deliver what was bought: coupons come back with their days of grace.",
    },
)
