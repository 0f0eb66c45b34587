"""Points accounts and what is read of them."""

from dataclasses import dataclass
from datetime import date, datetime

from domain.points.checkin import CheckInStanding
from domain.points.journal import EntryKind
from domain.shared.ids import EntryId, LotId, MemberId


@dataclass(frozen=True, slots=True)
class PointsAccount:
    """A member's balances in points. `available` counts lots that have not expired; `debt` is what is owed."""

    member_id: MemberId
    available: int
    pending: int
    debt: int
    lifetime_earned: int


@dataclass(frozen=True, slots=True)
class PointsTransaction:
    """One movement of the available balance, as the member sees it."""

    member_id: MemberId
    id: EntryId
    kind: EntryKind
    delta: int
    balance_after: int
    reason: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class PointsLot:
    """Points that were earned together and expire together; None: never."""

    member_id: MemberId
    id: LotId
    earned: int
    remaining: int
    earned_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class PointsAdjusted:
    """The result of a correction."""

    member_id: MemberId
    entry_id: EntryId


@dataclass(frozen=True, slots=True)
class CheckedIn:
    """The result of a check-in."""

    member_id: MemberId
    on_date: date
    points: int


@dataclass(frozen=True, slots=True)
class CheckInStatus:
    """Where a member stands today, on the day it stands in."""

    today: date
    standing: CheckInStanding
