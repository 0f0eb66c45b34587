"""A person's row: what is sealed before it is stored, and opened after it is read."""

from datetime import date
from uuid import UUID

from domain.members.model import Member
from domain.shared.ids import MemberId
from persistence.base import Row
from persistence.crypto import PersonalData

TABLE = "members"


def sealed_person(
    member_id: MemberId,
    *,
    display_name: str | None,
    phone: str | None,
    birthday: date | None,
    personal_data: PersonalData,
) -> dict[str, object]:
    """The personal columns as they are stored; a None stays NULL."""

    def seal(column: str, plain: str | None) -> bytes | None:
        if plain is None:
            return None
        return personal_data.encrypt(plain, table=TABLE, column=column, owner_id=member_id)

    return {
        "display_name": seal("display_name", display_name),
        "phone": seal("phone", phone),
        "phone_index": None if phone is None else personal_data.blind_index(phone, table=TABLE, column="phone"),
        "birthday": seal("birthday", birthday.isoformat() if birthday else None),
    }


def member_of(row: Row, *, personal_data: PersonalData) -> Member:
    """A member from its row."""
    member_id = row["member_id"]
    assert isinstance(member_id, UUID)

    def open_(column: str) -> str | None:
        value = row[column]
        if value is None:
            return None
        assert isinstance(value, bytes)
        return personal_data.decrypt(value, table=TABLE, column=column, owner_id=member_id)

    birthday = open_("birthday")
    return Member(
        id=MemberId(member_id),
        external_ref=str(row["external_ref"]),
        display_name=open_("display_name"),
        phone=open_("phone"),
        birthday=date.fromisoformat(birthday) if birthday else None,
        locale=str(row["locale"]),
        joined_at=row["joined_at"],
    )
