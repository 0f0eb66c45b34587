"""Members 会员 as the domain knows them."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from domain.shared.ids import MemberId


class Personal(Protocol):
    """What is personal of a member: plain here, encrypted at rest, and opened when it is looked at."""

    @property
    def display_name(self) -> str | None:
        """What the member wants to be called."""
        ...

    @property
    def phone(self) -> str | None:
        """With country code; masked on the way out."""
        ...

    @property
    def birthday(self) -> date | None:
        """The day of birth."""
        ...


@dataclass(frozen=True, slots=True)
class NothingPersonal:
    """A member of whom no more is known than a reference."""

    display_name: None = None
    phone: None = None
    birthday: None = None


@dataclass(frozen=True, slots=True)
class Member:
    """One person in the programme."""

    id: MemberId
    external_ref: str
    personal: Personal
    locale: str
    joined_at: datetime


@dataclass(frozen=True, slots=True)
class MemberTagged:
    """The result of setting a member's tags."""

    member_id: MemberId
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MemberRegistered:
    """The result of a registration."""

    member_id: MemberId
