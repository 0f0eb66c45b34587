"""Coupons used and given back."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.coupons.model import Coupon, CouponKey
from domain.coupons.wallet import HeldCoupon
from domain.orders.model import OrderKey, Redemption
from domain.orders.refund_model import Returned
from domain.shared.ids import CouponId, ReservationId
from domain.shared.principal import Scope
from persistence.base import Conn, Statement, arrays, columns_of, insert_rows, scope_params, within_scope
from persistence.coupons.rows import coupon_of, template_of
from persistence.coupons.tables import coupons, redemptions, templates
from persistence.orders.rows import REDEMPTION_COLUMNS, redemption_of, redemption_row

_MEMBER = sa.bindparam("member_id", type_=sa.Uuid)
_COUPON = sa.bindparam("coupon_id", type_=sa.Uuid)
_ORDER = sa.bindparam("order_id", type_=sa.Uuid)
_NOW = sa.bindparam("now", type_=sa.DateTime(timezone=True))
_AMOUNT = sa.bindparam("amount", type_=sa.BigInteger)
_SCANNED_AT = sa.bindparam("scanned_at", type_=sa.DateTime(timezone=True))
_RESERVATION = sa.bindparam("reservation_id", type_=sa.Uuid)
_OWN = within_scope(member=coupons.c.member_id)
_COLUMNS = (*coupons.c, _NOW.label("read_at"))

LOCK_COUPON = Statement(
    "lock_coupon",
    sa.select(*_COLUMNS).where(coupons.c.member_id == _MEMBER, coupons.c.id == _COUPON, _OWN).with_for_update(),
)
# A template that has coupons is published, and does not change any more.
TEMPLATES_OF_COUPONS = Statement(
    "templates_of_coupons",
    sa.select(templates).where(
        templates.c.id == sa.any_(sa.bindparam("ids", type_=pg.ARRAY(sa.Uuid))),
        sa.or_(templates.c.state == sa.literal_column("'PUBLISHED'"), within_scope(merchant=templates.c.merchant_id)),
    ),
)
REDEEM_COUPON = Statement(
    "redeem_coupon",
    sa.update(coupons)
    .where(
        coupons.c.member_id == _MEMBER,
        coupons.c.id == _COUPON,
        sa.or_(
            sa.and_(coupons.c.state == sa.literal_column("'CLAIMED'"), coupons.c.valid_until > _NOW),
            # What was reserved in time is used in time, whatever became of its validity.
            sa.and_(coupons.c.state == sa.literal_column("'RESERVED'"), coupons.c.reservation_id == _RESERVATION),
            # So is what was scanned in time by a till without a network, swept or not.
            sa.and_(
                sa.or_(
                    coupons.c.state == sa.literal_column("'CLAIMED'"), coupons.c.state == sa.literal_column("'EXPIRED'")
                ),
                coupons.c.valid_until > _SCANNED_AT,
            ),
        ),
        sa.or_(coupons.c.balance_minor.is_(None), coupons.c.balance_minor >= _AMOUNT),
        _OWN,
    )
    .values(
        # What an order leaves of a balance stays; without a balance the comparison is null, and all of it is used.
        state=sa.case(
            (coupons.c.balance_minor > _AMOUNT, sa.literal_column("'CLAIMED'")), else_=sa.literal_column("'REDEEMED'")
        ),
        balance_minor=coupons.c.balance_minor - _AMOUNT,
        reservation_id=sa.null(),
        reserved_until=sa.null(),
    ),
)
_given_back = arrays(
    "given_back",
    {"member_id": sa.Uuid(), "id": sa.Uuid(), "amount": sa.BigInteger(), "until": sa.DateTime(timezone=True)},
)
_has_balance = coupons.c.balance_minor.is_not(None)
_is_voided = coupons.c.state == sa.literal_column("'VOIDED'")
# GREATEST passes over what is null: without grace the validity is as it was.
_valid_until = sa.case(
    (_is_voided, coupons.c.valid_until), else_=sa.func.greatest(coupons.c.valid_until, _given_back.c.until)
)
RESTORE_COUPONS = Statement(
    "restore_coupons",
    sa.update(coupons)
    .where(
        coupons.c.member_id == _given_back.c.member_id,
        coupons.c.id == _given_back.c.id,
        # A balance gets its part back wherever the coupon is; one that is held or was voided stays so.
        sa.or_(coupons.c.state == sa.literal_column("'REDEEMED'"), _has_balance),
        _OWN,
    )
    .values(
        state=sa.case(
            (sa.or_(coupons.c.state == sa.literal_column("'RESERVED'"), _is_voided), coupons.c.state),
            (_valid_until <= _NOW, sa.literal_column("'EXPIRED'")),
            else_=sa.literal_column("'CLAIMED'"),
        ),
        valid_until=_valid_until,
        balance_minor=coupons.c.balance_minor + _given_back.c.amount,
    )
    .returning(*_COLUMNS),
)
VOID_COUPON = Statement(
    "void_coupon",
    sa.update(coupons)
    .where(
        coupons.c.member_id == _MEMBER,
        coupons.c.id == _COUPON,
        coupons.c.state == sa.literal_column("'CLAIMED'"),
        _OWN,
    )
    .values(state=sa.literal_column("'VOIDED'")),
)
ADD_REDEMPTION = Statement("add_redemption", insert_rows(redemptions, REDEMPTION_COLUMNS, member="member_id"))
REDEMPTIONS_OF_ORDER = Statement(
    "redemptions_of_order",
    sa.select(redemptions)
    .where(
        redemptions.c.member_id == _MEMBER,
        redemptions.c.order_id == _ORDER,
        within_scope(member=redemptions.c.member_id),
    )
    .order_by(redemptions.c.coupon_id),
)


class SqlRedemptions:
    """Redemptions in one transaction, within one scope."""

    def __init__(self, connection: Conn, *, scope: Scope, now: datetime) -> None:
        self._connection = connection
        self._scope = scope_params(scope)
        self._now = now

    async def lock_coupon(self, key: CouponKey) -> HeldCoupon | None:
        """The coupon, locked, with its template; none when there is none within the scope."""
        row = await LOCK_COUPON.row(self._connection, self._of(key))
        if row is None:
            return None
        template = await TEMPLATES_OF_COUPONS.row(self._connection, {"ids": [row["template_id"]], **self._scope})
        assert template is not None, "a coupon is of a published template"
        return HeldCoupon(coupon_of(row), template_of(template))

    async def redeem(
        self,
        key: CouponKey,
        *,
        amount_minor: int,
        reservation_id: ReservationId | None = None,
        scanned_at: datetime | None = None,
    ) -> None:
        """Moves a coupon that was locked from CLAIMED to REDEEMED; one of whose balance something is left stays.

        With a reservation: from RESERVED, where that is what holds it; one with a balance is CLAIMED then. One that a
        till without a network scanned in time is redeemed though it has expired since.
        """
        given = {"amount": amount_minor, "reservation_id": reservation_id, "scanned_at": scanned_at}
        moved = await REDEEM_COUPON.execute(self._connection, {**self._of(key), **given})
        assert moved == 1, "the coupon was locked and could be used"

    async def restore(self, returned: Sequence[Returned]) -> Mapping[CouponId, Coupon]:
        """Moves coupons from REDEEMED back to CLAIMED, or to EXPIRED where their time is over; as they are now.

        A coupon that keeps a balance gets its amount back, and stays RESERVED or VOIDED where it is so. Grace makes the
        validity of any but a VOIDED one last longer; a balance that had expired is CLAIMED again by it.
        """
        params = {
            "member_id": [one.coupon.member_id for one in returned],
            "id": [one.coupon.coupon_id for one in returned],
            "amount": [one.amount_minor for one in returned],
            "until": [one.valid_until_at_least for one in returned],
            "now": self._now,
            **self._scope,
        }
        restored = [coupon_of(row) for row in await RESTORE_COUPONS.fetch(self._connection, params)]
        assert len(restored) == len(returned), "a coupon with a live redemption is redeemed"
        return {coupon.id: coupon for coupon in restored}

    async def void(self, key: CouponKey) -> None:
        """Moves a coupon that was locked from CLAIMED to VOIDED."""
        moved = await VOID_COUPON.execute(self._connection, self._of(key))
        assert moved == 1, "the coupon was locked and could be used"

    async def add(self, redemption: Redemption) -> None:
        """Stores a redemption."""
        rows = columns_of([redemption_row(redemption)], REDEMPTION_COLUMNS)
        stored = await ADD_REDEMPTION.execute(self._connection, rows | self._scope)
        assert stored == 1, "the member is within the scope that serves it"

    async def of_order(self, key: OrderKey) -> Sequence[Redemption]:
        """The redemptions of an order, by coupon; those that were reversed since too."""
        rows = await REDEMPTIONS_OF_ORDER.fetch(self._connection, self._of_order(key))
        return [redemption_of(row) for row in rows]

    def _of(self, key: CouponKey) -> dict[str, object]:
        return {"member_id": key.member_id, "coupon_id": key.coupon_id, "now": self._now, **self._scope}

    def _of_order(self, key: OrderKey) -> dict[str, object]:
        return {"member_id": key.member_id, "order_id": key.order_id, **self._scope}
