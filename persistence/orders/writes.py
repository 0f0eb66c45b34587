"""Orders written, with the points that they promise."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.members.tiers import DEFAULT_PROGRAMME, assess
from domain.orders.model import Order, OrderKey, OrderLine, OrderRef
from domain.shared.ids import MemberId, OrderId
from domain.shared.principal import Scope
from domain.shared.time import local_date
from persistence.base import Conn, Row, Statement, arrays, columns_of, insert_rows, scope_params, within_scope
from persistence.members.tiers import TIER_STANDINGS, standing_of
from persistence.orders.rows import ORDER_COLUMNS, line_row, order_of, order_row
from persistence.orders.tables import order_directory, order_lines, orders
from persistence.points.tables import pending

_MEMBER = sa.bindparam("member_id", type_=sa.Uuid)
_ORDER = sa.bindparam("order_id", type_=sa.Uuid)
_NOW = sa.bindparam("now", type_=sa.DateTime(timezone=True))
_LIMIT = sa.bindparam("limit", type_=sa.Integer)
_DIRECTORY = ("source_id", "order_ref", "member_id", "order_id")
_MOVED = ("state", "points_pending", "points_earned", "received_at", "cancelled_at")
_PENDING = ("member_id", "order_id", "points", "release_at")
_LINE = (
    "member_id", "order_id", "position", "line_id", "product_ref", "merchant_id", "quantity", "unit_price_minor",
    "subtotal_minor", "discount_minor", "payable_minor", "points_minor", "at_member_price",
)  # fmt: skip

FIND_ORDER = Statement(
    "find_order",
    sa.select(order_directory.c.member_id, order_directory.c.order_id).where(
        order_directory.c.source_id == sa.bindparam("source_id", type_=sa.Uuid),
        order_directory.c.order_ref == sa.bindparam("order_ref", type_=sa.Text),
    ),
)
LOCK_ORDER = Statement(
    "lock_order",
    sa.select(orders)
    .where(orders.c.member_id == _MEMBER, orders.c.id == _ORDER, within_scope(member=orders.c.member_id))
    .with_for_update(),
)
ENTER_ORDER = Statement(
    "enter_order",
    insert_rows(order_directory, _DIRECTORY).on_conflict_do_nothing(index_elements=["source_id", "order_ref"]),
)
ADD_ORDER = Statement("add_order", insert_rows(orders, ORDER_COLUMNS, member="member_id"))


def _add_lines() -> pg.Insert:
    # Categories travel as a JSON object each: an array of arrays is not what unnest unfolds, nor what asyncpg sends.
    types: dict[str, sa.types.TypeEngine[object]] = {name: order_lines.c[name].type for name in _LINE}
    source = arrays("rows", {**types, "category_refs": pg.JSONB()})
    categories = sa.func.array(
        sa.select(sa.func.jsonb_array_elements_text(source.c.category_refs["refs"]))
        .correlate(source)
        .scalar_subquery(),
        type_=order_lines.c.category_refs.type,
    )
    select = sa.select(*(source.c[name] for name in _LINE), categories)
    return pg.insert(order_lines).from_select(
        [*_LINE, "category_refs"], select.where(within_scope(member=source.c.member_id))
    )


ADD_ORDER_LINES = Statement("add_order_lines", _add_lines())
MOVE_ORDER = Statement(
    "move_order",
    sa.update(orders)
    .where(orders.c.member_id == _MEMBER, orders.c.id == _ORDER, within_scope(member=orders.c.member_id))
    .values({name: sa.bindparam(name, type_=orders.c[name].type) for name in _MOVED}),
)
ADD_PENDING_POINTS = Statement("add_pending_points", insert_rows(pending, _PENDING, member="member_id"))
_OF_ORDER = (
    pending.c.member_id == _MEMBER,
    pending.c.order_id == _ORDER,
    within_scope(member=pending.c.member_id),
)
RELEASE_POINTS_LATER = Statement(
    "release_points_later",
    sa.update(pending)
    .where(*_OF_ORDER)
    .values(release_at=sa.bindparam("release_at", type_=sa.DateTime(timezone=True))),
)
TAKE_PENDING_POINTS = Statement("take_pending_points", sa.delete(pending).where(*_OF_ORDER).returning(pending.c.points))
MEMBERS_WITH_DUE_POINTS = Statement(
    "members_with_due_points",
    sa.select(pending.c.member_id)
    .where(pending.c.release_at <= _NOW, within_scope(member=pending.c.member_id))
    .order_by(pending.c.release_at)
    .limit(_LIMIT),
)
ORDERS_WITH_DUE_POINTS = Statement(
    "orders_with_due_points",
    sa.select(pending.c.order_id)
    .where(pending.c.member_id == _MEMBER, pending.c.release_at <= _NOW, within_scope(member=pending.c.member_id))
    .order_by(pending.c.release_at, pending.c.order_id),
)


class SqlOrders:
    """Orders in one transaction, within one scope."""

    def __init__(self, connection: Conn, *, scope: Scope, now: datetime, zone: ZoneInfo) -> None:
        self._connection = connection
        self._scope = scope_params(scope)
        self._now = now
        self._zone = zone

    async def find(self, ref: OrderRef) -> OrderKey | None:
        """The order that its caller calls so, whoever's it is."""
        row = await FIND_ORDER.row(self._connection, {"source_id": ref.source_id, "order_ref": ref.ref})
        return None if row is None else OrderKey(MemberId(row["member_id"]), OrderId(row["order_id"]))

    async def lock_or_none(self, key: OrderKey) -> Order | None:
        """The order, locked; none when there is none within the scope."""
        row = await LOCK_ORDER.row(self._connection, self._of(key))
        return None if row is None else order_of(row)

    async def add(self, order: Order, *, lines: Sequence[OrderLine]) -> bool:
        """Stores an order with its lines; False when its reference was taken in the meantime."""
        entry = {
            "source_id": order.ref.source_id,
            "order_ref": order.ref.ref,
            "member_id": order.key.member_id,
            "order_id": order.key.order_id,
        }
        if await ENTER_ORDER.execute(self._connection, columns_of([entry], _DIRECTORY)) == 0:
            return False
        stored = await ADD_ORDER.execute(self._connection, columns_of([order_row(order)], ORDER_COLUMNS) | self._scope)
        assert stored == 1, "the member is within the scope that serves it"
        rows = [line_row(order, line, position=position) for position, line in enumerate(lines)]
        categories = [{"refs": sorted(line.line.category_refs)} for line in lines]
        params = {**columns_of(rows, _LINE), "category_refs": categories, **self._scope}
        stored = await ADD_ORDER_LINES.execute(self._connection, params)
        assert stored == len(lines), "every line is stored"
        return True

    async def move(self, order: Order) -> None:
        """Stores state, points and times of an order that was locked."""
        moved = {
            "state": order.state.value,
            "points_pending": order.points_pending,
            "points_earned": order.points_earned,
            "received_at": order.received_at,
            "cancelled_at": order.cancelled_at,
        }
        touched = await MOVE_ORDER.execute(self._connection, {**self._of(order.key), **moved})
        assert touched == 1, "the order was locked under the same scope"

    async def bonus_basis_points(self, member_id: MemberId) -> int:
        """What the member's tier adds to points today."""
        params = tier_params(member_id, now=self._now, zone=self._zone)
        row = await TIER_STANDINGS.row(self._connection, {**params, **self._scope})
        return bonus_of(row, now=self._now, zone=self._zone)

    async def add_pending(self, key: OrderKey, *, points: int) -> None:
        """Notes the points that an order promises; they wait for it to be received."""
        row = {"member_id": key.member_id, "order_id": key.order_id, "points": points, "release_at": None}
        stored = await ADD_PENDING_POINTS.execute(self._connection, columns_of([row], _PENDING) | self._scope)
        assert stored == 1, "the member is within the scope that serves it"

    async def release_later(self, key: OrderKey, *, release_at: datetime) -> None:
        """Notes when an order's points may be spent."""
        params = {**self._of(key), "release_at": release_at}
        touched = await RELEASE_POINTS_LATER.execute(self._connection, params)
        assert touched == 1, "an order with pending points has promised them"

    async def take_pending(self, key: OrderKey) -> int:
        """Removes what an order promises and answers how many points it was; 0 where there is nothing."""
        return int(await TAKE_PENDING_POINTS.value(self._connection, self._of(key)) or 0)

    async def due_members(self, *, limit: int) -> Sequence[MemberId]:
        """Members who have points that are due, not locked, the longest due first."""
        params = {"now": self._now, "limit": limit, **self._scope}
        rows = await MEMBERS_WITH_DUE_POINTS.fetch(self._connection, params)
        return list(dict.fromkeys(MemberId(row["member_id"]) for row in rows))

    async def due_orders(self, member_id: MemberId) -> Sequence[OrderId]:
        """The orders of a member whose points are due, the longest due first."""
        params = {"member_id": member_id, "now": self._now, **self._scope}
        rows = await ORDERS_WITH_DUE_POINTS.fetch(self._connection, params)
        return [OrderId(row["order_id"]) for row in rows]

    def _of(self, key: OrderKey) -> dict[str, object]:
        return {"member_id": key.member_id, "order_id": key.order_id, **self._scope}


def tier_params(member_id: MemberId, *, now: datetime, zone: ZoneInfo) -> Mapping[str, object]:
    """What TIER_STANDINGS asks for the standing of one member today, the scope left out."""
    since = local_date(now, zone=zone) - timedelta(days=DEFAULT_PROGRAMME.window_days - 1)
    return {"member_ids": [member_id], "since": since}


def bonus_of(row: Row | None, *, now: datetime, zone: ZoneInfo) -> int:
    """What the tier of a standing adds to points today: a tier whose keep is over counts as what it has fallen to."""
    metric = 0 if row is None else max(0, int(row["metric"]))
    today = local_date(now, zone=zone)
    standing = assess(standing_of(row), metric=metric, today=today, programme=DEFAULT_PROGRAMME)
    return standing.tier.bonus_basis_points
