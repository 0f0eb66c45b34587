"""Tables of tills: tokens that were used, and what a store redeemed while it had no network."""

import sqlalchemy as sa

from persistence.base import metadata
from persistence.columns import day, instant, key, text, uuid, whole

# A token is used once. The key holds whatever the code does, and for two tills at the same moment.
token_uses = sa.Table(
    "redemption_token_uses",
    metadata,
    key("member_id"),
    sa.Column("token_hash", sa.LargeBinary, primary_key=True),
    uuid("coupon_id"),
    uuid("order_id"),
    instant("used_at"),
    # The till's clock, the store, the day and the discount of a redemption that was handed in later; null: at once.
    instant("scanned_at", null=True),
    uuid("offline_store_id", null=True),
    day("offline_on", null=True),
    whole("offline_minor", null=True),
    # Empty, or null of before, where the till said nothing of itself.
    text("offline_till", null=True),
    sa.CheckConstraint(
        "(scanned_at IS NULL) = (offline_store_id IS NULL) AND (scanned_at IS NULL) = (offline_on IS NULL)"
        " AND (scanned_at IS NULL) = (offline_minor IS NULL)",
        name="offline_or_not",
    ),
    info={"owner": "member", "member": "member_id"},
)
sa.Index(
    "redemption_token_uses_offline_idx",
    token_uses.c.offline_store_id,
    token_uses.c.offline_on,
    postgresql_where=token_uses.c.offline_store_id.is_not(None),
)

# What a store may hand in of one day; the nil store is what holds for a merchant's stores that have no row.
offline_limits = sa.Table(
    "offline_limits",
    metadata,
    key("merchant_id"),
    key("store_id"),
    whole("max_count"),
    whole("max_minor"),
    # Of one of its tills; null: as of the store.
    whole("max_count_per_till", null=True),
    whole("max_minor_per_till", null=True),
    instant("changed_at"),
    sa.CheckConstraint("max_count >= 0 AND max_minor >= 0", name="not_negative"),
    info={"owner": "merchant", "merchant": "merchant_id"},
)

# What was accepted of a store's day; the row is the lock under which the limits are held.
offline_days = sa.Table(
    "offline_days",
    metadata,
    key("merchant_id"),
    key("store_id"),
    day("on_date", primary=True),
    whole("accepted_count"),
    whole("accepted_minor"),
    sa.CheckConstraint("accepted_count >= 0 AND accepted_minor >= 0", name="not_negative"),
    info={"owner": "merchant", "merchant": "merchant_id"},
)

# The same of each of its tills; under the empty name those that say nothing of themselves. A store's day has rows of as
# many tills as it may redeem coupons at most: what is refused leaves none.
offline_till_days = sa.Table(
    "offline_till_days",
    metadata,
    key("merchant_id"),
    key("store_id"),
    text("till_id", primary=True),
    day("on_date", primary=True),
    whole("accepted_count"),
    whole("accepted_minor"),
    sa.CheckConstraint("accepted_count >= 0 AND accepted_minor >= 0", name="not_negative"),
    info={"owner": "merchant", "merchant": "merchant_id"},
)
