"""Coupons used and given back, and what that costs the budgets of campaigns."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.coupons.model import Coupon, CouponKey
from domain.coupons.wallet import HeldCoupon
from domain.orders.model import OrderKey, Redemption
from domain.shared.ids import CouponId
from domain.shared.principal import Scope
from persistence.base import Conn, Statement, arrays, columns_of, insert_rows, scope_params, within_scope
from persistence.campaigns.tables import campaign_budgets, campaigns
from persistence.coupons.rows import coupon_of, template_of
from persistence.coupons.tables import coupons, redemptions, templates
from persistence.orders.rows import REDEMPTION_COLUMNS, redemption_of, redemption_row

_MEMBER = sa.bindparam("member_id", type_=sa.Uuid)
_COUPON = sa.bindparam("coupon_id", type_=sa.Uuid)
_ORDER = sa.bindparam("order_id", type_=sa.Uuid)
_NOW = sa.bindparam("now", type_=sa.DateTime(timezone=True))
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
        coupons.c.state == sa.literal_column("'CLAIMED'"),
        coupons.c.valid_until > _NOW,
        _OWN,
    )
    .values(state=sa.literal_column("'REDEEMED'")),
)
_given_back = arrays("given_back", {"member_id": sa.Uuid(), "id": sa.Uuid()})
RESTORE_COUPONS = Statement(
    "restore_coupons",
    sa.update(coupons)
    .where(
        coupons.c.member_id == _given_back.c.member_id,
        coupons.c.id == _given_back.c.id,
        coupons.c.state == sa.literal_column("'REDEEMED'"),
        _OWN,
    )
    .values(
        state=sa.case(
            (coupons.c.valid_until <= _NOW, sa.literal_column("'EXPIRED'")), else_=sa.literal_column("'CLAIMED'")
        )
    )
    .returning(*_COLUMNS),
)
ADD_REDEMPTION = Statement("add_redemption", insert_rows(redemptions, REDEMPTION_COLUMNS, member="member_id"))
_LIVE_OF_ORDER = (
    redemptions.c.member_id == _MEMBER,
    redemptions.c.order_id == _ORDER,
    redemptions.c.reversed_at.is_(None),
    within_scope(member=redemptions.c.member_id),
)
REDEMPTIONS_OF_ORDER = Statement(
    "redemptions_of_order", sa.select(redemptions).where(*_LIVE_OF_ORDER).order_by(redemptions.c.coupon_id)
)
REVERSE_REDEMPTIONS = Statement(
    "reverse_redemptions", sa.update(redemptions).where(*_LIVE_OF_ORDER).values(reversed_at=_NOW)
)
# A budget is its campaign's, whose coupon the member has: through the coupon the scope that serves the member reaches.
_CHARGED = (
    coupons.c.member_id == _MEMBER,
    coupons.c.id == _COUPON,
    templates.c.id == coupons.c.template_id,
    campaigns.c.id == templates.c.campaign_id,
    _OWN,
)
_AMOUNT = sa.bindparam("amount", type_=sa.BigInteger)
_BUDGET = (*_CHARGED, campaign_budgets.c.campaign_id == campaigns.c.id)
CHARGE_BUDGET = Statement(
    "charge_budget",
    sa.update(campaign_budgets)
    .where(
        *_BUDGET,
        campaigns.c.budget_currency == sa.bindparam("currency", type_=sa.Text),
        campaign_budgets.c.redeemed_minor + campaign_budgets.c.reserved_minor + _AMOUNT <= campaigns.c.budget_minor,
    )
    .values(redeemed_minor=campaign_budgets.c.redeemed_minor + _AMOUNT),
)
GIVE_BACK_TO_BUDGET = Statement(
    "give_back_to_budget",
    sa.update(campaign_budgets)
    .where(*_BUDGET, campaign_budgets.c.redeemed_minor >= _AMOUNT)
    .values(redeemed_minor=campaign_budgets.c.redeemed_minor - _AMOUNT),
)
HAS_BUDGET = Statement(
    "has_budget",
    sa.select(campaigns.c.budget_minor.is_not(None)).select_from(coupons, templates, campaigns).where(*_CHARGED),
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

    async def redeem(self, key: CouponKey) -> None:
        """Moves a coupon that was locked from CLAIMED to REDEEMED."""
        moved = await REDEEM_COUPON.execute(self._connection, self._of(key))
        assert moved == 1, "the coupon was locked and could be used"

    async def restore(self, keys: Sequence[CouponKey]) -> Mapping[CouponId, Coupon]:
        """Moves coupons from REDEEMED back to CLAIMED, or to EXPIRED where their time is over; as they are now."""
        params = {
            "member_id": [key.member_id for key in keys],
            "id": [key.coupon_id for key in keys],
            "now": self._now,
            **self._scope,
        }
        restored = [coupon_of(row) for row in await RESTORE_COUPONS.fetch(self._connection, params)]
        assert len(restored) == len(keys), "a coupon with a live redemption is redeemed"
        return {coupon.id: coupon for coupon in restored}

    async def add(self, redemption: Redemption) -> None:
        """Stores a redemption."""
        rows = columns_of([redemption_row(redemption)], REDEMPTION_COLUMNS)
        stored = await ADD_REDEMPTION.execute(self._connection, rows | self._scope)
        assert stored == 1, "the member is within the scope that serves it"

    async def of_order(self, key: OrderKey) -> Sequence[Redemption]:
        """The redemptions of an order that were not reversed, by coupon."""
        rows = await REDEMPTIONS_OF_ORDER.fetch(self._connection, self._of_order(key))
        return [redemption_of(row) for row in rows]

    async def reverse(self, key: OrderKey) -> None:
        """Marks the redemptions of an order as reversed."""
        await REVERSE_REDEMPTIONS.execute(self._connection, {**self._of_order(key), "now": self._now})

    async def charge_budget(self, redemption: Redemption) -> bool:
        """Takes a discount from the budget of its campaign, if there is one; False when it does not cover it.

        A budget of another currency covers nothing.
        """
        if redemption.campaign_id is None:
            return True
        params = {
            **self._of(redemption.coupon),
            "amount": redemption.discount_minor,
            "currency": redemption.currency,
        }
        if await CHARGE_BUDGET.execute(self._connection, params) == 1:
            return True
        return not await HAS_BUDGET.value(self._connection, self._of(redemption.coupon))

    async def give_back_to_budget(self, redemption: Redemption) -> None:
        """Gives a discount back to the budget that it was taken from."""
        if redemption.campaign_id is None:
            return
        params = {**self._of(redemption.coupon), "amount": redemption.discount_minor}
        given = await GIVE_BACK_TO_BUDGET.execute(self._connection, params)
        assert given == 1 or not await HAS_BUDGET.value(self._connection, self._of(redemption.coupon)), (
            "what was taken can be given back"
        )

    def _of(self, key: CouponKey) -> dict[str, object]:
        return {"member_id": key.member_id, "coupon_id": key.coupon_id, "now": self._now, **self._scope}

    def _of_order(self, key: OrderKey) -> dict[str, object]:
        return {"member_id": key.member_id, "order_id": key.order_id, **self._scope}
