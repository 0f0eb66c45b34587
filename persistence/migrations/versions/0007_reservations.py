"""Reservations of coupons and points; budgets in sub-accounts by funder, so that a busy one does not make all wait."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SHARDS = 8


def upgrade() -> None:
    """Forward."""
    op.add_column("coupons", sa.Column("reservation_id", sa.Uuid(), nullable=True))
    op.add_column("coupons", sa.Column("reserved_until", sa.DateTime(timezone=True), nullable=True))
    _reservations()
    _budgets()


def _reservations() -> None:
    op.create_table(
        "reservations",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_ref", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        _whole("shipping_minor"),
        _whole("points"),
        sa.Column("cart", postgresql.JSONB(), nullable=False),
        sa.Column("quote", postgresql.JSONB(), nullable=False),
        sa.Column("reserved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("late_capture", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.CheckConstraint(
            "state IN ('HELD', 'RELEASED', 'EXPIRED', 'REDEEMED')", name=op.f("reservations_state_known_check")
        ),
        sa.CheckConstraint("(state = 'HELD') = (ended_at IS NULL)", name=op.f("reservations_held_or_ended_check")),
        sa.CheckConstraint("points >= 0", name=op.f("reservations_points_not_negative_check")),
        sa.PrimaryKeyConstraint("member_id", "id", name=op.f("reservations_pkey")),
    )
    held = sa.text("state = 'HELD'")
    op.create_index(
        "reservations_of_order_idx", "reservations", ["member_id", "order_ref"], unique=True, postgresql_where=held
    )
    op.create_index("reservations_to_expire_idx", "reservations", ["expires_at"], unique=False, postgresql_where=held)
    op.create_table(
        "reserved_coupons",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("reservation_id", sa.Uuid(), nullable=False),
        sa.Column("coupon_id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=True),
        _whole("discount_minor"),
        sa.Column("shares", postgresql.JSONB(), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("member_id", "reservation_id", "coupon_id", name=op.f("reserved_coupons_pkey")),
    )
    held = sa.text("held")
    op.create_index(
        "reserved_coupons_once_idx", "reserved_coupons", ["member_id", "coupon_id"], unique=True, postgresql_where=held
    )
    op.create_index(
        "reserved_coupons_by_campaign_idx", "reserved_coupons", ["campaign_id"], unique=False, postgresql_where=held
    )


def _budgets() -> None:
    op.add_column("campaigns", sa.Column("funder_budgets", postgresql.JSONB(), nullable=True))
    op.create_table(
        "budget_accounts",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("funder", sa.Text(), nullable=False),
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=True),
        _whole("free_minor"),
        _whole("reserved_minor"),
        _whole("redeemed_minor"),
        sa.CheckConstraint("free_minor >= 0", name=op.f("budget_accounts_floor_check")),
        sa.CheckConstraint(
            "funder IN ('ALL', 'PLATFORM', 'MERCHANT')", name=op.f("budget_accounts_funder_known_check")
        ),
        sa.PrimaryKeyConstraint("campaign_id", "funder", "shard", name=op.f("budget_accounts_pkey")),
    )
    # What is left is dealt out evenly; what was held and spent stands on the first.
    op.execute(
        "INSERT INTO budget_accounts SELECT b.campaign_id, 'ALL', s, b.merchant_id,"
        f" (f.left_minor / {SHARDS}) + CASE WHEN s < f.left_minor % {SHARDS} THEN 1 ELSE 0 END,"
        " CASE WHEN s = 0 THEN b.reserved_minor ELSE 0 END, CASE WHEN s = 0 THEN b.redeemed_minor ELSE 0 END"
        " FROM campaign_budgets b JOIN campaigns c ON c.id = b.campaign_id"
        " CROSS JOIN LATERAL (SELECT greatest(0, c.budget_minor - b.reserved_minor - b.redeemed_minor)) f(left_minor)"
        f" CROSS JOIN generate_series(0, {SHARDS - 1}) s"  # noqa: S608 - numbers of ours
    )
    op.execute("-- squawk-ignore ban-drop-table\nDROP TABLE campaign_budgets")


def downgrade() -> None:
    """Back; limits by funder are lost."""
    op.create_table(
        "campaign_budgets",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=True),
        _whole("reserved_minor"),
        _whole("redeemed_minor"),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f("campaign_budgets_pkey")),
    )
    op.execute(
        "INSERT INTO campaign_budgets SELECT campaign_id, merchant_id, sum(reserved_minor), sum(redeemed_minor)"
        " FROM budget_accounts WHERE funder = 'ALL' GROUP BY campaign_id, merchant_id"
    )
    op.drop_table("budget_accounts")
    op.drop_column("campaigns", "funder_budgets")
    op.drop_table("reserved_coupons")
    op.drop_table("reservations")
    op.drop_column("coupons", "reserved_until")
    op.drop_column("coupons", "reservation_id")


def _whole(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)
