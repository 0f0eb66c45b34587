"""Reservations and the coupons that they hold: each move is a statement that names the state it moves from."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from domain.coupons.model import CouponKey
from domain.coupons.wallet import HeldCoupon
from domain.orders.reservation_model import Reservation, ReservationKey, ReservationState
from domain.shared.ids import CampaignId, CouponId, MemberId, OrderId, ReservationId
from domain.shared.principal import Scope
from persistence.base import (
    Conn,
    Row,
    Statement,
    arrays,
    columns_of,
    current_instant,
    insert_rows,
    scope_params,
    within_scope,
)
from persistence.coupons.rows import coupon_of, template_of
from persistence.coupons.tables import coupons
from persistence.orders.carts import cart_document, cart_of
from persistence.orders.redemptions import TEMPLATES_OF_COUPONS
from persistence.orders.rows import quote_document, quote_of, shares_document
from persistence.orders.tables import reservations, reserved_coupons

if TYPE_CHECKING:
    from persistence.unit_of_work import Database

_MEMBER = sa.bindparam("member_id", type_=sa.Uuid)
_ID = sa.bindparam("reservation_id", type_=sa.Uuid)
_CAMPAIGN = sa.bindparam("campaign_id", type_=sa.Uuid)
_NOW = sa.bindparam("now", type_=sa.DateTime(timezone=True))
_HELD: Final[sa.ColumnElement[Any]] = sa.literal_column("'HELD'")
_RESERVED: Final[sa.ColumnElement[Any]] = sa.literal_column("'RESERVED'")
_CLAIMED: Final[sa.ColumnElement[Any]] = sa.literal_column("'CLAIMED'")
_OWN = within_scope(member=reservations.c.member_id)
_RESERVATION = (
    "member_id", "id", "order_ref", "state", "currency", "shipping_minor", "points", "cart", "quote", "reserved_at",
    "expires_at", "ended_at", "order_id", "late_capture",
)  # fmt: skip
_COUPON = ("member_id", "reservation_id", "coupon_id", "campaign_id", "discount_minor", "shares", "held")

LOCK_RESERVATION = Statement(
    "lock_reservation",
    sa.select(reservations)
    .where(reservations.c.member_id == _MEMBER, reservations.c.id == _ID, _OWN)
    .with_for_update(),
)
LOCK_HELD_RESERVATIONS = Statement(
    "lock_held_reservations",
    sa.select(reservations)
    .where(reservations.c.member_id == _MEMBER, reservations.c.state == _HELD, _OWN)
    .order_by(reservations.c.id)
    .with_for_update(),
)
_asked = arrays("asked", {"member_id": sa.Uuid(), "id": sa.Uuid()})
# Whose budget each coupon is held of.
RESERVED_COUPONS = Statement(
    "reserved_coupons",
    sa.select(reserved_coupons.c.reservation_id, reserved_coupons.c.coupon_id, reserved_coupons.c.campaign_id)
    .join_from(
        _asked,
        reserved_coupons,
        sa.and_(reserved_coupons.c.member_id == _asked.c.member_id, reserved_coupons.c.reservation_id == _asked.c.id),
    )
    .where(within_scope(member=reserved_coupons.c.member_id)),
)
LOCK_COUPONS = Statement(
    "lock_coupons",
    sa.select(*coupons.c, _NOW.label("read_at"))
    .join_from(_asked, coupons, sa.and_(coupons.c.member_id == _asked.c.member_id, coupons.c.id == _asked.c.id))
    .where(within_scope(member=coupons.c.member_id))
    .order_by(coupons.c.id)
    .with_for_update(of=coupons),
)
ADD_RESERVATION = Statement("add_reservation", insert_rows(reservations, _RESERVATION, member="member_id"))
ADD_RESERVED_COUPONS = Statement("add_reserved_coupons", insert_rows(reserved_coupons, _COUPON, member="member_id"))
RESERVE_COUPONS = Statement(
    "reserve_coupons",
    sa.update(coupons)
    .where(
        coupons.c.member_id == _asked.c.member_id,
        coupons.c.id == _asked.c.id,
        coupons.c.state == _CLAIMED,
        coupons.c.valid_until > _NOW,
        within_scope(member=coupons.c.member_id),
    )
    .values(
        state=_RESERVED,
        reservation_id=_ID,
        reserved_until=sa.bindparam("until", type_=sa.DateTime(timezone=True)),
    ),
)
RELEASE_COUPONS = Statement(
    "release_coupons",
    sa.update(coupons)
    .where(
        coupons.c.member_id == _MEMBER,
        coupons.c.reservation_id == _ID,
        coupons.c.state == _RESERVED,
        coupons.c.id == reserved_coupons.c.coupon_id,
        reserved_coupons.c.member_id == coupons.c.member_id,
        reserved_coupons.c.reservation_id == _ID,
        within_scope(member=coupons.c.member_id),
        within_scope(member=reserved_coupons.c.member_id),
    )
    .values(state=_CLAIMED, reservation_id=sa.null(), reserved_until=sa.null()),
)
FREE_RESERVED_COUPONS = Statement(
    "free_reserved_coupons",
    sa.update(reserved_coupons)
    .where(
        reserved_coupons.c.member_id == _MEMBER,
        reserved_coupons.c.reservation_id == _ID,
        reserved_coupons.c.held,
        within_scope(member=reserved_coupons.c.member_id),
    )
    .values(held=sa.false()),
)
END_RESERVATION = Statement(
    "end_reservation",
    sa.update(reservations)
    .where(
        reservations.c.member_id == _MEMBER,
        reservations.c.id == _ID,
        reservations.c.state == sa.bindparam("before", type_=sa.Text),
        _OWN,
    )
    .values(
        state=sa.bindparam("after", type_=sa.Text),
        ended_at=_NOW,
        order_id=sa.bindparam("order_id", type_=sa.Uuid),
        late_capture=sa.bindparam("late", type_=sa.Boolean),
    ),
)
OVERDUE_RESERVATIONS = Statement(
    "overdue_reservations",
    sa.select(reservations.c.member_id)
    .where(
        reservations.c.state == _HELD,
        reservations.c.expires_at <= _NOW,
        sa.or_(
            _CAMPAIGN.is_(None),
            sa.exists().where(
                reserved_coupons.c.member_id == reservations.c.member_id,
                reserved_coupons.c.reservation_id == reservations.c.id,
                reserved_coupons.c.campaign_id == _CAMPAIGN,
                reserved_coupons.c.held,
            ),
        ),
        _OWN,
    )
    .order_by(reservations.c.expires_at)
    .limit(sa.bindparam("limit", type_=sa.Integer)),
)
RESERVATIONS_BY_KEY = Statement(
    "reservations_by_key",
    sa.select(*reservations.c, current_instant().label("read_at"))
    .join_from(
        _asked,
        reservations,
        sa.and_(reservations.c.member_id == _asked.c.member_id, reservations.c.id == _asked.c.id),
    )
    .where(_OWN),
)


class SqlReservations:
    """Reservations in one transaction, within one scope."""

    def __init__(self, connection: Conn, *, scope: Scope, now: datetime) -> None:
        self._connection = connection
        self._scope = scope_params(scope)
        self._now = now

    async def lock_or_none(self, key: ReservationKey) -> Reservation | None:
        """The reservation, locked; none when there is none within the scope."""
        row = await LOCK_RESERVATION.row(self._connection, self._of(key))
        return None if row is None else (await self._whole([row]))[0]

    async def lock_held(self, member_id: MemberId) -> Sequence[Reservation]:
        """The member's reservations that are held, their time over or not, locked."""
        params = {"member_id": member_id, **self._scope}
        return await self._whole(await LOCK_HELD_RESERVATIONS.fetch(self._connection, params))

    async def _whole(self, rows: Sequence[Row]) -> Sequence[Reservation]:
        return await whole_reservations(self._connection, rows, scope=self._scope)

    async def lock_coupons(self, keys: Sequence[CouponKey]) -> Sequence[HeldCoupon]:
        """The coupons with their templates, locked; one that is not within the scope is not among them."""
        if not keys:
            return []
        rows = await LOCK_COUPONS.fetch(self._connection, {**_columns(keys), "now": self._now, **self._scope})
        ids = list({row["template_id"] for row in rows})
        found = await TEMPLATES_OF_COUPONS.fetch(self._connection, {"ids": ids, **self._scope})
        templates = {row["id"]: template_of(row) for row in found}
        return [HeldCoupon(coupon_of(row), templates[row["template_id"]]) for row in rows]

    async def hold(self, reservation: Reservation) -> None:
        """Stores a reservation and moves its coupons, which were locked, from CLAIMED to RESERVED."""
        row = columns_of([_reservation_row(reservation)], _RESERVATION)
        stored = await ADD_RESERVATION.execute(self._connection, row | self._scope)
        assert stored == 1, "the member is within the scope that serves it"
        if not reservation.coupons:
            return
        held = columns_of(_coupon_rows(reservation), _COUPON)
        await ADD_RESERVED_COUPONS.execute(self._connection, held | self._scope)
        params = {
            **_columns(reservation.coupons),
            "reservation_id": reservation.key.reservation_id,
            "until": reservation.expires_at,
            "now": self._now,
            **self._scope,
        }
        moved = await RESERVE_COUPONS.execute(self._connection, params)
        assert moved == len(reservation.coupons), "the coupons were locked and could be used"

    async def give_up(self, reservation: Reservation, *, state: ReservationState) -> None:
        """Moves a reservation that is held to RELEASED or EXPIRED, and its coupons from RESERVED to CLAIMED."""
        params = self._of(reservation.key)
        released = await RELEASE_COUPONS.execute(self._connection, params)
        assert released == len(reservation.coupons), "what is held is reserved"
        await self._end(reservation, after=state, order_id=reservation.order_id, late=False)

    async def pay(self, reservation: Reservation, *, order_id: OrderId, late: bool) -> None:
        """Moves a reservation from HELD, or late from EXPIRED, to REDEEMED; its coupons are redeemed one by one."""
        await self._end(reservation, after=ReservationState.REDEEMED, order_id=order_id, late=late)

    async def _end(self, reservation: Reservation, *, after: ReservationState, order_id: OrderId, late: bool) -> None:
        params = {
            **self._of(reservation.key),
            "before": (ReservationState.EXPIRED if late else ReservationState.HELD).value,
            "after": after.value,
            "order_id": order_id,
            "late": late,
        }
        moved = await END_RESERVATION.execute(self._connection, params)
        assert moved == 1, "the reservation was locked in that state"
        await FREE_RESERVED_COUPONS.execute(self._connection, self._of(reservation.key))

    async def overdue(self, *, limit: int, campaign_id: CampaignId | None = None) -> Sequence[MemberId]:
        """Members with reservations that are held though their time is over, not locked, the longest overdue first."""
        params = {"now": self._now, "limit": limit, "campaign_id": campaign_id, **self._scope}
        rows = await OVERDUE_RESERVATIONS.fetch(self._connection, params)
        return list(dict.fromkeys(MemberId(row["member_id"]) for row in rows))

    def _of(self, key: ReservationKey) -> dict[str, object]:
        return {
            "member_id": key.member_id,
            "reservation_id": key.reservation_id,
            "now": self._now,
            **self._scope,
        }


