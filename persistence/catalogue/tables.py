"""The version of the catalogue: one row, raised once by each transaction that changes what the catalogue lists.

The triggers of migration 0002 raise it when a transaction commits, so that its lock is the last one taken and is held
for the commit alone; then they tell the channel.
"""

from typing import Final

import sqlalchemy as sa

from persistence.base import metadata
from persistence.columns import whole

CHANNEL: Final = "laurel_catalogue"

catalogue_version = sa.Table(
    "catalogue_version",
    metadata,
    sa.Column("singleton", sa.Boolean, primary_key=True),
    whole("version"),
    # The transaction that raised it last, so that each raises it once however much it changes.
    whole("changed_in"),
    sa.CheckConstraint("singleton", name="one_row"),
    info={"owner": "system"},
)
