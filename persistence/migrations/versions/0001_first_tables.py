"""The first tables."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = '0001'
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Forward."""
   
    op.create_table('campaign_budgets',
    sa.Column('campaign_id', sa.Uuid(), nullable=False),
    sa.Column('merchant_id', sa.Uuid(), nullable=True),
    sa.Column('reserved_minor', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('redeemed_minor', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.PrimaryKeyConstraint('campaign_id', name=op.f('campaign_budgets_pkey')),
    )
    op.create_table('campaigns',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('merchant_id', sa.Uuid(), nullable=True),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('goal', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('starts_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ends_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('budget_minor', sa.BigInteger(), autoincrement=False, nullable=True),
    sa.Column('budget_currency', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("goal IN ('ACQUISITION', 'ACTIVATION', 'RETENTION', 'CONVERSION')", name=op.f('campaigns_goal_known_check')),
    sa.CheckConstraint("state IN ('DRAFT', 'SCHEDULED', 'RUNNING', 'PAUSED', 'ENDED')", name=op.f('campaigns_state_known_check')),
    sa.PrimaryKeyConstraint('id', name=op.f('campaigns_pkey')),
    )
    op.create_index('campaigns_merchant_id_idx', 'campaigns', ['merchant_id', 'id'], unique=False)
    op.create_table('check_ins',
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('on_date', sa.Date(), nullable=False),
    sa.Column('streak_day', sa.Integer(), nullable=False),
    sa.Column('points', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('checked_in_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('member_id', 'on_date', name=op.f('check_ins_pkey')),
    )
    op.create_table('coupon_template_stock',
    sa.Column('template_id', sa.Uuid(), nullable=False),
    sa.Column('total', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('remaining', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.CheckConstraint('remaining >= 0 AND remaining <= total', name=op.f('coupon_template_stock_remaining_within_total_check')),
    sa.PrimaryKeyConstraint('template_id', name=op.f('coupon_template_stock_pkey')),
    )
    op.create_table('coupon_templates',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('merchant_id', sa.Uuid(), nullable=True),
    sa.Column('campaign_id', sa.Uuid(), nullable=True),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('terms', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('scope', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('conditions', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('limit_per_member', sa.Integer(), nullable=True),
    sa.Column('limit_per_member_per_day', sa.Integer(), nullable=True),
    sa.Column('claim_opens_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('claim_closes_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('validity', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('threshold_base', sa.Text(), nullable=False),
    sa.Column('stacking', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('funders', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('refund_policy', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('published_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("refund_policy IN ('KEEP_ALLOCATION', 'REPRICE', 'CLAWBACK')", name=op.f('coupon_templates_refund_policy_known_check')),
    sa.CheckConstraint("state IN ('DRAFT', 'PUBLISHED')", name=op.f('coupon_templates_state_known_check')),
    sa.CheckConstraint("threshold_base IN ('INITIAL', 'BEFORE_THIS', 'AFTER_THIS')", name=op.f('coupon_templates_threshold_base_known_check')),
    sa.PrimaryKeyConstraint('id', name=op.f('coupon_templates_pkey')),
    )
    op.create_index('coupon_templates_campaign_id_idx', 'coupon_templates', ['campaign_id', 'id'], unique=False)
    op.create_index('coupon_templates_merchant_id_idx', 'coupon_templates', ['merchant_id', 'id'], unique=False)
    op.create_table('coupons',
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('template_id', sa.Uuid(), nullable=False),
    sa.Column('merchant_id', sa.Uuid(), nullable=True),
    sa.Column('ordinal', sa.Integer(), nullable=False),
    sa.Column('code', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('terms', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('claimed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('claimed_on', sa.Date(), nullable=False),
    sa.Column('valid_from', sa.DateTime(timezone=True), nullable=False),
    sa.Column('valid_until', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("state IN ('CLAIMED', 'RESERVED', 'REDEEMED', 'EXPIRED', 'VOIDED')", name=op.f('coupons_state_known_check')),
    sa.PrimaryKeyConstraint('member_id', 'id', name=op.f('coupons_pkey')),
    sa.UniqueConstraint('member_id', 'template_id', 'ordinal', name=op.f('coupons_member_id_template_id_ordinal_key')),
    )
    op.create_index('coupons_by_claim_idx', 'coupons', ['member_id', sa.literal_column('claimed_at DESC'), sa.literal_column('id DESC')], unique=False)
    op.create_index('coupons_by_expiry_idx', 'coupons', ['member_id', 'valid_until', 'id'], unique=False)
    op.create_index('coupons_to_expire_idx', 'coupons', ['valid_until'], unique=False, postgresql_where=sa.text("state = 'CLAIMED'"))
    op.create_table('documents',
    sa.Column('hash', sa.Text(), nullable=False, comment='SHA-256 of the text in UTF-8, 64 hexadecimal digits.'),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('added_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("hash ~ '^[0-9a-f]{64}$'", name=op.f('documents_hash_is_sha256_check')),
    sa.PrimaryKeyConstraint('hash', name=op.f('documents_pkey')),
    comment='Documents that clients may name by their hash.',
    )
    op.create_table('events',
    sa.Column('owner_id', sa.Uuid(), nullable=False),
    sa.Column('stream', sa.Text(), nullable=False),
    sa.Column('sequence', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('subject_id', sa.Uuid(), nullable=False),
    sa.Column('facts', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('occurred_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('published_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('owner_id', 'stream', 'sequence', name=op.f('events_pkey')),
    )
    op.create_index('events_unpublished_idx', 'events', ['occurred_at', 'owner_id', 'sequence'], unique=False, postgresql_where=sa.text('published_at IS NULL'))
    op.create_table('idempotency',
    sa.Column('caller_id', sa.Uuid(), nullable=False),
    sa.Column('mutation', sa.Text(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('input_hash', sa.LargeBinary(), nullable=False),
    sa.Column('result', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('committed_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('caller_id', 'mutation', 'key', name=op.f('idempotency_pkey')),
    )
    op.create_table('member_tiers',
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('tier_code', sa.Text(), nullable=False),
    sa.Column('since', sa.DateTime(timezone=True), nullable=False),
    sa.Column('keep_until', sa.Date(), nullable=True),
    sa.PrimaryKeyConstraint('member_id', name=op.f('member_tiers_pkey')),
    )
    op.create_table('members',
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('external_ref', sa.Text(), nullable=False),
    sa.Column('display_name', sa.LargeBinary(), nullable=True),
    sa.Column('phone', sa.LargeBinary(), nullable=True),
    sa.Column('phone_index', sa.LargeBinary(), nullable=True),
    sa.Column('birthday', sa.LargeBinary(), nullable=True),
    sa.Column('locale', sa.Text(), nullable=False),
    sa.Column('joined_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('member_id', name=op.f('members_pkey')),
    sa.UniqueConstraint('external_ref', name=op.f('members_external_ref_key')),
    )
    op.create_index('members_phone_index_idx', 'members', ['phone_index'], unique=False, postgresql_where=sa.text('phone_index IS NOT NULL'))
    op.create_table('merchants',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('external_ref', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('merchants_pkey')),
    sa.UniqueConstraint('external_ref', name=op.f('merchants_external_ref_key')),
    )
    op.create_table('order_directory',
    sa.Column('source_id', sa.Uuid(), nullable=False),
    sa.Column('order_ref', sa.Text(), nullable=False),
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('order_id', sa.Uuid(), nullable=False),
    sa.PrimaryKeyConstraint('source_id', 'order_ref', name=op.f('order_directory_pkey')),
    )
    op.create_table('order_lines',
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('order_id', sa.Uuid(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('line_id', sa.Text(), nullable=False),
    sa.Column('product_ref', sa.Text(), nullable=False),
    sa.Column('merchant_id', sa.Uuid(), nullable=False),
    sa.Column('category_refs', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('quantity', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('unit_price_minor', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('subtotal_minor', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('discount_minor', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('payable_minor', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.PrimaryKeyConstraint('member_id', 'order_id', 'line_id', name=op.f('order_lines_pkey')),
    )
    op.create_table('orders',
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('source_id', sa.Uuid(), nullable=False),
    sa.Column('order_ref', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('store_id', sa.Uuid(), nullable=True),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('subtotal_minor', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('discount_minor', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('shipping_minor', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('paid_minor', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('points_pending', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('points_earned', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('quote', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('paid_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('cancelled_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('PAID', 'RECEIVED', 'CANCELLED')", name=op.f('orders_state_known_check')),
    sa.PrimaryKeyConstraint('member_id', 'id', name=op.f('orders_pkey')),
    )
    op.create_index('orders_by_member_idx', 'orders', ['member_id', sa.literal_column('paid_at DESC')], unique=False)
    op.create_table('points_accounts',
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('available', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('pending', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('debt', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('lifetime_earned', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.CheckConstraint('available >= 0 AND pending >= 0 AND debt >= 0', name=op.f('points_accounts_never_negative_check')),
    sa.PrimaryKeyConstraint('member_id', name=op.f('points_accounts_pkey')),
    )
    op.create_table('points_entries',
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('delta', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('balance_after', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('order_id', sa.Uuid(), nullable=True),
    sa.Column('occurred_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("kind IN ('PENDING', 'EARN', 'SPEND', 'EXPIRE', 'REFUND', 'CLAWBACK', 'ADJUST')", name=op.f('points_entries_kind_known_check')),
    sa.PrimaryKeyConstraint('member_id', 'id', name=op.f('points_entries_pkey')),
    )
    op.create_index('points_entries_by_time_idx', 'points_entries', ['member_id', sa.literal_column('occurred_at DESC'), sa.literal_column('id DESC')], unique=False)
    op.create_table('points_lot_draws',
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('entry_id', sa.Uuid(), nullable=False),
    sa.Column('lot_id', sa.Uuid(), nullable=False),
    sa.Column('points', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.PrimaryKeyConstraint('member_id', 'entry_id', 'lot_id', name=op.f('points_lot_draws_pkey')),
    )
    op.create_table('points_lots',
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('entry_id', sa.Uuid(), nullable=False),
    sa.Column('earned', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('remaining', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('earned_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('remaining >= 0 AND remaining <= earned', name=op.f('points_lots_remaining_within_earned_check')),
    sa.PrimaryKeyConstraint('member_id', 'id', name=op.f('points_lots_pkey')),
    )
    op.create_index('points_lots_open_idx', 'points_lots', ['member_id', 'expires_at', 'earned_at'], unique=False, postgresql_where=sa.text('remaining > 0'))
    op.create_index('points_lots_to_expire_idx', 'points_lots', ['expires_at'], unique=False, postgresql_where=sa.text('remaining > 0'))
    op.create_table('points_pending',
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('order_id', sa.Uuid(), nullable=False),
    sa.Column('points', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('release_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('member_id', 'order_id', name=op.f('points_pending_pkey')),
    )
    op.create_index('points_pending_release_at_idx', 'points_pending', ['release_at'], unique=False)
    op.create_table('points_postings',
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('entry_id', sa.Uuid(), nullable=False),
    sa.Column('account', sa.Text(), nullable=False),
    sa.Column('amount', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.PrimaryKeyConstraint('member_id', 'entry_id', 'account', name=op.f('points_postings_pkey')),
    )
    op.create_table('redemptions',
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('coupon_id', sa.Uuid(), nullable=False),
    sa.Column('template_id', sa.Uuid(), nullable=False),
    sa.Column('campaign_id', sa.Uuid(), nullable=True),
    sa.Column('merchant_id', sa.Uuid(), nullable=True),
    sa.Column('store_id', sa.Uuid(), nullable=True),
    sa.Column('order_id', sa.Uuid(), nullable=False),
    sa.Column('order_ref', sa.Text(), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('discount_minor', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('shares', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('redeemed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('reversed_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('member_id', 'id', name=op.f('redemptions_pkey')),
    sa.UniqueConstraint('member_id', 'order_id', 'coupon_id', name=op.f('redemptions_member_id_order_id_coupon_id_key')),
    )
    op.create_index('redemptions_by_campaign_idx', 'redemptions', ['campaign_id'], unique=False)
    op.create_index('redemptions_by_merchant_idx', 'redemptions', ['merchant_id', sa.literal_column('redeemed_at DESC'), sa.literal_column('id DESC')], unique=False)
    op.create_index('redemptions_live_idx', 'redemptions', ['member_id', 'coupon_id'], unique=True, postgresql_where=sa.text('reversed_at IS NULL'))
    op.create_table('reward_exchanges',
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('entry_id', sa.Uuid(), nullable=False),
    sa.Column('reward_id', sa.Uuid(), nullable=False),
    sa.Column('quantity', sa.Integer(), nullable=False),
    sa.Column('exchanged_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('member_id', 'entry_id', name=op.f('reward_exchanges_pkey')),
    )
    op.create_index('reward_exchanges_by_reward_idx', 'reward_exchanges', ['member_id', 'reward_id'], unique=False)
    op.create_table('reward_stock',
    sa.Column('reward_id', sa.Uuid(), nullable=False),
    sa.Column('total', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('remaining', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.CheckConstraint('remaining >= 0 AND remaining <= total', name=op.f('reward_stock_remaining_within_total_check')),
    sa.PrimaryKeyConstraint('reward_id', name=op.f('reward_stock_pkey')),
    )
    op.create_table('rewards',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('points_price', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('limit_per_member', sa.Integer(), nullable=True),
    sa.Column('template_id', sa.Uuid(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("kind IN ('COUPON', 'GOODS', 'SERVICE')", name=op.f('rewards_kind_known_check')),
    sa.PrimaryKeyConstraint('id', name=op.f('rewards_pkey')),
    )
    op.create_table('stores',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('merchant_id', sa.Uuid(), nullable=False),
    sa.Column('external_ref', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('stores_pkey')),
    sa.UniqueConstraint('merchant_id', 'external_ref', name=op.f('stores_merchant_id_external_ref_key')),
    )
    op.create_table('streams',
    sa.Column('owner_id', sa.Uuid(), nullable=False),
    sa.Column('stream', sa.Text(), nullable=False),
    sa.Column('sequence', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.PrimaryKeyConstraint('owner_id', 'stream', name=op.f('streams_pkey')),
    )
    op.create_table('tier_metric_days',
    sa.Column('member_id', sa.Uuid(), nullable=False),
    sa.Column('on_date', sa.Date(), nullable=False),
    sa.Column('amount', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.PrimaryKeyConstraint('member_id', 'on_date', name=op.f('tier_metric_days_pkey')),
    )


def downgrade() -> None:
    """Back."""
   
    op.drop_table('tier_metric_days')
    op.drop_table('streams')
    op.drop_table('stores')
    op.drop_table('rewards')
    op.drop_table('reward_stock')
    op.drop_index('reward_exchanges_by_reward_idx', table_name='reward_exchanges')
    op.drop_table('reward_exchanges')
    op.drop_index('redemptions_live_idx', table_name='redemptions', postgresql_where=sa.text('reversed_at IS NULL'))
    op.drop_index('redemptions_by_merchant_idx', table_name='redemptions')
    op.drop_index('redemptions_by_campaign_idx', table_name='redemptions')
    op.drop_table('redemptions')
    op.drop_table('points_postings')
    op.drop_index('points_pending_release_at_idx', table_name='points_pending')
    op.drop_table('points_pending')
    op.drop_index('points_lots_to_expire_idx', table_name='points_lots', postgresql_where=sa.text('remaining > 0'))
    op.drop_index('points_lots_open_idx', table_name='points_lots', postgresql_where=sa.text('remaining > 0'))
    op.drop_table('points_lots')
    op.drop_table('points_lot_draws')
    op.drop_index('points_entries_by_time_idx', table_name='points_entries')
    op.drop_table('points_entries')
    op.drop_table('points_accounts')
    op.drop_index('orders_by_member_idx', table_name='orders')
    op.drop_table('orders')
    op.drop_table('order_lines')
    op.drop_table('order_directory')
    op.drop_table('merchants')
    op.drop_index('members_phone_index_idx', table_name='members', postgresql_where=sa.text('phone_index IS NOT NULL'))
    op.drop_table('members')
    op.drop_table('member_tiers')
    op.drop_table('idempotency')
    op.drop_index('events_unpublished_idx', table_name='events', postgresql_where=sa.text('published_at IS NULL'))
    op.drop_table('events')
    op.drop_table('documents')
    op.drop_index('coupons_to_expire_idx', table_name='coupons', postgresql_where=sa.text("state = 'CLAIMED'"))
    op.drop_index('coupons_by_expiry_idx', table_name='coupons')
    op.drop_index('coupons_by_claim_idx', table_name='coupons')
    op.drop_table('coupons')
    op.drop_index('coupon_templates_merchant_id_idx', table_name='coupon_templates')
    op.drop_index('coupon_templates_campaign_id_idx', table_name='coupon_templates')
    op.drop_table('coupon_templates')
    op.drop_table('coupon_template_stock')
    op.drop_table('check_ins')
    op.drop_index('campaigns_merchant_id_idx', table_name='campaigns')
    op.drop_table('campaigns')
    op.drop_table('campaign_budgets')
