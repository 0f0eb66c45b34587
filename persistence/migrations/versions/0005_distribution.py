"""More limits of templates and campaigns; coupons issued in batches; codes that members redeem for coupons."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LIMITS = (
    "limit_per_member_per_week",
    "limit_per_member_per_month",
    "limit_per_member_in_campaign",
    "limit_per_store",
)
# Not concurrently, as in 0003.
_BY_STORE = """
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX redemptions_by_store_idx ON redemptions (store_id, template_id) WHERE store_id IS NOT NULL
"""


def upgrade() -> None:
    """Forward."""
    for limit in LIMITS:
        op.add_column("coupon_templates", sa.Column(limit, sa.Integer(), nullable=True))
    op.add_column("coupon_templates", sa.Column("self_claim", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("campaigns", sa.Column("limit_per_member", sa.Integer(), nullable=True))
    op.execute(_BY_STORE)
    op.create_table(
        "issues",
        sa.Column("caller_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("input_hash", sa.LargeBinary(), nullable=False),
        sa.Column("template_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        _whole("total"),
        _whole("done"),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("done >= 0 AND done <= total", name=op.f("issues_done_within_total_check")),
        sa.PrimaryKeyConstraint("caller_id", "key", name=op.f("issues_pkey")),
    )
    op.create_table(
        "issue_outcomes",
        sa.Column("caller_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("place", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("recipient_id", sa.Uuid(), nullable=False),
        sa.Column("coupon_id", sa.Uuid(), nullable=True),
        sa.Column("problem", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.CheckConstraint("(coupon_id IS NULL) <> (problem IS NULL)", name=op.f("issue_outcomes_one_or_other_check")),
        sa.PrimaryKeyConstraint("caller_id", "key", "place", name=op.f("issue_outcomes_pkey")),
    )
    _codes()


def _codes() -> None:
    op.create_table(
        "coupon_codes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("printed", sa.Text(), nullable=False),
        sa.Column("template_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=True),
        _whole("uses_limit"),
        _whole("uses"),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("uses >= 0 AND uses <= uses_limit", name=op.f("coupon_codes_uses_within_limit_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("coupon_codes_pkey")),
        sa.UniqueConstraint("code", name=op.f("coupon_codes_code_key")),
    )
    op.create_index("coupon_codes_by_template_idx", "coupon_codes", ["template_id", "id"], unique=False)
    op.create_table(
        "coupon_code_uses",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("code_id", sa.Uuid(), nullable=False),
        sa.Column("coupon_id", sa.Uuid(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("member_id", "code_id", name=op.f("coupon_code_uses_pkey")),
    )
    op.create_table(
        "code_attempts",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        _whole("failed"),
        sa.PrimaryKeyConstraint("member_id", name=op.f("code_attempts_pkey")),
    )


def downgrade() -> None:
    """Back."""
    op.drop_table("code_attempts")
    op.drop_table("coupon_code_uses")
    op.drop_index("coupon_codes_by_template_idx", table_name="coupon_codes")
    op.drop_table("coupon_codes")
    op.drop_table("issue_outcomes")
    op.drop_table("issues")
    op.drop_index("redemptions_by_store_idx", table_name="redemptions")
    op.drop_column("campaigns", "limit_per_member")
    op.drop_column("coupon_templates", "self_claim")
    for limit in reversed(LIMITS):
        op.drop_column("coupon_templates", limit)


def _whole(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)
