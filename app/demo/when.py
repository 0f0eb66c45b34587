"""The year moved: the source's local times become local times of the programme, whole weeks later."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import blake2b
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.shared.time import local_date, start_of_day

SOURCE_OPENED: Final = date(2016, 11, 1)
"""Before the earliest campaign of the source."""
SOURCE_LAST_DAY: Final = date(2017, 12, 31)
REST_DAYS: Final = 8
"""The year ends at least so many days before the first load, so that all its points are released by then."""

_WEEK: Final = 7
_MILLISECOND: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MASK_12: Final = 0xFFF
_MASK_62: Final = 0x3FFF_FFFF_FFFF_FFFF


@dataclass(frozen=True, slots=True)
class Shift:
    """How far the year is moved, and the zone that it is moved to."""

    days: int
    zone: ZoneInfo

    @staticmethod
    def of_first_load(now: datetime, *, zone: ZoneInfo) -> "Shift":
        """Whole weeks, so that a Saturday stays one; the year ends 8 to 14 days ago."""
        latest = local_date(now, zone=zone) - timedelta(days=REST_DAYS)
        return Shift((latest - SOURCE_LAST_DAY).days // _WEEK * _WEEK, zone)

    @staticmethod
    def of_later_load(opened_at: datetime, *, zone: ZoneInfo) -> "Shift":
        """As the first load moved it, which `opened_at` tells."""
        return Shift((local_date(opened_at, zone=zone) - SOURCE_OPENED).days, zone)

    @property
    def opened_at(self) -> datetime:
        """When the programme opened: what later loads find the shift by."""
        return self.start_of(SOURCE_OPENED)

    def day(self, source: date) -> date:
        """The day that a day of the source becomes."""
        return source + timedelta(days=self.days)

    def start_of(self, source: date) -> datetime:
        """The first instant of the day that a day of the source becomes."""
        return start_of_day(self.day(source), zone=self.zone)

    def instant(self, source: datetime) -> datetime:
        """The instant that a local time of the source becomes."""
        return (source + timedelta(days=self.days)).replace(tzinfo=self.zone).astimezone(UTC)


def digest(*key: object) -> int:
    """96 bits that follow from a natural key alone: every choice that is invented is drawn from them."""
    text = "\x1f".join(map(str, key))
    return int.from_bytes(blake2b(text.encode(), digest_size=12, person=b"laurel demo").digest())


def identity(at: datetime, *key: object) -> UUID:
    """A UUID of version 7 that follows from an instant and a natural key: the same in every load."""
    milliseconds = (at - _EPOCH) // _MILLISECOND
    noise = digest(*key)
    return UUID(int=milliseconds << 80 | 0x7000 << 64 | (noise >> 62 & _MASK_12) << 64 | 0b10 << 62 | noise & _MASK_62)


def at_hour(day: date, *, seconds: int, zone: ZoneInfo) -> datetime:
    """So many seconds of wall clock into a day."""
    wall = datetime.combine(day, time.min) + timedelta(seconds=seconds)
    return wall.replace(tzinfo=zone).astimezone(UTC)
