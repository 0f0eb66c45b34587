"""How much of the demo programme is there. Every start asks it, so it imports nothing of how the demo is written."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from domain.shared.principal import Scope
from persistence.base import Statement, scope_params, within_scope
from persistence.members.tables import members
from persistence.merchants.tables import merchants

if TYPE_CHECKING:
    from asyncpg import Connection, Record

    Session: TypeAlias = "Connection[Record]"

ANY_MEMBER = Statement(
    "any_member",
    sa.select(sa.literal_column("1")).select_from(members).where(within_scope(member=members.c.member_id)).limit(1),
)
COUNT_MEMBERS = Statement(
    "count_members_by_prefix",
    sa.select(sa.func.count())
    .select_from(members)
    .where(
        sa.func.starts_with(members.c.external_ref, sa.bindparam("prefix", type_=sa.Text)),
        within_scope(member=members.c.member_id),
    ),
)
MERCHANT_CREATED_AT = Statement(
    "merchant_created_at",
    sa.select(merchants.c.created_at).where(merchants.c.id == sa.bindparam("id", type_=sa.Uuid)),
)


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether there is any member, whether there is a demo, and how many members of it there are."""

    has_members: bool
    has_demo: bool
    demo_members: int


async def demo_standing(database_url: str, *, merchant_id: UUID, prefix: str) -> Standing:
    """What is there; `merchant_id` is one of the demo's, `prefix` begins the references of its members."""
    session = await open_demo_session(database_url)
    scope = scope_params(Scope.system())
    try:
        has_members = await ANY_MEMBER.value(session, scope) is not None
        has_demo = await MERCHANT_CREATED_AT.value(session, {"id": merchant_id}) is not None
        count = await COUNT_MEMBERS.value(session, {"prefix": prefix, **scope}) if has_demo else 0
        return Standing(has_members=has_members, has_demo=has_demo, demo_members=int(count))
    finally:
        await session.close()


async def open_demo_session(database_url: str) -> "Session":
    """A session without the limits of a request."""
    return await asyncpg.connect(
        database_url,
        server_settings={
            "application_name": "laurel demo",
            "timezone": "UTC",
            "jit": "off",
            # What a power cut takes is loaded again.
            "synchronous_commit": "off",
        },
    )
