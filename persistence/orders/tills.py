"""Tokens that were used, and what stores redeemed without a network, in PostgreSQL: the keys and the sums decide."""

from datetime import datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa

from domain.coupons.model import CouponKey
from domain.orders.tills import DEFAULT_OFFLINE_LIMITS, OfflineLimits, OfflineScan
from domain.shared.ids import MerchantId, OrderId, StoreId
from domain.shared.principal import Scope
from persistence.base import Conn, Statement, columns_of, insert_rows, scope_params, within_scope
from persistence.orders.till_tables import offline_days, offline_limits, token_uses

# Under the nil store stands what holds for a merchant's stores that have no limits of their own.
ANY_STORE: Final = UUID(int=0)

_USE = (
    "member_id", "token_hash", "coupon_id", "order_id", "used_at", "scanned_at", "offline_store_id", "offline_on",
    "offline_minor",
)  # fmt: skip
USE_TOKEN = Statement(
    "use_redemption_token",
    insert_rows(token_uses, _USE, member="member_id").on_conflict_do_nothing(
        index_elements=["member_id", "token_hash"]
    ),
)
_DAY = ("merchant_id", "store_id", "on_date", "accepted_count", "accepted_minor")
OPEN_OFFLINE_DAY = Statement(
    "open_offline_day",
    insert_rows(offline_days, _DAY, merchant="merchant_id").on_conflict_do_nothing(
        index_elements=["merchant_id", "store_id", "on_date"]
    ),
)
_MERCHANT = sa.bindparam("merchant", type_=sa.Uuid)
_STORE = sa.bindparam("store", type_=sa.Uuid)
_AMOUNT = sa.bindparam("amount", type_=sa.BigInteger)
LOCK_OFFLINE_DAY = Statement(
    "lock_offline_day",
    sa.select(offline_days)
    .where(
        offline_days.c.merchant_id == _MERCHANT,
        offline_days.c.store_id == _STORE,
        offline_days.c.on_date == sa.bindparam("day", type_=sa.Date),
        within_scope(merchant=offline_days.c.merchant_id),
    )
    .with_for_update(),
)
OFFLINE_LIMITS = Statement(
    "offline_limits",
    sa.select(offline_limits)
    .where(
        offline_limits.c.merchant_id == _MERCHANT,
        sa.or_(
            offline_limits.c.store_id == _STORE,
            offline_limits.c.store_id == sa.bindparam("any_store", type_=sa.Uuid),
        ),
        within_scope(merchant=offline_limits.c.merchant_id),
    )
    # The store's own come first.
    .order_by((offline_limits.c.store_id == _STORE).desc())
    .limit(sa.literal_column("1")),
)
COUNT_OFFLINE = Statement(
    "count_offline_redemption",
    sa.update(offline_days)
    .where(
        offline_days.c.merchant_id == _MERCHANT,
        offline_days.c.store_id == _STORE,
        offline_days.c.on_date == sa.bindparam("day", type_=sa.Date),
        offline_days.c.accepted_count < sa.bindparam("max_count", type_=sa.BigInteger),
        offline_days.c.accepted_minor + _AMOUNT <= sa.bindparam("max_minor", type_=sa.BigInteger),
        within_scope(merchant=offline_days.c.merchant_id),
    )
    .values(
        accepted_count=offline_days.c.accepted_count + sa.literal_column("1"),
        accepted_minor=offline_days.c.accepted_minor + _AMOUNT,
    ),
)
_LIMITS = ("merchant_id", "store_id", "max_count", "max_minor", "changed_at")
_set_limits = insert_rows(offline_limits, _LIMITS, merchant="merchant_id")
SET_OFFLINE_LIMITS = Statement(
    "set_offline_limits",
    _set_limits.on_conflict_do_update(
        index_elements=["merchant_id", "store_id"],
        set_={name: _set_limits.excluded[name] for name in _LIMITS[2:]},
    ),
)


class SqlTills:
    """Tills in one transaction, within one scope."""

    def __init__(self, connection: Conn, *, scope: Scope, now: datetime) -> None:
        self._connection = connection
        self._scope = scope_params(scope)
        self._now = now

    async def use_token(
        self, hash_: bytes, *, coupon: CouponKey, order_id: OrderId, scan: OfflineScan | None, discount_minor: int
    ) -> bool:
        """Notes that a token was used; False where it was used before, were it at the same moment."""
        row = {
            "member_id": coupon.member_id,
            "token_hash": hash_,
            "coupon_id": coupon.coupon_id,
            "order_id": order_id,
            "used_at": self._now,
            "scanned_at": None if scan is None else scan.scanned_at,
            "offline_store_id": None if scan is None else scan.store_id,
            "offline_on": None if scan is None else scan.on_date,
            "offline_minor": None if scan is None else discount_minor,
        }
        return await USE_TOKEN.execute(self._connection, columns_of([row], _USE) | self._scope) == 1

    async def accept_unseen(self, scan: OfflineScan, *, discount_minor: int | None) -> OfflineLimits | None:
        """Counts a redemption towards the limits of its store's day; the limits where they do not allow it.

        None is a discount that the limits cannot be held against: they do not allow it.

        The day's row is locked before the limits are read: who was let in before has been counted.
        """
        row = {
            "merchant_id": scan.merchant_id,
            "store_id": scan.store_id,
            "on_date": scan.on_date,
            "accepted_count": 0,
            "accepted_minor": 0,
        }
        await OPEN_OFFLINE_DAY.execute(self._connection, columns_of([row], _DAY) | self._scope)
        params = {"merchant": scan.merchant_id, "store": scan.store_id, "day": scan.on_date, **self._scope}
        locked = await LOCK_OFFLINE_DAY.row(self._connection, params)
        assert locked is not None, "a store's day is within the scope of its till"
        found = await OFFLINE_LIMITS.row(self._connection, {**params, "any_store": ANY_STORE})
        limits = DEFAULT_OFFLINE_LIMITS if found is None else OfflineLimits(found["max_count"], found["max_minor"])
        if discount_minor is None:
            return limits
        bounds = {"max_count": limits.max_count, "max_minor": limits.max_minor, "amount": discount_minor}
        counted = await COUNT_OFFLINE.execute(self._connection, {**params, **bounds})
        return None if counted else limits

    async def set_limits(self, merchant_id: MerchantId, store_id: StoreId | None, *, limits: OfflineLimits) -> None:
        """What a store, or each of a merchant's stores that has none of its own, may redeem without a network."""
        row = {
            "merchant_id": merchant_id,
            "store_id": store_id or ANY_STORE,
            "max_count": limits.max_count,
            "max_minor": limits.max_minor,
            "changed_at": self._now,
        }
        await SET_OFFLINE_LIMITS.execute(self._connection, columns_of([row], _LIMITS) | self._scope)
