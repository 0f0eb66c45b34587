"""Tokens that were used, and what stores redeemed without a network, in PostgreSQL: the keys and the sums decide."""

from datetime import datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa

from domain.coupons.model import CouponKey
from domain.orders.tills import DEFAULT_OFFLINE_LIMITS, OfflineLimit, OfflineLimits, OfflineScan
from domain.shared.ids import MerchantId, OrderId, StoreId
from domain.shared.principal import Scope
from persistence.base import Conn, Row, Statement, columns_of, insert_rows, scope_params, within_scope
from persistence.orders.till_tables import offline_days, offline_limits, offline_till_days, token_uses

# Under the nil store stands what holds for a merchant's stores that have no limits of their own.
ANY_STORE: Final = UUID(int=0)

_USE = (
    "member_id", "token_hash", "coupon_id", "order_id", "used_at", "scanned_at", "offline_store_id", "offline_on",
    "offline_minor", "offline_till",
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
_TILL_DAY = ("merchant_id", "store_id", "till_id", "on_date", "accepted_count", "accepted_minor")
OPEN_OFFLINE_TILL_DAY = Statement(
    "open_offline_till_day",
    insert_rows(offline_till_days, _TILL_DAY, merchant="merchant_id").on_conflict_do_nothing(
        index_elements=["merchant_id", "store_id", "till_id", "on_date"]
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


def _day(days: sa.Table, *whose: sa.ColumnElement[bool]) -> sa.Update:
    """An update of what was counted of a store on a day, or of whose it is there."""
    return sa.update(days).where(
        days.c.merchant_id == _MERCHANT,
        days.c.store_id == _STORE,
        *whose,
        days.c.on_date == sa.bindparam("day", type_=sa.Date),
        within_scope(merchant=days.c.merchant_id),
    )


def _count(days: sa.Table, *whose: sa.ColumnElement[bool]) -> sa.Update:
    """One more of a day, where its limits allow it."""
    return (
        _day(days, *whose)
        .where(
            days.c.accepted_count < sa.bindparam("max_count", type_=sa.BigInteger),
            days.c.accepted_minor + _AMOUNT <= sa.bindparam("max_minor", type_=sa.BigInteger),
        )
        .values(
            accepted_count=days.c.accepted_count + sa.literal_column("1"),
            accepted_minor=days.c.accepted_minor + _AMOUNT,
        )
    )


COUNT_OFFLINE = Statement("count_offline_redemption", _count(offline_days))
COUNT_OFFLINE_OF_TILL = Statement(
    "count_offline_redemption_of_till",
    _count(offline_till_days, offline_till_days.c.till_id == sa.bindparam("till", type_=sa.Text)),
)


def _count_less(days: sa.Table, *whose: sa.ColumnElement[bool]) -> sa.Update:
    """Less of what was counted on a day."""
    return _day(days, *whose).values(accepted_minor=days.c.accepted_minor - _AMOUNT)


COUNT_LESS_OFFLINE = Statement("count_less_offline", _count_less(offline_days))
COUNT_LESS_OFFLINE_OF_TILL = Statement(
    "count_less_offline_of_till",
    _count_less(offline_till_days, offline_till_days.c.till_id == sa.bindparam("till", type_=sa.Text)),
)
NOTE_LESS_OFFLINE = Statement(
    "note_less_offline",
    sa.update(token_uses)
    .where(
        token_uses.c.member_id == sa.bindparam("member_id", type_=sa.Uuid),
        token_uses.c.token_hash == sa.bindparam("token_hash", type_=sa.LargeBinary),
        within_scope(member=token_uses.c.member_id),
    )
    .values(offline_minor=token_uses.c.offline_minor - _AMOUNT),
)
_LIMITS = (
    "merchant_id", "store_id", "max_count", "max_minor", "max_count_per_till", "max_minor_per_till", "changed_at",
)  # fmt: skip
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
            "offline_till": None if scan is None else scan.till_id,
        }
        return await USE_TOKEN.execute(self._connection, columns_of([row], _USE) | self._scope) == 1

    async def accept_unseen(self, scan: OfflineScan, *, discount_minor: int | None) -> OfflineLimit | None:
        """Counts a redemption towards the limits of its till's and its store's day; the one that does not allow it.

        None is a discount that the limits cannot be held against: they do not allow it.

        The row of the store's day is locked before the limits are read: who was let in before, by whatever till, has
        been counted.
        """
        row = {
            "merchant_id": scan.merchant_id,
            "store_id": scan.store_id,
            "till_id": scan.till_id,
            "on_date": scan.on_date,
            "accepted_count": 0,
            "accepted_minor": 0,
        }
        await OPEN_OFFLINE_DAY.execute(self._connection, columns_of([row], _DAY) | self._scope)
        params = {"merchant": scan.merchant_id, "store": scan.store_id, "day": scan.on_date, **self._scope}
        locked = await LOCK_OFFLINE_DAY.row(self._connection, params)
        assert locked is not None, "a store's day is within the scope of its till"
        found = await OFFLINE_LIMITS.row(self._connection, {**params, "any_store": ANY_STORE})
        limits = DEFAULT_OFFLINE_LIMITS if found is None else _limits_of(found)
        if discount_minor is None:
            return limits.of_store
        # The store's first: who is told of the till's limit could go on at another till.
        bounds = {"max_count": limits.max_count, "max_minor": limits.max_minor, "amount": discount_minor}
        if not await COUNT_OFFLINE.execute(self._connection, {**params, **bounds}):
            return limits.of_store
        await OPEN_OFFLINE_TILL_DAY.execute(self._connection, columns_of([row], _TILL_DAY) | self._scope)
        of_till = limits.of_till
        bounds |= {"max_count": of_till.max_count, "max_minor": of_till.max_minor}
        counted = await COUNT_OFFLINE_OF_TILL.execute(self._connection, {**params, **bounds, "till": scan.till_id})
        return None if counted else of_till

    async def count_less(self, hash_: bytes, *, coupon: CouponKey, scan: OfflineScan, minor: tuple[int, int]) -> None:
        """Counts the second of these amounts where the first was counted, of a token that was used just now."""
        counted, taken = minor
        less = {"amount": counted - taken, **self._scope}
        of_token = {"member_id": coupon.member_id, "token_hash": hash_}
        of_day = {"merchant": scan.merchant_id, "store": scan.store_id, "day": scan.on_date}
        noted = await NOTE_LESS_OFFLINE.execute(self._connection, {**of_token, **less})
        day = await COUNT_LESS_OFFLINE.execute(self._connection, {**of_day, **less})
        till = await COUNT_LESS_OFFLINE_OF_TILL.execute(self._connection, {**of_day, **less, "till": scan.till_id})
        assert (noted, day, till) == (1, 1, 1), "all were written in this transaction"

    async def set_limits(self, merchant_id: MerchantId, store_id: StoreId | None, *, limits: OfflineLimits) -> None:
        """What a store, or each of a merchant's stores that has none of its own, may redeem without a network."""
        row = {
            "merchant_id": merchant_id,
            "store_id": store_id or ANY_STORE,
            "max_count": limits.max_count,
            "max_minor": limits.max_minor,
            "max_count_per_till": limits.max_count_per_till,
            "max_minor_per_till": limits.max_minor_per_till,
            "changed_at": self._now,
        }
        await SET_OFFLINE_LIMITS.execute(self._connection, columns_of([row], _LIMITS) | self._scope)


def _limits_of(row: Row) -> OfflineLimits:
    return OfflineLimits(row["max_count"], row["max_minor"], row["max_count_per_till"], row["max_minor_per_till"])
