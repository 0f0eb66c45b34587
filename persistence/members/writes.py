"""Members written, and read within a write."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from domain.members.model import Member
from domain.members.tiers import DEFAULT_PROGRAMME, assess
from domain.shared.ids import MemberId
from domain.shared.principal import Scope
from domain.shared.time import local_date
from persistence.base import Conn, Statement, columns_of, insert_rows, scope_params, within_scope
from persistence.crypto import PersonalData
from persistence.members.people import member_of, sealed_person
from persistence.members.tables import member_tags, member_tiers, members, tier_metric_days
from persistence.members.tiers import TIER_STANDINGS, standing_of

_COLUMNS = (
    "member_id", "external_ref", "display_name", "phone", "phone_index", "birthday", "locale", "joined_at",
)  # fmt: skip
_MINE = within_scope(member=members.c.member_id)


def _param(name: str) -> sa.BindParameter[object]:
    return sa.bindparam(name, type_=members.c[name].type)


FIND_MEMBER_BY_REF = Statement(
    "find_member_by_ref", sa.select(members.c.member_id).where(members.c.external_ref == _param("external_ref"), _MINE)
)
LOCK_MEMBER = Statement(
    "lock_member", sa.select(members).where(members.c.member_id == _param("member_id"), _MINE).with_for_update()
)
ADD_MEMBER = Statement(
    "add_member",
    insert_rows(members, _COLUMNS, member="member_id").on_conflict_do_nothing(index_elements=["external_ref"]),
)
FILL_IN_MEMBER = Statement(
    "fill_in_member",
    sa.update(members)
    .where(members.c.member_id == _param("member_id"), _MINE)
    .values(
        display_name=sa.func.coalesce(_param("display_name"), members.c.display_name),
        phone=sa.func.coalesce(_param("phone"), members.c.phone),
        phone_index=sa.func.coalesce(_param("phone_index"), members.c.phone_index),
        birthday=sa.func.coalesce(_param("birthday"), members.c.birthday),
        locale=_param("locale"),
    ),
)

_BUCKET = ("member_id", "on_date", "amount")
_add_to_metric = insert_rows(tier_metric_days, _BUCKET, member="member_id")
ADD_TO_TIER_METRIC = Statement(
    "add_to_tier_metric",
    _add_to_metric.on_conflict_do_update(
        index_elements=["member_id", "on_date"],
        set_={"amount": tier_metric_days.c.amount + _add_to_metric.excluded.amount},
    ),
)
_TIER = ("member_id", "tier_code", "since", "keep_until")
_set_tier = insert_rows(member_tiers, _TIER, member="member_id")
SET_TIER = Statement(
    "set_member_tier",
    _set_tier.on_conflict_do_update(
        index_elements=["member_id"],
        set_={name: _set_tier.excluded[name] for name in _TIER[1:]},
    ),
)

_TAG = ("member_id", "tag", "since")
DROP_MEMBER_TAGS = Statement(
    "drop_member_tags",
    sa.delete(member_tags).where(
        member_tags.c.member_id == _param("member_id"),
        member_tags.c.tag != sa.all_(sa.bindparam("kept", type_=pg.ARRAY(sa.Text))),
        within_scope(member=member_tags.c.member_id),
    ),
)
ADD_MEMBER_TAGS = Statement(
    "add_member_tags",
    insert_rows(member_tags, _TAG, member="member_id").on_conflict_do_nothing(index_elements=["member_id", "tag"]),
)


class SqlMembers:
    """Members in one transaction, within one scope."""

    def __init__(
        self, connection: Conn, *, scope: Scope, now: datetime, zone: ZoneInfo, personal_data: PersonalData
    ) -> None:
        self._connection = connection
        self._scope = scope_params(scope)
        self._now = now
        self._zone = zone
        self._personal_data = personal_data

    async def find_by_ref(self, external_ref: str) -> MemberId | None:
        """The member of this external reference, if there is one."""
        found = await FIND_MEMBER_BY_REF.value(self._connection, {"external_ref": external_ref, **self._scope})
        return None if found is None else MemberId(found)

    async def lock_or_none(self, member_id: MemberId) -> Member | None:
        """The member, locked for this transaction; none when there is none within the scope."""
        row = await LOCK_MEMBER.row(self._connection, {"member_id": member_id, **self._scope})
        return None if row is None else member_of(row, personal_data=self._personal_data)

    async def add(self, member: Member) -> bool:
        """Stores a new member; False when its external reference was taken in the meantime."""
        person = sealed_person(
            member.id,
            display_name=member.personal.display_name,
            phone=member.personal.phone,
            birthday=member.personal.birthday,
            personal_data=self._personal_data,
        )
        row = {
            "member_id": member.id,
            "external_ref": member.external_ref,
            "locale": member.locale,
            "joined_at": member.joined_at,
            **person,
        }
        return await ADD_MEMBER.execute(self._connection, columns_of([row], _COLUMNS) | self._scope) == 1

    async def fill_in(
        self, member_id: MemberId, *, display_name: str | None, phone: str | None, birthday: date | None, locale: str
    ) -> None:
        """Completes a member; None leaves a value as it is."""
        person = sealed_person(
            member_id, display_name=display_name, phone=phone, birthday=birthday, personal_data=self._personal_data
        )
        touched = await FILL_IN_MEMBER.execute(
            self._connection, {"member_id": member_id, "locale": locale, **person, **self._scope}
        )
        assert touched == 1, "the member was found under the same scope a moment ago"

    async def set_tags(self, member_id: MemberId, *, tags: Sequence[str]) -> None:
        """Marks a member that was locked with these tags and no others; those that it had keep their date."""
        params = {"member_id": member_id, "kept": list(tags), **self._scope}
        await DROP_MEMBER_TAGS.execute(self._connection, params)
        rows = [{"member_id": member_id, "tag": tag, "since": self._now} for tag in tags]
        await ADD_MEMBER_TAGS.execute(self._connection, columns_of(rows, _TAG) | self._scope)

    async def count_towards_tier(self, member_id: MemberId, *, amount: int, on: date | None = None) -> None:
        """Adds to the tier's metric on the programme's day, and lifts the tier at once if it earns a higher one."""
        today = local_date(self._now, zone=self._zone)
        bucket = columns_of([{"member_id": member_id, "on_date": on or today, "amount": amount}], _BUCKET)
        await ADD_TO_TIER_METRIC.execute(self._connection, bucket | self._scope)
        since = today - timedelta(days=DEFAULT_PROGRAMME.window_days - 1)
        row = await TIER_STANDINGS.row(self._connection, {"member_ids": [member_id], "since": since, **self._scope})
        before = standing_of(row)
        metric = max(0, int(row["metric"])) if row else 0
        after = assess(before, metric=metric, today=today, programme=DEFAULT_PROGRAMME)
        if after != before or row is None or row["tier_code"] is None:
            tier = {
                "member_id": member_id,
                "tier_code": after.tier.code,
                "since": self._now,
                "keep_until": after.keep_until,
            }
            await SET_TIER.execute(self._connection, columns_of([tier], _TIER) | self._scope)
