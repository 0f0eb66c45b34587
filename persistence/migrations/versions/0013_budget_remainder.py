"""What becomes of a remainder of a budget, as a campaign and its templates say: once for all."""

from collections.abc import Sequence

from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = ("campaigns", "coupon_templates")


def upgrade() -> None:
    """Forward."""
    for table in TABLES:
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN budget_remainder text DEFAULT 'REJECT' NOT NULL "
            f"CONSTRAINT {table}_budget_remainder_known_check CHECK (budget_remainder IN ('REJECT', 'PARTIAL'))"
        )
    op.execute(
        """
        CREATE FUNCTION refuse_change_of_budget_remainder() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'what becomes of a remainder of the budget of the campaign % never changes', OLD.id
                USING ERRCODE = 'object_not_in_prerequisite_state';
        END
        $$
        """
    )
    op.execute(
        "CREATE TRIGGER budget_remainder_is_fixed BEFORE UPDATE OF budget_remainder ON campaigns FOR EACH ROW "
        "WHEN (OLD.budget_remainder IS DISTINCT FROM NEW.budget_remainder) "
        "EXECUTE FUNCTION refuse_change_of_budget_remainder()"
    )


def downgrade() -> None:
    """Back; a coupon whose discount is more than what is left does not act any more."""
    op.execute("DROP TRIGGER budget_remainder_is_fixed ON campaigns")
    op.execute("DROP FUNCTION refuse_change_of_budget_remainder()")
    for table in TABLES:
        op.drop_constraint(f"{table}_budget_remainder_known_check", table)
        op.drop_column(table, "budget_remainder")
