"""What a percentage is taken of; and a published template that PostgreSQL itself keeps as it is."""

from collections.abc import Sequence

from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

CHECK = "coupon_templates_percent_base_known_check"


def upgrade() -> None:
    """Forward."""
    op.execute(
        "ALTER TABLE coupon_templates ADD COLUMN percent_base text DEFAULT 'REMAINING' NOT NULL "
        f"CONSTRAINT {CHECK} CHECK (percent_base IN ('REMAINING', 'INITIAL'))"
    )
    # All columns but the name, those to come too: what coupons are decided by is what was published.
    op.execute(
        """
        CREATE FUNCTION refuse_change_of_published_template() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'UPDATE' AND to_jsonb(OLD) - 'name' = to_jsonb(NEW) - 'name' THEN
                RETURN NEW;
            END IF;
            RAISE EXCEPTION 'the template % is published: it never changes', OLD.id
                USING ERRCODE = 'object_not_in_prerequisite_state';
        END
        $$
        """
    )
    op.execute(
        "CREATE TRIGGER published_is_fixed BEFORE UPDATE OR DELETE ON coupon_templates FOR EACH ROW "
        "WHEN (OLD.state = 'PUBLISHED') EXECUTE FUNCTION refuse_change_of_published_template()"
    )


def downgrade() -> None:
    """Back; a percentage of the undiscounted goods becomes one of what is left."""
    op.execute("DROP TRIGGER published_is_fixed ON coupon_templates")
    op.execute("DROP FUNCTION refuse_change_of_published_template()")
    op.drop_constraint(CHECK, "coupon_templates")
    op.drop_column("coupon_templates", "percent_base")
