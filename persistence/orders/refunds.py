"""Refunds: orders as refunds find them, and refunds written."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from domain.coupons.cart import CartLine
from domain.orders.model import Order, OrderKey, OrderLine
from domain.orders.refund_model import SHIPPING, CouponUse, Earned, Refund, RefundedOrder, bearer_of
from domain.orders.refund_parts import LineStanding, parts_of
from domain.points.journal import Draw, Lot
from domain.shared.principal import Scope
from persistence.base import Conn, Row, Statement, arrays, columns_of, insert_rows, scope_params, within_scope
from persistence.coupons.tables import redemptions
from persistence.orders.redemptions import REDEMPTIONS_OF_ORDER
from persistence.orders.refund_tables import receivables, refund_discounts, refund_lines, refunds
from persistence.orders.rows import redemption_of
from persistence.orders.tables import order_lines, orders
from persistence.points.tables import entries, lot_draws, lots, pending, postings

_MEMBER = sa.bindparam("member_id", type_=sa.Uuid)
_ORDER = sa.bindparam("order_id", type_=sa.Uuid)
_NOW = sa.bindparam("now", type_=sa.DateTime(timezone=True))
_POINTS = sa.bindparam("points", type_=sa.BigInteger)
_ZERO: Final[sa.ColumnElement[int]] = sa.literal_column("0")
_REFUND = (
    "member_id", "id", "order_id", "ordinal", "amount_minor", "points_returned", "points_clawed_back", "refunded_at",
    "cause",
)  # fmt: skip
_LINE = ("member_id", "refund_id", "line_id", "order_id", "quantity", "amount_minor")
_DISCOUNT = (
    "member_id", "refund_id", "line_id", "bearer", "order_id", "redemption_id", "amount_minor", "shares",
)  # fmt: skip
_RECEIVABLE = ("member_id", "refund_id", "redemption_id", "order_id", "amount_minor")


def _of_order(table: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
    return (table.c.member_id == _MEMBER, table.c.order_id == _ORDER, within_scope(member=table.c.member_id))


def _sum(column: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    # PostgreSQL's sum of bigint is numeric, which would arrive as a Decimal.
    return sa.cast(sa.func.coalesce(sa.func.sum(column), _ZERO), sa.BigInteger)


LINES_OF_ORDER = Statement(
    "refundable_lines", sa.select(order_lines).where(*_of_order(order_lines)).order_by(order_lines.c.position)
)
TAKEN_BACK = Statement(
    "taken_back_discounts",
    sa.select(
        refund_discounts.c.line_id, refund_discounts.c.bearer, _sum(refund_discounts.c.amount_minor).label("minor")
    )
    .where(*_of_order(refund_discounts))
    .group_by(refund_discounts.c.line_id, refund_discounts.c.bearer),
)
REFUNDS_OF_ORDER = Statement(
    "refunds_of_order",
    sa.select(
        sa.func.count().label("refunds"),
        _sum(refunds.c.points_returned).label("points_returned"),
        _sum(refunds.c.points_clawed_back).label("points_clawed_back"),
    ).where(*_of_order(refunds)),
)
RECEIVABLES_OF_ORDER = Statement(
    "receivables_of_order",
    sa.select(receivables.c.redemption_id, _sum(receivables.c.amount_minor).label("minor"))
    .where(*_of_order(receivables))
    .group_by(receivables.c.redemption_id),
)
ADD_REFUND = Statement("add_refund", insert_rows(refunds, _REFUND, member="member_id"))
ADD_REFUND_LINES = Statement("add_refund_lines", insert_rows(refund_lines, _LINE, member="member_id"))
ADD_REFUND_DISCOUNTS = Statement("add_refund_discounts", insert_rows(refund_discounts, _DISCOUNT, member="member_id"))
ADD_RECEIVABLES = Statement("add_receivables", insert_rows(receivables, _RECEIVABLE, member="member_id"))
_units = arrays("returned", {"line_id": sa.Text(), "quantity": sa.BigInteger()})
RETURN_UNITS = Statement(
    "return_units",
    sa.update(order_lines)
    .where(
        *_of_order(order_lines),
        order_lines.c.line_id == _units.c.line_id,
        order_lines.c.refunded_quantity + _units.c.quantity <= order_lines.c.quantity,
    )
    .values(refunded_quantity=order_lines.c.refunded_quantity + _units.c.quantity),
)
_AMOUNT = sa.bindparam("amount", type_=sa.BigInteger)
REFUND_ORDER = Statement(
    "refund_order",
    sa.update(orders)
    .where(
        orders.c.member_id == _MEMBER,
        orders.c.id == _ORDER,
        orders.c.refunded_minor + _AMOUNT <= orders.c.paid_minor,
        within_scope(member=orders.c.member_id),
    )
    .values(refunded_minor=orders.c.refunded_minor + _AMOUNT),
)
_taken = arrays("taken", {"id": sa.Uuid(), "minor": sa.BigInteger()})
_after = redemptions.c.refunded_minor + _taken.c.minor
REFUND_REDEMPTIONS = Statement(
    "refund_redemptions",
    sa.update(redemptions)
    .where(
        redemptions.c.member_id == _MEMBER,
        redemptions.c.id == _taken.c.id,
        redemptions.c.reversed_at.is_(None),
        _after <= redemptions.c.discount_minor,
        within_scope(member=redemptions.c.member_id),
    )
    .values(
        refunded_minor=_after, reversed_at=sa.case((_after == redemptions.c.discount_minor, _NOW), else_=sa.null())
    ),
)
LOWER_PENDING_POINTS = Statement(
    "lower_pending_points",
    sa.update(pending).where(*_of_order(pending), pending.c.points > _POINTS).values(points=pending.c.points - _POINTS),
)
END_PENDING_POINTS = Statement(
    "end_pending_points", sa.delete(pending).where(*_of_order(pending), pending.c.points == _POINTS)
)
_LOT = (lots.c.id.label("lot_id"), lots.c.remaining, lots.c.earned_at, lots.c.expires_at)
_other = entries.alias("other")
_expired_of_lot = (
    sa.select(_sum(lot_draws.c.points))
    .select_from(
        lot_draws.join(
            _other, sa.and_(_other.c.member_id == lot_draws.c.member_id, _other.c.id == lot_draws.c.entry_id)
        )
    )
    .where(
        lot_draws.c.member_id == lots.c.member_id,
        lot_draws.c.lot_id == lots.c.id,
        _other.c.kind == sa.literal_column("'EXPIRE'"),
        within_scope(member=lot_draws.c.member_id),
        within_scope(member=_other.c.member_id),
    )
    .correlate(lots)
    .scalar_subquery()
)
_taken_of_expired = (
    sa.select(_sum(-postings.c.amount))
    .select_from(
        postings.join(_other, sa.and_(_other.c.member_id == postings.c.member_id, _other.c.id == postings.c.entry_id))
    )
    .where(
        _other.c.member_id == entries.c.member_id,
        _other.c.order_id == entries.c.order_id,
        _other.c.kind == sa.literal_column("'CLAWBACK'"),
        postings.c.account == sa.literal_column("'EXPIRED'"),
        within_scope(member=postings.c.member_id),
        within_scope(member=_other.c.member_id),
    )
    .correlate(entries)
    .scalar_subquery()
)
EARNED_BY_ORDER = Statement(
    "earned_by_order",
    sa.select(
        entries.c.occurred_at,
        *_LOT,
        _expired_of_lot.label("expired"),
        _taken_of_expired.label("taken_of_expired"),
    )
    .select_from(
        entries.outerjoin(
            lots,
            sa.and_(
                lots.c.member_id == entries.c.member_id,
                lots.c.entry_id == entries.c.id,
                within_scope(member=lots.c.member_id),
            ),
        )
    )
    .where(*_of_order(entries), entries.c.kind == sa.literal_column("'EARN'"))
    .order_by(entries.c.occurred_at, entries.c.id),
)
SPENT_ON_ORDER = Statement(
    "spent_on_order",
    sa.select(lot_draws.c.points, *_LOT)
    .select_from(
        entries.join(
            lot_draws, sa.and_(lot_draws.c.member_id == entries.c.member_id, lot_draws.c.entry_id == entries.c.id)
        ).join(lots, sa.and_(lots.c.member_id == lot_draws.c.member_id, lots.c.id == lot_draws.c.lot_id))
    )
    .where(
        *_of_order(entries),
        entries.c.kind == sa.literal_column("'SPEND'"),
        within_scope(member=lot_draws.c.member_id),
        within_scope(member=lots.c.member_id),
    )
    # The order in which points are spent.
    .order_by(lots.c.expires_at.nulls_last(), lots.c.earned_at, sa.cast(lots.c.id, sa.Text)),
)


class SqlRefunds:
    """Refunds in one transaction, within one scope."""

    def __init__(self, connection: Conn, *, scope: Scope, now: datetime) -> None:
        self._connection = connection
        self._scope = scope_params(scope)
        self._now = now

    async def found(self, order: Order) -> RefundedOrder:
        """The order with its parts as earlier refunds have left them, and all of its uses of coupons."""
        connection, params = self._connection, self._of(order.key)
        lines = [_standing_of(row) for row in await LINES_OF_ORDER.fetch(connection, params)]
        rows = await TAKEN_BACK.fetch(connection, params)
        taken = {(row["line_id"], row["bearer"]): int(row["minor"]) for row in rows}
        due = {row["redemption_id"]: row["minor"] for row in await RECEIVABLES_OF_ORDER.fetch(connection, params)}
        uses = [redemption_of(row) for row in await REDEMPTIONS_OF_ORDER.fetch(connection, params)]
        earlier = await REFUNDS_OF_ORDER.row(connection, params)
        assert earlier is not None, "a count is always answered"
        return RefundedOrder(
            order=order,
            lines=tuple(one.line for one in lines),
            parts=parts_of(order, lines, taken=taken),
            uses=tuple(CouponUse(one, due.get(one.id, 0)) for one in uses),
            refunds=earlier["refunds"],
            points_clawed_back=earlier["points_clawed_back"],
            points_returned=earlier["points_returned"],
            points_used=order.points_used,
        )

    async def record(self, refund: Refund) -> None:
        """Stores a refund, and what it leaves of the order's lines and redemptions."""
        connection, of_order = self._connection, self._of(refund.key)
        common = {"member_id": refund.key.member_id, "order_id": refund.key.order_id, "refund_id": refund.id}
        await ADD_REFUND.execute(connection, columns_of([_refund_row(refund)], _REFUND) | self._scope)
        lines = [
            {**common, "line_id": one.part_id, "quantity": one.quantity, "amount_minor": one.amount_minor}
            for one in refund.settled.returned
        ]
        await ADD_REFUND_LINES.execute(connection, columns_of(lines, _LINE) | self._scope)
        await self._discounts(refund, common=common)
        due = [
            {**common, "redemption_id": one.redemption.id, "amount_minor": one.receivable_minor}
            for one in refund.redemptions
            if one.receivable_minor
        ]
        if due:
            await ADD_RECEIVABLES.execute(connection, columns_of(due, _RECEIVABLE) | self._scope)
        goods = [one for one in refund.settled.returned if one.quantity and one.part_id != SHIPPING]
        units = {"line_id": [one.part_id for one in goods], "quantity": [one.quantity for one in goods]}
        touched = await RETURN_UNITS.execute(connection, {**of_order, **units})
        assert touched == len(goods), "no more units are returned than there are"
        touched = await REFUND_ORDER.execute(connection, {**of_order, "amount": refund.settled.amount_minor})
        assert touched == 1, "no more is refunded than was paid"

    async def _discounts(self, refund: Refund, *, common: Mapping[str, object]) -> None:
        by_bearer = {bearer_of(one.redemption.coupon_id): one.redemption.id for one in refund.redemptions}
        rows = [
            {
                **common,
                "line_id": one.part_id,
                "bearer": one.bearer,
                "redemption_id": by_bearer.get(one.bearer),
                "amount_minor": one.amount_minor,
                "shares": {share.funder.value: share.amount_minor for share in one.shares},
            }
            for one in refund.settled.taken_back
        ]
        if rows:
            await ADD_REFUND_DISCOUNTS.execute(self._connection, columns_of(rows, _DISCOUNT) | self._scope)
        taken = [one for one in refund.redemptions if one.taken_back_minor]
        if taken:
            params = {
                "member_id": refund.key.member_id,
                "id": [one.redemption.id for one in taken],
                "minor": [one.taken_back_minor for one in taken],
                "now": self._now,
                **self._scope,
            }
            touched = await REFUND_REDEMPTIONS.execute(self._connection, params)
            assert touched == len(taken), "no more of a discount is taken back than there was"

    async def lower_pending(self, key: OrderKey, *, points: int) -> None:
        """Takes points from those that the order promises."""
        params = {**self._of(key), "points": points}
        if await END_PENDING_POINTS.execute(self._connection, params) == 0:
            touched = await LOWER_PENDING_POINTS.execute(self._connection, params)
            assert touched == 1, "an order promises what it waits for"

    async def earned(self, key: OrderKey) -> Earned | None:
        """When the order's points were released, and its own lots; None: they were not."""
        rows = await EARNED_BY_ORDER.fetch(self._connection, self._of(key))
        if not rows:
            return None
        in_lots = [row for row in rows if row["lot_id"] is not None]
        expired = sum(row["expired"] for row in in_lots) - rows[0]["taken_of_expired"]
        return Earned(rows[0]["occurred_at"], tuple(map(_lot_of, in_lots)), expired)

    async def spent(self, key: OrderKey) -> Sequence[tuple[Draw, Lot]]:
        """What the order was paid with of which lots, in the order in which it was drawn, with the lots as they are."""
        rows = await SPENT_ON_ORDER.fetch(self._connection, self._of(key))
        return [(Draw(row["lot_id"], row["points"]), _lot_of(row)) for row in rows]

    def _of(self, key: OrderKey) -> dict[str, object]:
        return {"member_id": key.member_id, "order_id": key.order_id, **self._scope}


def _refund_row(refund: Refund) -> dict[str, object]:
    return {
        "member_id": refund.key.member_id,
        "id": refund.id,
        "order_id": refund.key.order_id,
        "ordinal": refund.ordinal,
        "amount_minor": refund.settled.amount_minor,
        "points_returned": refund.points_returned,
        "points_clawed_back": refund.points_clawed_back,
        "refunded_at": refund.refunded_at,
        "cause": refund.cause.value,
    }


def _lot_of(row: Row) -> Lot:
    return Lot(row["lot_id"], row["remaining"], row["earned_at"], row["expires_at"])


def _standing_of(row: Row) -> LineStanding:
    line = CartLine(
        id=row["line_id"],
        product_ref=row["product_ref"],
        merchant_id=row["merchant_id"],
        quantity=row["quantity"],
        unit_price_minor=row["unit_price_minor"],
        category_refs=frozenset(row["category_refs"]),
        at_member_price=row["at_member_price"],
    )
    return LineStanding(OrderLine(line, row["discount_minor"]), row["points_minor"], row["refunded_quantity"])
