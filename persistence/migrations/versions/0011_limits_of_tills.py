"""What a till of a store may redeem without a network on one day, within what its store may."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

PER_TILL = ("max_count_per_till", "max_minor_per_till")


def upgrade() -> None:
    """Forward. What was accepted before is of tills that said nothing of themselves."""
    op.create_table(
        "offline_till_days",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("store_id", sa.Uuid(), nullable=False),
        sa.Column("till_id", sa.Text(), nullable=False),
        sa.Column("on_date", sa.Date(), nullable=False),
        sa.Column("accepted_count", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("accepted_minor", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.CheckConstraint(
            "accepted_count >= 0 AND accepted_minor >= 0", name=op.f("offline_till_days_not_negative_check")
        ),
        sa.PrimaryKeyConstraint("merchant_id", "store_id", "till_id", "on_date", name=op.f("offline_till_days_pkey")),
    )
    op.execute(
        "INSERT INTO offline_till_days"
        " SELECT merchant_id, store_id, '', on_date, accepted_count, accepted_minor FROM offline_days"
    )
    op.add_column("redemption_token_uses", sa.Column("offline_till", sa.Text(), nullable=True))
    for name in PER_TILL:
        op.add_column("offline_limits", sa.Column(name, sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Back; the limits of stores hold on."""
    for name in reversed(PER_TILL):
        op.drop_column("offline_limits", name)
    op.drop_column("redemption_token_uses", "offline_till")
    op.drop_table("offline_till_days")