async def whole_reservations(
    connection: Conn, rows: Sequence[Row], *, scope: Mapping[str, object]
) -> Sequence[Reservation]:
    """Reservations from their rows, with whose budgets hold their coupons."""
    if not rows:
        return []
    params = {"member_id": [row["member_id"] for row in rows], "id": [row["id"] for row in rows], **scope}
    campaigns: defaultdict[ReservationId, dict[CouponId, CampaignId | None]] = defaultdict(dict)
    for row in await RESERVED_COUPONS.fetch(connection, params):
        campaigns[row["reservation_id"]][row["coupon_id"]] = row["campaign_id"]
    return [_reservation_of(row, campaign_ids=campaigns[row["id"]]) for row in rows]


def _reservation_of(row: Row, *, campaign_ids: Mapping[CouponId, CampaignId | None]) -> Reservation:
    cart = cart_of(row["cart"])
    return Reservation(
        key=ReservationKey(row["member_id"], row["id"]),
        order_ref=row["order_ref"],
        state=ReservationState(row["state"]),
        cart=cart,
        quote=quote_of(row["quote"], row=row, store_id=cart.store_id),
        campaign_ids=campaign_ids,
        points=row["points"],
        order_id=row["order_id"],
        reserved_at=row["reserved_at"],
        expires_at=row["expires_at"],
        late_capture=row["late_capture"],
    )


