"""Tables of campaigns. A row is public from the moment it is scheduled; a draft is its managers' alone."""

from typing import Final

import sqlalchemy as sa

from persistence.base import metadata
from persistence.columns import document, instant, key, one_of, small, text, uuid, whole

campaigns = sa.Table(
    "campaigns",
    metadata,
    key("id"),
    uuid("merchant_id", null=True),
    text("name"),
    text("goal"),
    text("state"),
    instant("starts_at"),
    instant("ends_at"),
    whole("budget_minor", null=True),
    text("budget_currency", null=True),
    # What single funders may bear of it at most: {"PLATFORM": minor}.
    document("funder_budgets", null=True),
    # What becomes of a discount that is more than what is left; a trigger (budget_remainder_is_fixed) keeps it.
    sa.Column("budget_remainder", sa.Text, server_default="REJECT", nullable=False),
    small("limit_per_member", null=True),
    instant("created_at"),
    one_of("budget_remainder", ("REJECT", "PARTIAL")),
    one_of("goal", ("ACQUISITION", "ACTIVATION", "RETENTION", "CONVERSION")),
    one_of("state", ("DRAFT", "SCHEDULED", "RUNNING", "PAUSED", "ENDED")),
    info={"owner": "merchant", "merchant": "merchant_id"},
)
sa.Index("campaigns_merchant_id_idx", campaigns.c.merchant_id, campaigns.c.id)

# Over how many rows a budget's account is dealt out.
BUDGET_SHARDS: Final = 8
# What is left of a campaign's budget, what of it is held and what is spent: of all funders, and of each that has its
# own limit. Each account is dealt out over shards, so that those who draw from it at once do not wait for each other.
# A shard may hold or have spent less than nothing, since what one gave may come back to another; what is left may not.
budget_accounts = sa.Table(
    "budget_accounts",
    metadata,
    key("campaign_id"),
    text("funder", primary=True),
    sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
    uuid("merchant_id", null=True),
    whole("free_minor"),
    whole("reserved_minor"),
    whole("redeemed_minor"),
    sa.CheckConstraint("free_minor >= 0", name="floor"),
    one_of("funder", ("ALL", "PLATFORM", "MERCHANT")),
    info={"owner": "merchant", "merchant": "merchant_id"},
)
