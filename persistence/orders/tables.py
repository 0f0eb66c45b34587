"""Tables of orders: what was bought, what it cost, what it earned. Refs are the caller's, unique in their source."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from persistence.base import metadata
from persistence.columns import document, instant, key, one_of, small, text, uuid, whole

orders = sa.Table(
    "orders",
    metadata,
    key("member_id"),
    key("id"),
    # The merchant whose till wrote it, or the nil UUID for the order system: two tills may both have an order 1001.
    uuid("source_id"),
    text("order_ref"),
    text("state"),
    uuid("store_id", null=True),
    text("currency"),
    whole("subtotal_minor"),
    whole("discount_minor"),
    whole("shipping_minor"),
    whole("paid_minor"),
    whole("points_pending"),
    whole("points_earned"),
    # The quote as it was answered, so that a replay gives the first answer.
    document("quote", null=True),
    instant("paid_at"),
    instant("received_at", null=True),
    instant("cancelled_at", null=True),
    # What of it was paid with points, and how many they were.
    sa.Column("points_used", sa.BigInteger, autoincrement=False, server_default="0", nullable=False),
    sa.Column("points_minor", sa.BigInteger, autoincrement=False, server_default="0", nullable=False),
    # What a refund must know of the payment besides the quote; null on orders that were brought in from elsewhere.
    document("terms", null=True),
    sa.Column("refunded_minor", sa.BigInteger, autoincrement=False, server_default="0", nullable=False),
    one_of("state", ("PAID", "RECEIVED", "CANCELLED")),
    info={"owner": "member", "member": "member_id"},
)
sa.Index("orders_by_member_idx", orders.c.member_id, orders.c.paid_at.desc())

order_lines = sa.Table(
    "order_lines",
    metadata,
    key("member_id"),
    key("order_id"),
    small("position"),
    text("line_id", primary=True),
    text("product_ref"),
    uuid("merchant_id"),
    sa.Column("category_refs", pg.ARRAY(sa.Text), nullable=False),
    whole("quantity"),
    whole("unit_price_minor"),
    whole("subtotal_minor"),
    whole("discount_minor"),
    whole("payable_minor"),
    sa.Column("points_minor", sa.BigInteger, autoincrement=False, server_default="0", nullable=False),
    sa.Column("refunded_quantity", sa.BigInteger, autoincrement=False, server_default="0", nullable=False),
    info={"owner": "member", "member": "member_id"},
)

# Finds an order by what its caller calls it, without asking every member's partition; also what makes the ref unique.
order_directory = sa.Table(
    "order_directory",
    metadata,
    key("source_id"),
    text("order_ref", primary=True),
    uuid("member_id"),
    uuid("order_id"),
    info={"owner": "system"},
)
