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
    sa.Column("at_member_price", sa.Boolean, server_default=sa.false(), nullable=False),
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

reservations = sa.Table(
    "reservations",
    metadata,
    key("member_id"),
    key("id"),
    text("order_ref"),
    text("state"),
    text("currency"),
    whole("shipping_minor"),
    whole("points"),
    # What was reserved for which price: paid late or in time, the order costs this.
    document("cart"),
    document("quote"),
    instant("reserved_at"),
    instant("expires_at"),
    instant("ended_at", null=True),
    uuid("order_id", null=True),
    sa.Column("late_capture", sa.Boolean, server_default=sa.false(), nullable=False),
    one_of("state", ("HELD", "RELEASED", "EXPIRED", "REDEEMED")),
    sa.CheckConstraint("(state = 'HELD') = (ended_at IS NULL)", name="held_or_ended"),
    sa.CheckConstraint("points >= 0", name="points_not_negative"),
    info={"owner": "member", "member": "member_id"},
)
_HELD = reservations.c.state == "HELD"
# An order holds once: reserving for it again replaces what it held.
sa.Index(
    "reservations_of_order_idx", reservations.c.member_id, reservations.c.order_ref, unique=True, postgresql_where=_HELD
)
sa.Index("reservations_to_expire_idx", reservations.c.expires_at, postgresql_where=_HELD)

reserved_coupons = sa.Table(
    "reserved_coupons",
    metadata,
    key("member_id"),
    key("reservation_id"),
    key("coupon_id"),
    uuid("campaign_id", null=True),
    # What its campaign's budget holds for it, and who would bear that.
    whole("discount_minor"),
    document("shares"),
    sa.Column("held", sa.Boolean, nullable=False),
    info={"owner": "member", "member": "member_id"},
)
# A coupon is held once: whatever the code does, a second hold of it cannot be stored.
sa.Index(
    "reserved_coupons_once_idx",
    reserved_coupons.c.member_id,
    reserved_coupons.c.coupon_id,
    unique=True,
    postgresql_where=reserved_coupons.c.held,
)
sa.Index("reserved_coupons_by_campaign_idx", reserved_coupons.c.campaign_id, postgresql_where=reserved_coupons.c.held)
