"""Uses of coupons by store, counted one after another: a lock of PostgreSQL's stands for a template in a store."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from domain.shared.ids import StoreId, TemplateId
from domain.shared.principal import Scope
from persistence.base import Conn, Statement, arrays, scope_params, within_scope
from persistence.coupons.tables import coupons, redemptions
from persistence.orders.tables import reservations, reserved_coupons

_wanted = arrays("wanted", {"template_ids": sa.Uuid()})
_TEMPLATE = _wanted.c.template_ids
_STORE = sa.bindparam("store_id", type_=sa.Uuid)
_NOW = sa.bindparam("now", type_=sa.DateTime(timezone=True))

# Names that meet by chance wait for each other, and no more.
LOCK_STORE_USES = Statement(
    "lock_store_uses",
    sa.select(
        sa.func.pg_advisory_xact_lock(
            sa.func.hashtextextended(sa.bindparam("name", type_=sa.Text), sa.literal_column("0"))
        )
    ),
)
_used = (
    sa.select(sa.func.count())
    .where(
        redemptions.c.store_id == _STORE,
        redemptions.c.template_id == _TEMPLATE,
        redemptions.c.reversed_at.is_(None),
        within_scope(member=redemptions.c.member_id),
    )
    .scalar_subquery()
)
_held = (
    sa.select(sa.func.count())
    .select_from(
        reservations.join(
            reserved_coupons,
            sa.and_(
                reserved_coupons.c.member_id == reservations.c.member_id,
                reserved_coupons.c.reservation_id == reservations.c.id,
            ),
        ).join(
            coupons,
            sa.and_(coupons.c.member_id == reserved_coupons.c.member_id, coupons.c.id == reserved_coupons.c.coupon_id),
        )
    )
    .where(
        reservations.c.state == sa.literal_column("'HELD'"),
        reservations.c.expires_at > _NOW,
        reservations.c.cart["storeId"].astext == sa.cast(_STORE, sa.Text),
        coupons.c.template_id == _TEMPLATE,
        within_scope(member=reservations.c.member_id),
    )
    .scalar_subquery()
)
USES_IN_STORE = Statement(
    "uses_in_store",
    sa.select(_TEMPLATE.label("template_id"), (_used + _held).label("uses")).select_from(_wanted),
)


async def uses_in_store(
    connection: Conn, template_ids: Sequence[TemplateId], *, store_id: StoreId, now: datetime
) -> Mapping[TemplateId, int]:
    """Live redemptions and reservations of these templates in the store.

    Over all members, whoever asks: the limit is the store's, and no row of anybody's is shown.
    """
    system = scope_params(Scope.system())
    params = {"template_ids": list(template_ids), "store_id": store_id, "now": now, **system}
    return {row["template_id"]: row["uses"] for row in await USES_IN_STORE.fetch(connection, params)}


class SqlStoreUses:
    """Uses by store in one transaction."""

    def __init__(self, connection: Conn, *, now: datetime) -> None:
        self._connection = connection
        self._now = now

    async def lock_and_count(self, template_id: TemplateId, *, store_id: StoreId) -> int:
        """Live redemptions and reservations of the template in the store; nobody else counts before this ends."""
        await LOCK_STORE_USES.execute(self._connection, {"name": f"uses in a store {template_id} {store_id}"})
        uses = await uses_in_store(self._connection, [template_id], store_id=store_id, now=self._now)
        return uses[template_id]
