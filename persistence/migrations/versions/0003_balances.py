"""Coupons that keep a balance, and orders that are paid with points too."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Not concurrently: that waits for every older snapshot, which is also that of a process that waits for its turn to
# migrate. Writers of redemptions wait while one index is built.
_ONCE = """
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX redemptions_once_idx ON redemptions (member_id, coupon_id)
WHERE reversed_at IS NULL AND NOT from_balance
"""


def upgrade() -> None:
    """Forward."""
    op.add_column("coupons", sa.Column("balance_minor", sa.BigInteger(), autoincrement=False, nullable=True))
    op.add_column("redemptions", sa.Column("from_balance", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute(_ONCE)
    op.execute("-- squawk-ignore require-concurrent-index-deletion\nDROP INDEX redemptions_live_idx")
    for table, column in (("orders", "points_used"), ("orders", "points_minor"), ("order_lines", "points_minor")):
        op.add_column(table, _whole(column))


def downgrade() -> None:
    """Back; refused by the index where a coupon was used for several orders."""
    for table, column in (("order_lines", "points_minor"), ("orders", "points_minor"), ("orders", "points_used")):
        op.drop_column(table, column)
    op.create_index(
        "redemptions_live_idx",
        "redemptions",
        ["member_id", "coupon_id"],
        unique=True,
        postgresql_where=sa.text("reversed_at IS NULL"),
    )
    op.drop_index("redemptions_once_idx", table_name="redemptions")
    op.drop_column("redemptions", "from_balance")
    op.drop_column("coupons", "balance_minor")


def _whole(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, server_default="0", nullable=False)
