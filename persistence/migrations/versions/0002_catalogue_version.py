"""The version of the catalogue, raised by whatever changes what it lists."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LISTED = ("campaigns", "coupon_templates", "merchants", "rewards", "stores")


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "catalogue_version",
        sa.Column("singleton", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("changed_in", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.CheckConstraint("singleton", name=op.f("catalogue_version_one_row_check")),
        sa.PrimaryKeyConstraint("singleton", name=op.f("catalogue_version_pkey")),
    )
    op.execute("INSERT INTO catalogue_version (singleton, version, changed_in) VALUES (true, 1, 0)")
    # Deferred to the commit: the row's lock is taken last, so that no two writers of the catalogue can wait for each
    # other by it, and none holds it while it waits for anything else.
    op.execute(
        """
        CREATE FUNCTION catalogue_changed() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            this_transaction bigint := pg_current_xact_id()::text::bigint;
        BEGIN
            UPDATE catalogue_version SET version = version + 1, changed_in = this_transaction
            WHERE changed_in <> this_transaction;
            IF FOUND THEN
                PERFORM pg_notify('laurel_catalogue', '');
            END IF;
            RETURN NULL;
        END
        $$
        """
    )
    for table in LISTED:
        op.execute(
            f"CREATE CONSTRAINT TRIGGER catalogue_changed AFTER INSERT OR UPDATE OR DELETE ON {table} "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION catalogue_changed()"
        )


def downgrade() -> None:
    """Back."""
    for table in LISTED:
        op.execute(f"DROP TRIGGER catalogue_changed ON {table}")
    op.execute("DROP FUNCTION catalogue_changed()")
    op.drop_table("catalogue_version")
