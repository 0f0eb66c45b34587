"""Members read, a batch at a time."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.members.model import Member
from domain.members.tiers import DEFAULT_PROGRAMME, TierStatus, assess, status
from domain.shared.ids import MemberId
from domain.shared.principal import Scope
from domain.shared.time import local_date
from persistence.base import NOW, Statement, scope_params, within_scope
from persistence.members.people import member_of
from persistence.members.tables import members
from persistence.members.tiers import TIER_STANDINGS, standing_of
from persistence.unit_of_work import Database

MEMBERS_BY_ID = Statement(
    "members_by_id",
    sa.select(members).where(
        members.c.member_id == sa.any_(sa.bindparam("member_ids", type_=pg.ARRAY(sa.Uuid))),
        within_scope(member=members.c.member_id),
    ),
)


class SqlMemberReads:
    """Reads of members."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def members_by_id(self, member_ids: Sequence[MemberId], *, scope: Scope) -> Mapping[MemberId, Member]:
        """The members of these ids that the scope reaches."""
        async with self._database.read() as connection:
            rows = await MEMBERS_BY_ID.fetch(connection, {"member_ids": list(member_ids), **scope_params(scope)})
        found = (member_of(row, personal_data=self._database.personal_data) for row in rows)
        return {member.id: member for member in found}

    async def tier_statuses(self, member_ids: Sequence[MemberId], *, scope: Scope) -> Mapping[MemberId, TierStatus]:
        """Where these members stand today; a tier whose keep is over is shown as what it has fallen to."""
        async with self._database.read() as connection:
            today = local_date(
                self._database.set_now or await NOW.value(connection, {}), zone=self._database.programme.zone
            )
            params = {
                "member_ids": list(member_ids),
                "since": today - timedelta(days=DEFAULT_PROGRAMME.window_days - 1),
                **scope_params(scope),
            }
            rows = await TIER_STANDINGS.fetch(connection, params)
        found = {}
        for row in rows:
            metric = max(0, int(row["metric"]))
            standing = assess(standing_of(row), metric=metric, today=today, programme=DEFAULT_PROGRAMME)
            found[row["member_id"]] = status(standing, metric=metric, programme=DEFAULT_PROGRAMME)
        return found
