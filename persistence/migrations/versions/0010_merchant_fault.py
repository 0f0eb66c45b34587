"""Days of grace for coupons that come back by the merchant's fault, and why orders were refunded."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

DAYS = "merchant_fault_grace_days"


def upgrade() -> None:
    """Forward."""
    op.add_column("coupon_templates", sa.Column(DAYS, sa.Integer(), server_default="0", nullable=False))
    op.add_column("redemptions", sa.Column(DAYS, sa.Integer(), server_default="0", nullable=False))
    op.add_column("refunds", sa.Column("cause", sa.Text(), server_default="CUSTOMER", nullable=False))


def downgrade() -> None:
    """Back; coupons keep the validity that they have."""
    op.drop_column("refunds", "cause")
    op.drop_column("redemptions", DAYS)
    op.drop_column("coupon_templates", DAYS)
