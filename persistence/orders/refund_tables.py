"""Tables of refunds: append-only. What is left of an order is what it was less the sum of its refunds.

A `line_id` is that of the order's line; the shipping fee goes by the empty one, which no line can have.
"""

import sqlalchemy as sa

from persistence.base import metadata
from persistence.columns import document, instant, key, small, text, uuid, whole

refunds = sa.Table(
    "refunds",
    metadata,
    key("member_id"),
    key("id"),
    uuid("order_id"),
    # Counts the refunds of the order from 1.
    small("ordinal"),
    whole("amount_minor"),
    whole("points_returned"),
    whole("points_clawed_back"),
    instant("refunded_at"),
    sa.Column("cause", sa.Text, server_default="CUSTOMER", nullable=False),
    sa.UniqueConstraint("member_id", "order_id", "ordinal"),
    sa.CheckConstraint("amount_minor >= 0 AND points_returned >= 0 AND points_clawed_back >= 0", name="never_negative"),
    info={"owner": "member", "member": "member_id"},
)

# A line of which no unit is returned may have a negative amount: what stays now costs more.
refund_lines = sa.Table(
    "refund_lines",
    metadata,
    key("member_id"),
    key("refund_id"),
    text("line_id", primary=True),
    uuid("order_id"),
    whole("quantity"),
    whole("amount_minor"),
    info={"owner": "member", "member": "member_id"},
)
sa.Index("refund_lines_by_order_idx", refund_lines.c.member_id, refund_lines.c.order_id)

# What a refund takes back of a discount, by line and bearer: a coupon's id, or a word for what is no coupon's.
refund_discounts = sa.Table(
    "refund_discounts",
    metadata,
    key("member_id"),
    key("refund_id"),
    text("line_id", primary=True),
    text("bearer", primary=True),
    uuid("order_id"),
    uuid("redemption_id", null=True),
    whole("amount_minor"),
    # By funder; empty where it is no coupon's.
    document("shares"),
    sa.CheckConstraint("amount_minor > 0", name="something"),
    info={"owner": "member", "member": "member_id"},
)
sa.Index("refund_discounts_by_order_idx", refund_discounts.c.member_id, refund_discounts.c.order_id)

# What became due by a refund (RefundPolicy CLAWBACK); negative where a later refund made an earlier one needless.
receivables = sa.Table(
    "receivables",
    metadata,
    key("member_id"),
    key("refund_id"),
    key("redemption_id"),
    uuid("order_id"),
    whole("amount_minor"),
    info={"owner": "member", "member": "member_id"},
)
sa.Index("receivables_by_order_idx", receivables.c.member_id, receivables.c.order_id)
