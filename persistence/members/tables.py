"""Tables of members. Personal columns hold ciphertext; the phone is found by its blind index."""

import sqlalchemy as sa

from persistence.base import metadata
from persistence.columns import day, instant, key, sealed, text, whole

members = sa.Table(
    "members",
    metadata,
    key("member_id"),
    text("external_ref"),
    sealed("display_name"),
    sealed("phone"),
    sealed("phone_index"),
    sealed("birthday"),
    text("locale"),
    instant("joined_at"),
    sa.UniqueConstraint("external_ref"),
    info={"owner": "member", "member": "member_id"},
)
sa.Index("members_phone_index_idx", members.c.phone_index, postgresql_where=members.c.phone_index.is_not(None))

member_tiers = sa.Table(
    "member_tiers",
    metadata,
    key("member_id"),
    text("tier_code"),
    instant("since"),
    day("keep_until", null=True),
    info={"owner": "member", "member": "member_id"},
)

# What counts towards the tier, by local day, so that a rolling window is a sum of buckets.
tier_metric_days = sa.Table(
    "tier_metric_days",
    metadata,
    key("member_id"),
    day("on_date", primary=True),
    whole("amount"),
    info={"owner": "member", "member": "member_id"},
)

# What a back office marks members with, for conditions of use.
member_tags = sa.Table(
    "member_tags",
    metadata,
    key("member_id"),
    text("tag", primary=True),
    instant("since"),
    info={"owner": "member", "member": "member_id"},
)