def _reservation_row(reservation: Reservation) -> dict[str, object]:
    return {
        "member_id": reservation.key.member_id,
        "id": reservation.key.reservation_id,
        "order_ref": reservation.order_ref,
        "state": reservation.state.value,
        "currency": reservation.quote.currency,
        "shipping_minor": reservation.quote.shipping_minor,
        "points": reservation.points,
        "cart": cart_document(reservation.cart),
        "quote": quote_document(reservation.quote),
        "reserved_at": reservation.reserved_at,
        "expires_at": reservation.expires_at,
        "ended_at": None,
        "order_id": reservation.order_id,
        "late_capture": reservation.late_capture,
    }


def _coupon_rows(reservation: Reservation) -> list[dict[str, object]]:
    return [
        {
            "member_id": reservation.key.member_id,
            "reservation_id": reservation.key.reservation_id,
            "coupon_id": one.coupon_id,
            "campaign_id": reservation.campaign_ids[one.coupon_id],
            "discount_minor": one.amount_minor,
            "shares": shares_document(one.shares),
            "held": True,
        }
        for one in reservation.quote.applied
    ]


def _columns(keys: Sequence[CouponKey]) -> dict[str, object]:
    return {"member_id": [key.member_id for key in keys], "id": [key.coupon_id for key in keys]}


class SqlReservationReads:
    """Reads of reservations."""

    def __init__(self, database: "Database") -> None:
        self._database = database

    async def reservations_by_key(
        self, keys: Sequence[ReservationKey], *, scope: Scope
    ) -> Mapping[ReservationKey, Reservation]:
        """These reservations, in their states of now."""
        params = {
            "member_id": [key.member_id for key in keys],
            "id": [key.reservation_id for key in keys],
            "now": self._database.set_now,
            **scope_params(scope),
        }
        async with self._database.read() as connection:
            rows = await RESERVATIONS_BY_KEY.fetch(connection, params)
            found = await whole_reservations(connection, rows, scope=scope_params(scope))
        read_at = {row["id"]: row["read_at"] for row in rows}
        return {one.key: replace(one, state=one.state_at(read_at[one.key.reservation_id])) for one in found}
