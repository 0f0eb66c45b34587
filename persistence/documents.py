"""Trusted documents: what production may be limited to."""

import sqlalchemy as sa

from persistence.base import metadata
from persistence.columns import instant, text

documents = sa.Table(
    "documents", metadata, text("hash", primary=True), text("text"), instant("added_at"), info={"owner": "system"}
)
