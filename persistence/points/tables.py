"""Tables of points: a cached account beside a double-entry journal, lots and their draws, and check-ins."""

import sqlalchemy as sa

from persistence.base import metadata
from persistence.columns import day, instant, key, one_of, small, text, uuid, whole

accounts = sa.Table(
    "points_accounts",
    metadata,
    key("member_id"),
    whole("available"),
    whole("pending"),
    whole("debt"),
    whole("lifetime_earned"),
    sa.CheckConstraint("available >= 0 AND pending >= 0 AND debt >= 0", name="never_negative"),
    info={"owner": "member", "member": "member_id"},
)

entries = sa.Table(
    "points_entries",
    metadata,
    key("member_id"),
    key("id"),
    text("kind"),
    # What it did to the available balance, and what that was afterwards.
    whole("delta"),
    whole("balance_after"),
    text("reason"),
    uuid("order_id", null=True),
    instant("occurred_at"),
    one_of("kind", ("PENDING", "EARN", "SPEND", "EXPIRE", "REFUND", "CLAWBACK", "ADJUST")),
    info={"owner": "member", "member": "member_id"},
)
sa.Index("points_entries_by_time_idx", entries.c.member_id, entries.c.occurred_at.desc(), entries.c.id.desc())

# Each entry's postings sum to zero; a balance is a sum of postings.
postings = sa.Table(
    "points_postings",
    metadata,
    key("member_id"),
    key("entry_id"),
    text("account", primary=True),
    whole("amount"),
    info={"owner": "member", "member": "member_id"},
)

lots = sa.Table(
    "points_lots",
    metadata,
    key("member_id"),
    key("id"),
    uuid("entry_id"),
    whole("earned"),
    whole("remaining"),
    instant("earned_at"),
    instant("expires_at", null=True),
    sa.CheckConstraint("remaining >= 0 AND remaining <= earned", name="remaining_within_earned"),
    info={"owner": "member", "member": "member_id"},
)
sa.Index(
    "points_lots_open_idx",
    lots.c.member_id,
    lots.c.expires_at,
    lots.c.earned_at,
    postgresql_where=lots.c.remaining > 0,
)
sa.Index("points_lots_to_expire_idx", lots.c.expires_at, postgresql_where=lots.c.remaining > 0)

lot_draws = sa.Table(
    "points_lot_draws",
    metadata,
    key("member_id"),
    key("entry_id"),
    key("lot_id"),
    whole("points"),
    info={"owner": "member", "member": "member_id"},
)

# Points of an order that wait for it to be received and for the return window to pass.
pending = sa.Table(
    "points_pending",
    metadata,
    key("member_id"),
    key("order_id"),
    whole("points"),
    instant("release_at", null=True),
    info={"owner": "member", "member": "member_id"},
)
sa.Index("points_pending_release_at_idx", pending.c.release_at)

check_ins = sa.Table(
    "check_ins",
    metadata,
    key("member_id"),
    day("on_date", primary=True),
    small("streak_day"),
    whole("points"),
    instant("checked_in_at"),
    info={"owner": "member", "member": "member_id"},
)
