"""Members 会员 as the domain knows them."""

from dataclasses import dataclass
from datetime import date, datetime

from domain.shared.ids import MemberId


@dataclass(frozen=True, slots=True)
class Member:
    """One person in the programme. Personal values are plain here, encrypted at rest, and masked on the way out."""

    id: MemberId
    external_ref: str
    display_name: str | None
    phone: str | None
    birthday: date | None
    locale: str
    joined_at: datetime


@dataclass(frozen=True, slots=True)
class MemberRegistered:
    """The result of a registration."""

    member_id: MemberId
