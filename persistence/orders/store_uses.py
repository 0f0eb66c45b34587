"""Uses of coupons by store, counted one after another: a lock of PostgreSQL's stands for a template in a store."""

from datetime import datetime

import sqlalchemy as sa

from domain.shared.ids import StoreId, TemplateId
from domain.shared.principal import Scope
from persistence.base import Conn, Statement, scope_params, within_scope
from persistence.coupons.tables import coupons, redemptions
from persistence.orders.tables import reservations, reserved_coupons

_TEMPLATE = sa.bindparam("template_id", type_=sa.Uuid)
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
USES_IN_STORE = Statement("uses_in_store", sa.select((_used + _held).label("uses")))


class SqlStoreUses:
    """Uses by store in one transaction."""

    def __init__(self, connection: Conn, *, now: datetime) -> None:
        self._connection = connection
        self._now = now

    async def lock_and_count(self, template_id: TemplateId, *, store_id: StoreId) -> int:
        """Live redemptions and reservations of the template in the store; nobody else counts before this ends."""
        await LOCK_STORE_USES.execute(self._connection, {"name": f"uses in a store {template_id} {store_id}"})
        # Over all members, whoever asks: the limit is the store's, and no row of anybody's is shown.
        system = scope_params(Scope.system())
        params = {"template_id": template_id, "store_id": store_id, "now": self._now, **system}
        return int(await USES_IN_STORE.value(self._connection, params))
