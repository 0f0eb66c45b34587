"""Tables of rewards: the points mall, its stock, and who exchanged what."""

import sqlalchemy as sa

from persistence.base import metadata
from persistence.columns import instant, key, one_of, small, text, uuid, whole

rewards = sa.Table(
    "rewards",
    metadata,
    key("id"),
    text("name"),
    text("kind"),
    whole("points_price"),
    small("limit_per_member", null=True),
    uuid("template_id", null=True),
    instant("created_at"),
    one_of("kind", ("COUPON", "GOODS", "SERVICE")),
    info={"owner": "catalogue"},
)

reward_stock = sa.Table(
    "reward_stock",
    metadata,
    key("reward_id"),
    whole("total"),
    whole("remaining"),
    sa.CheckConstraint("remaining >= 0 AND remaining <= total", name="remaining_within_total"),
    info={"owner": "catalogue"},
)

exchanges = sa.Table(
    "reward_exchanges",
    metadata,
    key("member_id"),
    key("entry_id"),
    uuid("reward_id"),
    small("quantity"),
    instant("exchanged_at"),
    info={"owner": "member", "member": "member_id"},
)
sa.Index("reward_exchanges_by_reward_idx", exchanges.c.member_id, exchanges.c.reward_id)
