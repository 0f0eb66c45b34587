"""Looks for rows that break an invariant of points."""

from typing import Final

import sqlalchemy as sa

from domain.points.invariants import INVARIANTS
from domain.shared.events import POINTS
from persistence.base import within_scope
from persistence.events import events, streams
from persistence.invariants import checks
from persistence.points.tables import accounts, entries, lot_draws, lots, postings

_ZERO: Final[sa.ColumnClause[int]] = sa.literal_column("0")
_MINE = within_scope(member=accounts.c.member_id)


def _posted(account: str) -> sa.ScalarSelect[int]:
    return (
        sa.select(sa.func.coalesce(sa.func.sum(postings.c.amount), _ZERO))
        .where(
            postings.c.member_id == accounts.c.member_id,
            postings.c.account == account,
            within_scope(member=postings.c.member_id),
        )
        .scalar_subquery()
    )


_left = (
    sa.select(sa.func.coalesce(sa.func.sum(lots.c.remaining), _ZERO))
    .where(lots.c.member_id == accounts.c.member_id, within_scope(member=lots.c.member_id))
    .scalar_subquery()
)
_drawn = (
    sa.select(sa.func.coalesce(sa.func.sum(lot_draws.c.points), _ZERO))
    .where(
        lot_draws.c.member_id == lots.c.member_id,
        lot_draws.c.lot_id == lots.c.id,
        within_scope(member=lot_draws.c.member_id),
    )
    .scalar_subquery()
)
_to_available = (
    sa.select(sa.func.coalesce(sa.func.sum(postings.c.amount), _ZERO))
    .where(
        postings.c.member_id == entries.c.member_id,
        postings.c.entry_id == entries.c.id,
        postings.c.account == "AVAILABLE",
        within_scope(member=postings.c.member_id),
    )
    .scalar_subquery()
)
_told = (
    sa.select(sa.func.count())
    .where(
        events.c.owner_id == streams.c.owner_id,
        events.c.stream == POINTS,
        events.c.sequence.between(1, streams.c.sequence),
        within_scope(member=events.c.owner_id),
    )
    .scalar_subquery()
)

CHECKS: Final = checks(
    {
        "postings_sum_to_zero": sa.select(postings.c.member_id, postings.c.entry_id)
        .where(within_scope(member=postings.c.member_id))
        .group_by(postings.c.member_id, postings.c.entry_id)
        .having(sa.func.sum(postings.c.amount) != _ZERO),
        "accounts_are_sums_of_postings": sa.select(accounts).where(
            _MINE,
            sa.or_(
                accounts.c.available != _posted("AVAILABLE"),
                accounts.c.pending != _posted("PENDING"),
                accounts.c.debt != -_posted("DEBT"),
            ),
        ),
        "lots_mirror_what_is_available": sa.select(
            accounts.c.member_id, accounts.c.available, _left.label("left")
        ).where(_MINE, accounts.c.available != _left),
        "draws_explain_lots": sa.select(lots.c.member_id, lots.c.id, lots.c.earned, lots.c.remaining).where(
            within_scope(member=lots.c.member_id), lots.c.earned - lots.c.remaining != _drawn
        ),
        "entries_say_their_effect": sa.select(entries.c.member_id, entries.c.id, entries.c.delta).where(
            within_scope(member=entries.c.member_id), entries.c.delta != _to_available
        ),
        "points_streams_have_no_gap": sa.select(streams.c.owner_id, streams.c.sequence).where(
            streams.c.stream == POINTS, within_scope(member=streams.c.owner_id), streams.c.sequence != _told
        ),
    },
    promised=INVARIANTS,
)
