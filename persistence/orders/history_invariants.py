"""Looks for rows that no history explains: events, receipts, coupons, redemptions, orders and points side by side."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.coupons.model import WalletChange
from domain.orders.histories import HISTORIES
from domain.shared.events import POINTS, REDEMPTIONS, WALLET
from persistence.base import within_scope
from persistence.coupons.rows import KEEPS_BALANCE
from persistence.coupons.tables import coupons, redemptions, templates
from persistence.events import events, streams
from persistence.invariants import checks
from persistence.merchants.tables import stores
from persistence.orders.promise_invariants import LOST_PROMISES
from persistence.orders.tables import order_lines, orders
from persistence.points.tables import accounts, check_ins, entries, pending

_Any = sa.ColumnElement[Any]
_ZERO: Final[_Any] = sa.literal_column("0")
_COUPON_OWN = within_scope(member=coupons.c.member_id)
_REDEMPTION_OWN = within_scope(member=redemptions.c.member_id, merchant=redemptions.c.merchant_id)
_ORDER_OWN = within_scope(member=orders.c.member_id)
_EVENT_OWN = within_scope(member=events.c.owner_id, merchant=events.c.owner_id)

_USABLE: Final = (WalletChange.CLAIMED, WalletChange.RELEASED, WalletChange.RESTORED)
# After what each may come. A coupon that keeps a balance moves more freely: it may be used and restored in parts. One
# that expired may have been scanned before that, by a till without a network.
AFTER: Final[Mapping[WalletChange, tuple[WalletChange, ...]]] = {
    WalletChange.RESERVED: _USABLE,
    WalletChange.RELEASED: (WalletChange.RESERVED,),
    WalletChange.REDEEMED: (*_USABLE, WalletChange.RESERVED, WalletChange.EXPIRED),
    WalletChange.RESTORED: (WalletChange.REDEEMED,),
    WalletChange.EXPIRED: (*_USABLE, WalletChange.RESERVED, WalletChange.REDEEMED),
    WalletChange.VOIDED: _USABLE,
}


def _sum(column: _Any) -> _Any:
    return sa.func.coalesce(sa.func.sum(column), _ZERO)


def _text(value: str) -> _Any:
    return sa.literal_column(f"'{value}'")


_moves = (
    sa.select(
        events.c.owner_id,
        events.c.subject_id,
        events.c.kind,
        events.c.sequence,
        sa.func.lag(events.c.kind)
        .over(partition_by=(events.c.owner_id, events.c.subject_id), order_by=events.c.sequence)
        .label("before"),
        KEEPS_BALANCE.label("keeps_a_balance"),
    )
    .select_from(
        events.join(coupons, sa.and_(coupons.c.member_id == events.c.owner_id, coupons.c.id == events.c.subject_id))
    )
    .where(events.c.stream == WALLET, within_scope(member=events.c.owner_id), _COUPON_OWN)
    .subquery()
)
_legal = sa.or_(
    *(
        sa.and_(_moves.c.kind == after.value, _moves.c.before.in_([_text(one.value) for one in before]))
        for after, before in AFTER.items()
    )
)
_first = _moves.c.kind == WalletChange.CLAIMED.value
_allowed = sa.case(
    (sa.or_(_first, _moves.c.before.is_(None)), sa.and_(_first, _moves.c.before.is_(None))),
    (_moves.c.keeps_a_balance, _moves.c.before != WalletChange.VOIDED.value),
    else_=_legal,
)

_told = (
    sa.select(
        events.c.owner_id,
        events.c.stream,
        sa.func.count().label("events"),
        sa.func.max(events.c.sequence).label("last"),
    )
    .where(_EVENT_OWN)
    .group_by(events.c.owner_id, events.c.stream)
    .subquery()
)


def _counted(*columns: _Any, where: Sequence[_Any]) -> sa.Subquery:
    """How many uses there are of each."""
    return sa.select(*columns, sa.func.count().label("uses")).where(*where).group_by(*columns).subquery()


_told_uses = _counted(
    events.c.owner_id,
    events.c.subject_id,
    events.c.occurred_at,
    where=(
        events.c.stream == WALLET,
        events.c.kind == WalletChange.REDEEMED.value,
        within_scope(member=events.c.owner_id),
    ),
)
_made_uses = _counted(
    redemptions.c.member_id, redemptions.c.coupon_id, redemptions.c.redeemed_at, where=(_REDEMPTION_OWN,)
)
_of_merchants = (
    sa.select(
        events.c.owner_id,
        events.c.subject_id,
        sa.func.count().filter(events.c.kind == WalletChange.REDEEMED.value).label("redeemed"),
        sa.func.count().filter(events.c.kind == _text("REVERSED")).label("reversed"),
    )
    .where(events.c.stream == REDEMPTIONS, within_scope(merchant=events.c.owner_id))
    .group_by(events.c.owner_id, events.c.subject_id)
    .subquery()
)

_ALLOCATIONS: Final = sa.func.jsonb_path_query_array(
    orders.c.quote, sa.cast("$.lines[*].allocations[*]", pg.JSONPATH), type_=pg.JSONB
).op("||")(sa.func.coalesce(orders.c.quote["shippingAllocations"], sa.func.jsonb_build_array(), type_=pg.JSONB))
_OF_LINE: Final = sa.func.jsonb_path_query_array(
    orders.c.quote,
    sa.cast("$.lines[*] ? (@.id == $id).allocations[*]", pg.JSONPATH),
    sa.func.jsonb_build_object(_text("id"), order_lines.c.line_id),
    type_=pg.JSONB,
)


def _allocated(allocations: _Any, *, funder: str | None = None, of: _Any | None = None) -> sa.ScalarSelect[Any]:
    """The sum over allocations, or of what one funder bears of them; those of one coupon where it is said."""
    each = sa.func.jsonb_array_elements(allocations).table_valued(sa.column("value", pg.JSONB)).render_derived()
    amount = each.c.value["amountMinor"] if funder is None else each.c.value["shares"][funder]
    total = sa.select(_sum(sa.cast(amount.astext, sa.BigInteger)))
    if of is not None:
        total = total.where(each.c.value["couponId"].astext == sa.cast(of, sa.Text))
    return total.scalar_subquery()


def _share(funder: str) -> _Any:
    return sa.func.coalesce(sa.cast(redemptions.c.shares[funder].astext, sa.BigInteger), _ZERO)


_of_its_order = sa.and_(orders.c.member_id == redemptions.c.member_id, orders.c.id == redemptions.c.order_id)
_moved = (
    sa.select(
        events.c.owner_id,
        events.c.sequence,
        entries.c.balance_after,
        sa.func.sum(entries.c.delta).over(partition_by=events.c.owner_id, order_by=events.c.sequence).label("sum"),
    )
    .select_from(
        events.join(entries, sa.and_(entries.c.member_id == events.c.owner_id, entries.c.id == events.c.subject_id))
    )
    .where(
        events.c.stream == POINTS,
        within_scope(member=events.c.owner_id),
        within_scope(member=entries.c.member_id),
    )
    .subquery()
)
_waiting = (
    sa.select(_sum(pending.c.points))
    .where(pending.c.member_id == accounts.c.member_id, within_scope(member=pending.c.member_id))
    .correlate(accounts)
    .scalar_subquery()
)

_yesterday = check_ins.alias("yesterday")
_earned = sa.exists().where(
    entries.c.member_id == check_ins.c.member_id,
    entries.c.occurred_at == check_ins.c.checked_in_at,
    entries.c.kind == _text("EARN"),
    within_scope(member=entries.c.member_id),
)

_BROKEN: Final[Mapping[str, sa.Select[Any]]] = {
    "moves_are_legal": sa.select(
        _moves.c.owner_id, _moves.c.subject_id, _moves.c.sequence, _moves.c.before, _moves.c.kind
    ).where(sa.not_(sa.func.coalesce(_allowed, sa.false()))),
    "every_event_has_its_place": sa.select(
        sa.func.coalesce(streams.c.owner_id, _told.c.owner_id).label("owner_id"),
        sa.func.coalesce(streams.c.stream, _told.c.stream).label("stream"),
        streams.c.sequence,
        _told.c.events,
        _told.c.last,
    )
    .select_from(
        sa.join(
            streams,
            _told,
            sa.and_(
                streams.c.owner_id == _told.c.owner_id,
                streams.c.stream == _told.c.stream,
            ),
            full=True,
        )
    )
    .where(
        sa.or_(
            sa.func.coalesce(streams.c.sequence, _ZERO) != sa.func.coalesce(_told.c.events, _ZERO),
            _told.c.last != _told.c.events,
        ),
        within_scope(member=streams.c.owner_id, merchant=streams.c.owner_id),
    ),
    "uses_are_told": sa.select(
        sa.func.coalesce(_told_uses.c.owner_id, _made_uses.c.member_id).label("member_id"),
        sa.func.coalesce(_told_uses.c.subject_id, _made_uses.c.coupon_id).label("coupon_id"),
        _told_uses.c.occurred_at.label("told_at"),
        _made_uses.c.redeemed_at,
    )
    .select_from(
        sa.join(
            _told_uses,
            _made_uses,
            sa.and_(
                _told_uses.c.owner_id == _made_uses.c.member_id,
                _told_uses.c.subject_id == _made_uses.c.coupon_id,
                _told_uses.c.occurred_at == _made_uses.c.redeemed_at,
            ),
            full=True,
        )
    )
    .where(_told_uses.c.uses.is_distinct_from(_made_uses.c.uses)),
    "merchants_are_told_of_redemptions": sa.select(
        redemptions.c.member_id, redemptions.c.id, redemptions.c.merchant_id, _of_merchants.c.subject_id
    )
    .select_from(
        sa.join(
            redemptions,
            _of_merchants,
            sa.and_(
                _of_merchants.c.owner_id == redemptions.c.merchant_id,
                _of_merchants.c.subject_id == redemptions.c.id,
            ),
            full=True,
        )
    )
    .where(
        _REDEMPTION_OWN,
        sa.or_(redemptions.c.merchant_id.is_not(None), redemptions.c.id.is_(None)),
        sa.or_(
            redemptions.c.id.is_(None),
            sa.func.coalesce(_of_merchants.c.redeemed, _ZERO) != sa.literal_column("1"),
            sa.func.coalesce(_of_merchants.c.reversed, _ZERO)
            != sa.case((redemptions.c.reversed_at.is_(None), _ZERO), else_=sa.literal_column("1")),
        ),
    ),
    "redemptions_fit_their_coupons": sa.select(redemptions.c.member_id, redemptions.c.id)
    .select_from(
        redemptions.outerjoin(
            coupons,
            sa.and_(coupons.c.member_id == redemptions.c.member_id, coupons.c.id == redemptions.c.coupon_id),
        )
        .outerjoin(templates, templates.c.id == coupons.c.template_id)
        .outerjoin(orders, _of_its_order)
        .outerjoin(stores, stores.c.id == redemptions.c.store_id)
    )
    .where(
        _REDEMPTION_OWN,
        sa.or_(
            coupons.c.template_id.is_distinct_from(redemptions.c.template_id),
            templates.c.campaign_id.is_distinct_from(redemptions.c.campaign_id),
            orders.c.order_ref.is_distinct_from(redemptions.c.order_ref),
            orders.c.currency.is_distinct_from(redemptions.c.currency),
            templates.c.currency.is_distinct_from(redemptions.c.currency),
            templates.c.refund_policy.is_distinct_from(redemptions.c.refund_policy),
            templates.c.merchant_fault_grace_days.is_distinct_from(redemptions.c.merchant_fault_grace_days),
            orders.c.store_id.is_distinct_from(redemptions.c.store_id),
            # What is used in a store is used at its merchant.
            sa.and_(
                redemptions.c.store_id.is_not(None),
                stores.c.merchant_id.is_distinct_from(redemptions.c.merchant_id),
            ),
            redemptions.c.from_balance != KEEPS_BALANCE,
        ),
    ),
    "allocations_sum_to_redemptions": sa.select(
        redemptions.c.member_id, redemptions.c.id, redemptions.c.discount_minor, redemptions.c.shares
    )
    .select_from(redemptions.join(orders, _of_its_order))
    .where(
        _REDEMPTION_OWN,
        _ORDER_OWN,
        orders.c.quote.is_not(None),
        sa.or_(
            _allocated(_ALLOCATIONS, of=redemptions.c.coupon_id) != redemptions.c.discount_minor,
            *(
                _allocated(_ALLOCATIONS, funder=funder, of=redemptions.c.coupon_id) != _share(funder)
                for funder in ("PLATFORM", "MERCHANT")
            ),
        ),
    ),
    "allocations_sum_to_lines": sa.select(order_lines.c.member_id, order_lines.c.order_id, order_lines.c.line_id)
    .select_from(
        order_lines.join(
            orders, sa.and_(orders.c.member_id == order_lines.c.member_id, orders.c.id == order_lines.c.order_id)
        )
    )
    .where(
        within_scope(member=order_lines.c.member_id),
        _ORDER_OWN,
        orders.c.quote.is_not(None),
        _allocated(_OF_LINE) != order_lines.c.discount_minor,
    ),
    "orders_say_when": sa.select(
        orders.c.member_id, orders.c.id, orders.c.state, orders.c.received_at, orders.c.cancelled_at
    ).where(
        _ORDER_OWN,
        orders.c.state
        != sa.case(
            (orders.c.cancelled_at.is_not(None), _text("CANCELLED")),
            (orders.c.received_at.is_not(None), _text("RECEIVED")),
            else_=_text("PAID"),
        ),
    ),
    "receipts_name_coupons": LOST_PROMISES,
    "coupon_codes_are_unique": sa.select(coupons.c.code, sa.func.count().label("coupons"))
    .where(_COUPON_OWN)
    .group_by(coupons.c.code)
    .having(sa.func.count() > sa.literal_column("1")),
    "balances_follow_entries": sa.select(
        _moved.c.owner_id, _moved.c.sequence, _moved.c.balance_after, _moved.c.sum
    ).where(_moved.c.balance_after != _moved.c.sum),
    "check_ins_follow_days": sa.select(check_ins.c.member_id, check_ins.c.on_date, check_ins.c.streak_day)
    .select_from(
        check_ins.outerjoin(
            _yesterday,
            sa.and_(
                _yesterday.c.member_id == check_ins.c.member_id,
                _yesterday.c.on_date == check_ins.c.on_date - sa.literal_column("1"),
                within_scope(member=_yesterday.c.member_id),
            ),
        )
    )
    .where(
        within_scope(member=check_ins.c.member_id),
        sa.or_(
            sa.and_(
                check_ins.c.streak_day > sa.literal_column("1"),
                _yesterday.c.streak_day.is_distinct_from(check_ins.c.streak_day - sa.literal_column("1")),
            ),
            sa.and_(check_ins.c.points > _ZERO, sa.not_(_earned)),
        ),
    ),
    "pending_is_of_orders": sa.select(accounts.c.member_id, accounts.c.pending, _waiting.label("waiting")).where(
        within_scope(member=accounts.c.member_id), accounts.c.pending != _waiting
    ),
}
CHECKS: Final = checks(_BROKEN, promised=HISTORIES)
