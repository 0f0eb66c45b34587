"""Tables of merchants and stores: small, read by all, written by operators (stores also by their merchant)."""

import sqlalchemy as sa

from persistence.base import metadata
from persistence.columns import instant, key, text, uuid

merchants = sa.Table(
    "merchants",
    metadata,
    key("id"),
    text("external_ref"),
    text("name"),
    instant("created_at"),
    sa.UniqueConstraint("external_ref"),
    info={"owner": "catalogue"},
)

stores = sa.Table(
    "stores",
    metadata,
    key("id"),
    uuid("merchant_id"),
    text("external_ref"),
    text("name"),
    instant("created_at"),
    sa.UniqueConstraint("merchant_id", "external_ref"),
    info={"owner": "catalogue"},
)
