"""Members read, a batch at a time."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.members.model import Member
from domain.shared.ids import MemberId
from domain.shared.principal import Scope
from persistence.base import Statement, scope_params, within_scope
from persistence.members.people import member_of
from persistence.members.tables import members
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
