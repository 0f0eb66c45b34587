"""Lines of orders that were sold at a member's price."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Forward."""
    op.add_column(
        "order_lines", sa.Column("at_member_price", sa.Boolean(), server_default=sa.false(), nullable=False)
    )


def downgrade() -> None:
    """Back."""
    op.drop_column("order_lines", "at_member_price")
