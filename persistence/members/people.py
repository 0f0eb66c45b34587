"""A person's row: what is sealed before it is stored, and opened after it is read."""

from datetime import date
from typing import Any, Protocol

from domain.members.model import Member
from domain.shared.ids import MemberId
from persistence.crypto import PersonalData

TABLE = "members"


class Columns(Protocol):
    """A row, or what shows the columns of one."""

    def __getitem__(self, name: str, /) -> Any:
        """A column's value."""
        ...


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


class SealedPerson:
    """The personal columns of a row, each opened when it is looked at."""

    __slots__ = ("_personal_data", "_row")

    def __init__(self, row: Columns, personal_data: PersonalData) -> None:
        self._row = row
        self._personal_data = personal_data

    @property
    def display_name(self) -> str | None:
        """What the member wants to be called."""
        return self._open("display_name")

    @property
    def phone(self) -> str | None:
        """With country code."""
        return self._open("phone")

    @property
    def birthday(self) -> date | None:
        """The day of birth."""
        birthday = self._open("birthday")
        return date.fromisoformat(birthday) if birthday else None

    def _open(self, column: str) -> str | None:
        value = self._row[column]
        if value is None:
            return None
        assert isinstance(value, bytes)
        return self._personal_data.decrypt(value, table=TABLE, column=column, owner_id=self._row["member_id"])


def member_of(row: Columns, *, personal_data: PersonalData) -> Member:
    """A member from its row."""
    return Member(
        id=row["member_id"],
        external_ref=row["external_ref"],
        personal=SealedPerson(row, personal_data),
        locale=row["locale"],
        joined_at=row["joined_at"],
    )
