"""Looks for rows that break an invariant of coupons; each statement answers with the rows that do."""

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.coupons.invariants import INVARIANTS
from domain.coupons.model import WalletChange
from domain.shared.events import WALLET
from persistence.base import within_scope
from persistence.coupons.distribution_invariants import BROKEN
from persistence.coupons.tables import coupons, template_stock, templates
from persistence.coupons.validity_invariants import VALIDITY_BROKEN, local_day
from persistence.events import events, streams
from persistence.invariants import checks

_OWN = within_scope(member=coupons.c.member_id)
_count = sa.func.count()

# To which state each event leads.
STATE_AFTER: Final[Mapping[WalletChange, str]] = {
    WalletChange.CLAIMED: "CLAIMED",
    WalletChange.RESERVED: "RESERVED",
    WalletChange.RELEASED: "CLAIMED",
    WalletChange.REDEEMED: "REDEEMED",
    WalletChange.RESTORED: "CLAIMED",
    WalletChange.EXPIRED: "EXPIRED",
    WalletChange.VOIDED: "VOIDED",
}

_held = sa.select(coupons.c.template_id, _count.label("coupons")).where(_OWN).group_by(coupons.c.template_id).subquery()
_gone = template_stock.c.total - template_stock.c.remaining
_given = sa.func.coalesce(_held.c.coupons, sa.literal_column("0"))
_per_member = (coupons.c.member_id, coupons.c.template_id)
_with_template = coupons.join(templates, coupons.c.template_id == templates.c.id)
_last = (
    sa.select(events.c.owner_id, events.c.subject_id, events.c.kind)
    .ext(pg.distinct_on(events.c.owner_id, events.c.subject_id))
    .where(events.c.stream == WALLET, within_scope(member=events.c.owner_id))
    .order_by(events.c.owner_id, events.c.subject_id, events.c.sequence.desc())
    .subquery()
)
# A use that leaves something of a balance leaves the coupon claimed.
_left_over = sa.and_(_last.c.kind == sa.literal_column("'REDEEMED'"), coupons.c.balance_minor > sa.literal_column("0"))
_expected = sa.case(
    (_left_over, "CLAIMED"),
    *((_last.c.kind == change.value, state) for change, state in STATE_AFTER.items()),
    else_="unknown",
)
_claimed = coupons.outerjoin(
    events,
    sa.and_(
        events.c.owner_id == coupons.c.member_id,
        events.c.subject_id == coupons.c.id,
        events.c.stream == WALLET,
        events.c.kind == WalletChange.CLAIMED.value,
    ),
)
_told = (
    sa.select(events.c.owner_id, _count.label("events"), sa.func.max(events.c.sequence).label("last"))
    .where(events.c.stream == WALLET, within_scope(member=events.c.owner_id))
    .group_by(events.c.owner_id)
    .subquery()
)

_BROKEN: Final[Mapping[str, sa.Select[Any]]] = {
    "stock_matches_coupons": sa.select(template_stock.c.template_id, _gone.label("gone"), _given.label("coupons"))
    .select_from(template_stock.outerjoin(_held, template_stock.c.template_id == _held.c.template_id))
    .where(_gone != _given),
    "ordinals_have_no_gap": sa.select(
        *_per_member, _count.label("coupons"), sa.func.max(coupons.c.ordinal).label("last")
    )
    .where(_OWN)
    .group_by(*_per_member)
    .having(sa.or_(sa.func.max(coupons.c.ordinal) != _count, sa.func.min(coupons.c.ordinal) != sa.literal_column("1"))),
    "limits_per_member_kept": sa.select(*_per_member, _count.label("coupons"), templates.c.limit_per_member)
    .select_from(_with_template)
    .where(_OWN, templates.c.limit_per_member.is_not(None))
    .group_by(*_per_member, templates.c.limit_per_member)
    .having(_count > templates.c.limit_per_member),
    "limits_per_day_kept": sa.select(*_per_member, coupons.c.claimed_on, _count.label("coupons"))
    .select_from(_with_template)
    .where(_OWN, templates.c.limit_per_member_per_day.is_not(None))
    .group_by(*_per_member, coupons.c.claimed_on, templates.c.limit_per_member_per_day)
    .having(_count > templates.c.limit_per_member_per_day),
    "only_published_are_held": sa.select(coupons.c.member_id, coupons.c.id)
    .select_from(_with_template)
    .where(_OWN, templates.c.state != sa.literal_column("'PUBLISHED'")),
    "terms_are_those_published": sa.select(coupons.c.member_id, coupons.c.id)
    .select_from(_with_template)
    .where(
        _OWN,
        sa.or_(
            coupons.c.kind != templates.c.kind,
            coupons.c.terms != templates.c.terms,
            coupons.c.merchant_id.is_distinct_from(templates.c.merchant_id),
        ),
    ),
    "claims_are_told": sa.select(coupons.c.member_id, coupons.c.id, coupons.c.claimed_at, coupons.c.claimed_on)
    .select_from(_claimed)
    .where(
        _OWN,
        sa.or_(
            coupons.c.claimed_at.is_distinct_from(events.c.occurred_at),
            coupons.c.claimed_on != local_day(coupons.c.claimed_at),
        ),
    ),
    "last_event_says_the_state": sa.select(
        _last.c.owner_id, _last.c.subject_id, coupons.c.member_id, coupons.c.id, coupons.c.state, _last.c.kind
    )
    .select_from(
        sa.join(
            coupons,
            _last,
            sa.and_(coupons.c.member_id == _last.c.owner_id, coupons.c.id == _last.c.subject_id),
            full=True,
        )
    )
    .where(_OWN, coupons.c.state.is_distinct_from(_expected)),
    "wallets_have_no_gap": sa.select(streams.c.owner_id, streams.c.sequence, _told.c.events, _told.c.last)
    .select_from(streams.outerjoin(_told, streams.c.owner_id == _told.c.owner_id))
    .where(
        streams.c.stream == WALLET,
        within_scope(member=streams.c.owner_id),
        sa.or_(
            sa.func.coalesce(_told.c.events, sa.literal_column("0")) != streams.c.sequence,
            sa.func.coalesce(_told.c.last, sa.literal_column("0")) != streams.c.sequence,
        ),
    ),
}
CHECKS: Final = checks({**_BROKEN, **VALIDITY_BROKEN, **BROKEN}, promised=INVARIANTS)
