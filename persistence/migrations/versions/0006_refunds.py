"""Refunds by line and unit: what went back, to whom, and what became due; with the rule of each coupon as it was."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Forward."""
    op.add_column("orders", _whole("refunded_minor", default=True))
    op.add_column("order_lines", _whole("refunded_quantity", default=True))
    op.add_column(
        "redemptions", sa.Column("refund_policy", sa.Text(), server_default="KEEP_ALLOCATION", nullable=False)
    )
    op.add_column("redemptions", _whole("refunded_minor", default=True))
    # A template never changes once it is published: what it says now is what it said when the coupon was used.
    op.execute(
        "UPDATE redemptions SET refund_policy = t.refund_policy FROM coupon_templates t"
        " WHERE t.id = redemptions.template_id AND t.refund_policy <> redemptions.refund_policy"
    )
    op.execute("UPDATE redemptions SET refunded_minor = discount_minor WHERE reversed_at IS NOT NULL")
    op.create_table(
        "refunds",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        _whole("amount_minor"),
        _whole("points_returned"),
        _whole("points_clawed_back"),
        sa.Column("refunded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "amount_minor >= 0 AND points_returned >= 0 AND points_clawed_back >= 0",
            name=op.f("refunds_never_negative_check"),
        ),
        sa.PrimaryKeyConstraint("member_id", "id", name=op.f("refunds_pkey")),
        sa.UniqueConstraint("member_id", "order_id", "ordinal", name=op.f("refunds_member_id_order_id_ordinal_key")),
    )
    op.create_table(
        "refund_lines",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("refund_id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        _whole("quantity"),
        _whole("amount_minor"),
        sa.PrimaryKeyConstraint("member_id", "refund_id", "line_id", name=op.f("refund_lines_pkey")),
    )
    op.create_index("refund_lines_by_order_idx", "refund_lines", ["member_id", "order_id"], unique=False)
    op.create_table(
        "refund_discounts",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("refund_id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Text(), nullable=False),
        sa.Column("bearer", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("redemption_id", sa.Uuid(), nullable=True),
        _whole("amount_minor"),
        sa.Column("shares", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("refund_discounts_something_check")),
        sa.PrimaryKeyConstraint("member_id", "refund_id", "line_id", "bearer", name=op.f("refund_discounts_pkey")),
    )
    op.create_index("refund_discounts_by_order_idx", "refund_discounts", ["member_id", "order_id"], unique=False)
    op.create_table(
        "receivables",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("refund_id", sa.Uuid(), nullable=False),
        sa.Column("redemption_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        _whole("amount_minor"),
        sa.PrimaryKeyConstraint("member_id", "refund_id", "redemption_id", name=op.f("receivables_pkey")),
    )
    op.create_index("receivables_by_order_idx", "receivables", ["member_id", "order_id"], unique=False)


def downgrade() -> None:
    """Back."""
    op.drop_table("receivables")
    op.drop_table("refund_discounts")
    op.drop_table("refund_lines")
    op.drop_table("refunds")
    op.drop_column("redemptions", "refunded_minor")
    op.drop_column("redemptions", "refund_policy")
    op.drop_column("order_lines", "refunded_quantity")
    op.drop_column("orders", "refunded_minor")


def _whole(name: str, *, default: bool = False) -> sa.Column[int]:
    return sa.Column(
        name, sa.BigInteger(), autoincrement=False, server_default="0" if default else None, nullable=False
    )
