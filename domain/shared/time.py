"""Days, weeks and months of the programme: one time zone decides, wherever the member travels.

Instants are UTC; periods are half-open, `[from, until)`. A local time that the clocks skip is shifted forward by the
gap, one that they repeat is the first of the two (PEP 495, fold=0, gives exactly this).
"""

from calendar import isleap
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAYS_IN_WEEK = 7


class NaiveInstant(ValueError):
    """A datetime without an offset: nobody knows which instant it is."""


class EmptyInterval(ValueError):
    """An interval that ends before it begins, or at once."""


def to_utc(instant: datetime) -> datetime:
    """The same instant in UTC, or raise NaiveInstant."""
    if instant.tzinfo is None:
        raise NaiveInstant(f"{instant.isoformat()} has no offset")
    return instant.astimezone(UTC)


def local_date(instant: datetime, *, zone: ZoneInfo) -> date:
    """The calendar day of an instant in the programme's zone."""
    return to_utc(instant).astimezone(zone).date()


def instant_of(day: date, *, at: time, zone: ZoneInfo) -> datetime:
    """The UTC instant of a wall-clock time: shifted forward where clocks skip it, the first where they repeat it."""
    return datetime.combine(day, at.replace(fold=0), tzinfo=zone).astimezone(UTC)


def start_of_day(day: date, *, zone: ZoneInfo) -> datetime:
    """The first instant of a local day."""
    return instant_of(day, at=time.min, zone=zone)


def start_of_week(day: date) -> date:
    """The Monday of the ISO week that holds the day."""
    return day - timedelta(days=day.weekday())


def start_of_month(day: date) -> date:
    """The first of the month that holds the day."""
    return day.replace(day=1)


def start_of_next_month(day: date) -> date:
    """The first of the month after the one that holds the day."""
    return date(day.year + 1, 1, 1) if day.month == 12 else date(day.year, day.month + 1, 1)  # noqa: PLR2004


def end_of_validity(claimed_at: datetime, *, days_after_claim: int, zone: ZoneInfo) -> datetime:
    """When a coupon that is valid for N days ends: 00:00 local on day N + 1, where the day of the claim is day 1.

    Seven days are seven calendar days of the programme, not 168 hours: a coupon claimed at any time on 1 March with
    N = 7 ends at 00:00 on 8 March.
    """
    if days_after_claim < 1:
        raise ValueError("a coupon is valid for one day at least")
    return start_of_day(local_date(claimed_at, zone=zone) + timedelta(days=days_after_claim), zone=zone)


def birthday_in(year: int, *, born_on: date) -> date:
    """The day on which a birthday is kept in a year: 29 February falls on the 28th of a common year."""
    if (born_on.month, born_on.day) == (2, 29) and not isleap(year):
        return date(year, 2, 28)
    return born_on.replace(year=year)


@dataclass(frozen=True, slots=True)
class Interval:
    """The instants from `starts_at` up to, and without, `ends_at`; never empty."""

    starts_at: datetime
    ends_at: datetime

    def __post_init__(self) -> None:
        """Refuse naive and empty intervals."""
        if to_utc(self.starts_at) >= to_utc(self.ends_at):
            raise EmptyInterval(f"{self.starts_at.isoformat()} is not before {self.ends_at.isoformat()}")

    def __contains__(self, instant: datetime) -> bool:
        """Whether the instant is in: the start is, the end is not."""
        return self.starts_at <= instant < self.ends_at

    def overlaps(self, other: "Interval") -> bool:
        """Whether an instant is in both; intervals that only touch share none."""
        return self.starts_at < other.ends_at and other.starts_at < self.ends_at


def day_interval(day: date, *, zone: ZoneInfo) -> Interval:
    """A local day: 23, 24 or 25 hours."""
    return Interval(start_of_day(day, zone=zone), start_of_day(day + timedelta(days=1), zone=zone))


def week_interval(day: date, *, zone: ZoneInfo) -> Interval:
    """The ISO week, Monday to Sunday, that holds the local day."""
    monday = start_of_week(day)
    return Interval(start_of_day(monday, zone=zone), start_of_day(monday + timedelta(days=_DAYS_IN_WEEK), zone=zone))


def month_interval(day: date, *, zone: ZoneInfo) -> Interval:
    """The calendar month that holds the local day."""
    return Interval(start_of_day(start_of_month(day), zone=zone), start_of_day(start_of_next_month(day), zone=zone))
