"""Members' tags; redemption tokens that were used, and what a store without a network may redeem on a day."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "member_tags",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("member_id", "tag", name=op.f("member_tags_pkey")),
    )
    op.create_table(
        "redemption_token_uses",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("coupon_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("scanned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("offline_store_id", sa.Uuid(), nullable=True),
        sa.Column("offline_on", sa.Date(), nullable=True),
        sa.Column("offline_minor", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.CheckConstraint(
            "(scanned_at IS NULL) = (offline_store_id IS NULL) AND (scanned_at IS NULL) = (offline_on IS NULL)"
            " AND (scanned_at IS NULL) = (offline_minor IS NULL)",
            name=op.f("redemption_token_uses_offline_or_not_check"),
        ),
        sa.PrimaryKeyConstraint("member_id", "token_hash", name=op.f("redemption_token_uses_pkey")),
    )
    op.create_index(
        "redemption_token_uses_offline_idx",
        "redemption_token_uses",
        ["offline_store_id", "offline_on"],
        unique=False,
        postgresql_where=sa.text("offline_store_id IS NOT NULL"),
    )
    op.create_table(
        "offline_limits",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("store_id", sa.Uuid(), nullable=False),
        sa.Column("max_count", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("max_minor", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("max_count >= 0 AND max_minor >= 0", name=op.f("offline_limits_not_negative_check")),
        sa.PrimaryKeyConstraint("merchant_id", "store_id", name=op.f("offline_limits_pkey")),
    )
    op.create_table(
        "offline_days",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("store_id", sa.Uuid(), nullable=False),
        sa.Column("on_date", sa.Date(), nullable=False),
        sa.Column("accepted_count", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("accepted_minor", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.CheckConstraint("accepted_count >= 0 AND accepted_minor >= 0", name=op.f("offline_days_not_negative_check")),
        sa.PrimaryKeyConstraint("merchant_id", "store_id", "on_date", name=op.f("offline_days_pkey")),
    )


def downgrade() -> None:
    """Back."""
    op.drop_table("offline_days")
    op.drop_table("offline_limits")
    op.drop_index("redemption_token_uses_offline_idx", table_name="redemption_token_uses")
    op.drop_table("redemption_token_uses")
    op.drop_table("member_tags")
