"""Tables of coupons. Member-owned ones carry member_id first in every key, to be partitioned by member."""

import sqlalchemy as sa

from persistence.base import metadata
from persistence.columns import day, document, instant, key, one_of, small, text, uuid, whole

templates = sa.Table(
    "coupon_templates",
    metadata,
    key("id"),
    uuid("merchant_id", null=True),
    uuid("campaign_id", null=True),
    text("name"),
    text("state"),
    text("kind"),
    document("terms"),
    text("currency"),
    document("scope"),
    document("conditions", null=True),
    small("limit_per_member", null=True),
    small("limit_per_member_per_day", null=True),
    small("limit_per_member_per_week", null=True),
    small("limit_per_member_per_month", null=True),
    # The campaign's, which never changes: as it stood when the template was written.
    small("limit_per_member_in_campaign", null=True),
    # The campaign's too, and as fixed.
    sa.Column("budget_remainder", sa.Text, server_default="REJECT", nullable=False),
    small("limit_per_store", null=True),
    sa.Column("self_claim", sa.Boolean, server_default=sa.true(), nullable=False),
    instant("claim_opens_at"),
    instant("claim_closes_at"),
    document("validity"),
    text("threshold_base"),
    sa.Column("percent_base", sa.Text, server_default="REMAINING", nullable=False),
    document("stacking"),
    document("funders"),
    text("refund_policy"),
    sa.Column("merchant_fault_grace_days", sa.Integer, server_default="0", nullable=False),
    instant("created_at"),
    instant("published_at", null=True),
    one_of("state", ("DRAFT", "PUBLISHED")),
    one_of("threshold_base", ("INITIAL", "BEFORE_THIS", "AFTER_THIS")),
    one_of("percent_base", ("REMAINING", "INITIAL")),
    one_of("budget_remainder", ("REJECT", "PARTIAL")),
    one_of("refund_policy", ("KEEP_ALLOCATION", "REPRICE", "CLAWBACK")),
    info={"owner": "merchant", "merchant": "merchant_id"},
)
sa.Index("coupon_templates_campaign_id_idx", templates.c.campaign_id, templates.c.id)
sa.Index("coupon_templates_merchant_id_idx", templates.c.merchant_id, templates.c.id)

# Apart from the template, since it changes with every claim and the template never does once published: a trigger
# (published_is_fixed) refuses it.
template_stock = sa.Table(
    "coupon_template_stock",
    metadata,
    key("template_id"),
    whole("total"),
    whole("remaining"),
    sa.CheckConstraint("remaining >= 0 AND remaining <= total", name="remaining_within_total"),
    info={"owner": "catalogue"},
)

coupons = sa.Table(
    "coupons",
    metadata,
    key("member_id"),
    key("id"),
    uuid("template_id"),
    uuid("merchant_id", null=True),
    small("ordinal"),
    text("code"),
    text("state"),
    # Kind and terms as they stood at claim.
    text("kind"),
    document("terms"),
    instant("claimed_at"),
    day("claimed_on"),
    instant("valid_from"),
    instant("valid_until"),
    # What is left on a coupon that keeps a balance; null: it is used as a whole.
    whole("balance_minor", null=True),
    # By which order it is held and how long: past that it reads as if it were not, swept or not.
    uuid("reservation_id", null=True),
    instant("reserved_until", null=True),
    sa.UniqueConstraint("member_id", "template_id", "ordinal"),
    one_of("state", ("CLAIMED", "RESERVED", "REDEEMED", "EXPIRED", "VOIDED")),
    info={"owner": "member", "member": "member_id"},
)
sa.Index("coupons_by_expiry_idx", coupons.c.member_id, coupons.c.valid_until, coupons.c.id)
sa.Index("coupons_by_claim_idx", coupons.c.member_id, coupons.c.claimed_at.desc(), coupons.c.id.desc())
sa.Index("coupons_to_expire_idx", coupons.c.valid_until, postgresql_where=coupons.c.state == "CLAIMED")

redemptions = sa.Table(
    "redemptions",
    metadata,
    key("member_id"),
    key("id"),
    uuid("coupon_id"),
    uuid("template_id"),
    uuid("campaign_id", null=True),
    uuid("merchant_id", null=True),
    uuid("store_id", null=True),
    uuid("order_id"),
    text("order_ref"),
    text("currency"),
    whole("discount_minor"),
    # What each funder bears of the discount: {"PLATFORM": minor, "MERCHANT": minor}.
    document("shares"),
    instant("redeemed_at"),
    instant("reversed_at", null=True),
    # Whether it took a part of a balance: such a coupon may be used for several orders.
    sa.Column("from_balance", sa.Boolean, server_default=sa.false(), nullable=False),
    # The template's rules as they stood when the coupon was used, and how much of the discount refunds have taken back.
    sa.Column("refund_policy", sa.Text, server_default="KEEP_ALLOCATION", nullable=False),
    sa.Column("merchant_fault_grace_days", sa.Integer, server_default="0", nullable=False),
    sa.Column("refunded_minor", sa.BigInteger, autoincrement=False, server_default="0", nullable=False),
    sa.UniqueConstraint("member_id", "order_id", "coupon_id"),
    info={"owner": "member", "member": "member_id", "merchant": "merchant_id"},
)
sa.Index(
    "redemptions_by_merchant_idx",
    redemptions.c.merchant_id,
    redemptions.c.redeemed_at.desc(),
    redemptions.c.id.desc(),
)
sa.Index("redemptions_by_campaign_idx", redemptions.c.campaign_id)
sa.Index(
    "redemptions_by_store_idx",
    redemptions.c.store_id,
    redemptions.c.template_id,
    postgresql_where=redemptions.c.store_id.is_not(None),
)
# A coupon that keeps no balance is used once: whatever the code does, a second live redemption of it cannot be stored.
sa.Index(
    "redemptions_once_idx",
    redemptions.c.member_id,
    redemptions.c.coupon_id,
    unique=True,
    postgresql_where=sa.and_(redemptions.c.reversed_at.is_(None), sa.not_(redemptions.c.from_balance)),
)
