"""Tables of how coupons get to members: batches that are issued, codes that are redeemed."""

import sqlalchemy as sa

from persistence.base import metadata
from persistence.batches import progress
from persistence.columns import document, instant, key, text, uuid, whole

issues = sa.Table(
    "issues",
    metadata,
    key("caller_id"),
    text("key", primary=True),
    uuid("template_id"),
    text("reason"),
    *progress(),
    info={"owner": "caller"},
)
# One answer for each row of a batch, at the row's place in its input: a coupon of whom it names, or why not.
issue_outcomes = sa.Table(
    "issue_outcomes",
    metadata,
    key("caller_id"),
    text("key", primary=True),
    whole("place", primary=True),
    uuid("recipient_id"),
    uuid("coupon_id", null=True),
    document("problem", null=True),
    sa.CheckConstraint("(coupon_id IS NULL) <> (problem IS NULL)", name="one_or_other"),
    info={"owner": "caller"},
)

# `code` is what is compared (capitals, without blanks and hyphens), `printed` what was written on the voucher.
codes = sa.Table(
    "coupon_codes",
    metadata,
    key("id"),
    text("code"),
    text("printed"),
    uuid("template_id"),
    uuid("merchant_id", null=True),
    whole("uses_limit"),
    whole("uses"),
    instant("expires_at", null=True),
    instant("created_at"),
    sa.UniqueConstraint("code"),
    sa.CheckConstraint("uses >= 0 AND uses <= uses_limit", name="uses_within_limit"),
    info={"owner": "merchant", "merchant": "merchant_id"},
)
sa.Index("coupon_codes_by_template_idx", codes.c.template_id, codes.c.id)

# A code works once for a member, however many members it works for.
code_uses = sa.Table(
    "coupon_code_uses",
    metadata,
    key("member_id"),
    key("code_id"),
    uuid("coupon_id"),
    instant("used_at"),
    info={"owner": "member", "member": "member_id"},
)
# Tries of codes that did not work, since the first of them.
code_attempts = sa.Table(
    "code_attempts",
    metadata,
    key("member_id"),
    instant("since"),
    whole("failed"),
    info={"owner": "member", "member": "member_id"},
)
