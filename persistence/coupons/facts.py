"""What conditions of use ask of members, in one statement; the day of birth is opened here and goes no further."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.coupons.facts import MemberFacts
from domain.members.tiers import DEFAULT_PROGRAMME, assess
from domain.shared.ids import MemberId
from domain.shared.principal import Scope
from domain.shared.time import local_date
from persistence.base import Conn, Row, Statement, scope_params, within_scope
from persistence.crypto import PersonalData
from persistence.members.people import member_of
from persistence.members.tables import member_tags, member_tiers, members, tier_metric_days
from persistence.members.tiers import standing_of
from persistence.orders.tables import order_lines, orders, reservations

_metric = (
    sa.select(sa.func.coalesce(sa.func.sum(tier_metric_days.c.amount), 0))
    .where(
        tier_metric_days.c.member_id == members.c.member_id,
        tier_metric_days.c.on_date >= sa.bindparam("since", type_=sa.Date),
        within_scope(member=tier_metric_days.c.member_id),
    )
    .scalar_subquery()
)
_tags = (
    sa.select(sa.func.array_agg(member_tags.c.tag))
    .where(member_tags.c.member_id == members.c.member_id, within_scope(member=member_tags.c.member_id))
    .scalar_subquery()
)
# What came back whole was no order: who returns the first one buys a first one again.
_kept = sa.exists().where(
    order_lines.c.member_id == orders.c.member_id,
    order_lines.c.order_id == orders.c.id,
    order_lines.c.refunded_quantity < order_lines.c.quantity,
    within_scope(member=order_lines.c.member_id),
)
_orders = (
    sa.select(sa.func.count())
    .select_from(orders)
    .where(
        orders.c.member_id == members.c.member_id,
        orders.c.state != sa.literal_column("'CANCELLED'"),
        _kept,
        within_scope(member=orders.c.member_id),
    )
    .scalar_subquery()
)
# What is held for an order that is not paid yet counts as that order: of two that are held at once one is the first.
_held = (
    sa.select(sa.func.count())
    .select_from(reservations)
    .where(
        reservations.c.member_id == members.c.member_id,
        reservations.c.state == sa.literal_column("'HELD'"),
        reservations.c.expires_at > sa.bindparam("at", type_=sa.DateTime(timezone=True)),
        within_scope(member=reservations.c.member_id),
    )
    .scalar_subquery()
)
FACTS_OF_MEMBERS = Statement(
    "facts_of_members",
    sa.select(
        members,
        member_tiers.c.tier_code,
        member_tiers.c.keep_until,
        _metric.label("metric"),
        _tags.label("tags"),
        (_orders + _held).label("orders"),
    )
    .select_from(
        members.outerjoin(
            member_tiers,
            sa.and_(member_tiers.c.member_id == members.c.member_id, within_scope(member=member_tiers.c.member_id)),
        )
    )
    .where(
        members.c.member_id == sa.any_(sa.bindparam("member_ids", type_=pg.ARRAY(sa.Uuid))),
        within_scope(member=members.c.member_id),
    ),
)


async def read_facts(
    connection: Conn,
    member_ids: Sequence[MemberId],
    *,
    scope: Scope,
    at: datetime,
    zone: ZoneInfo,
    personal_data: PersonalData,
) -> Mapping[MemberId, MemberFacts]:
    """The facts of these members, of those that the scope reaches."""
    since = local_date(at, zone=zone) - timedelta(days=DEFAULT_PROGRAMME.window_days - 1)
    params = {"member_ids": list(member_ids), "since": since, "at": at, **scope_params(scope)}
    rows = await FACTS_OF_MEMBERS.fetch(connection, params)
    return {row["member_id"]: _facts_of(row, at=at, zone=zone, personal_data=personal_data) for row in rows}


def _facts_of(row: Row, *, at: datetime, zone: ZoneInfo, personal_data: PersonalData) -> MemberFacts:
    today, metric = local_date(at, zone=zone), max(0, int(row["metric"]))
    standing = assess(standing_of(row), metric=metric, today=today, programme=DEFAULT_PROGRAMME)
    birthday = member_of(row, personal_data=personal_data).personal.birthday
    return MemberFacts(
        tier=standing.tier,
        tags=frozenset(row["tags"] or ()),
        orders=row["orders"],
        birth_month=None if birthday is None else birthday.month,
    )


class SqlFactsOfMembers:
    """Members as conditions see them, within one transaction."""

    def __init__(
        self, connection: Conn, *, scope: Scope, now: datetime, zone: ZoneInfo, personal_data: PersonalData
    ) -> None:
        self._connection = connection
        self._scope = scope
        self._now = now
        self._zone = zone
        self._personal_data = personal_data

    async def facts_of(self, member_id: MemberId) -> MemberFacts:
        """The member's facts now."""
        found = await read_facts(
            self._connection,
            [member_id],
            scope=self._scope,
            at=self._now,
            zone=self._zone,
            personal_data=self._personal_data,
        )
        return found[member_id]
