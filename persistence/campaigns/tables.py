"""Tables of campaigns. A row is public from the moment it is scheduled; a draft is its managers' alone."""

import sqlalchemy as sa

from persistence.base import metadata
from persistence.columns import instant, key, one_of, small, text, uuid, whole

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
    small("limit_per_member", null=True),
    instant("created_at"),
    one_of("goal", ("ACQUISITION", "ACTIVATION", "RETENTION", "CONVERSION")),
    one_of("state", ("DRAFT", "SCHEDULED", "RUNNING", "PAUSED", "ENDED")),
    info={"owner": "merchant", "merchant": "merchant_id"},
)
sa.Index("campaigns_merchant_id_idx", campaigns.c.merchant_id, campaigns.c.id)

# What coupons of the campaign hold of its budget and have spent: a row of its own, written at every redemption.
campaign_budgets = sa.Table(
    "campaign_budgets",
    metadata,
    key("campaign_id"),
    uuid("merchant_id", null=True),
    whole("reserved_minor"),
    whole("redeemed_minor"),
    info={"owner": "merchant", "merchant": "merchant_id"},
)
