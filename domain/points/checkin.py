"""Daily check-in 签到: the streak follows from the dates themselves, so that no counter can be wrong."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CheckInCycle:
    """The points for each day of a cycle; the day after the last starts a new one."""

    points: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse a cycle without days or with negative points."""
        if not self.points or min(self.points) < 0:
            raise ValueError("a cycle has one day at least, and no day takes points")

    @property
    def days(self) -> int:
        """How long a cycle is."""
        return len(self.points)


SEVEN_DAYS: Final = CheckInCycle(points=(5, 5, 10, 10, 15, 15, 50))
"""The default: a week of check-ins, the last day worth the most."""


@dataclass(frozen=True, slots=True)
class CheckIn:
    """What the check-in of one day amounts to.

    `streak_days` counts the days without a gap, this one included; `cycle_day` is 1 to the length of a cycle. A reward
    is keyed by the member, `cycle_starts_on` and `cycle_day`, so that it is given once.
    """

    on: date
    streak_days: int
    cycle_day: int
    cycle_starts_on: date
    points: int


@dataclass(frozen=True, slots=True)
class CheckInStanding:
    """Where a member stands today; `next_points` are for the next check-in, if it comes without a gap."""

    checked_in_today: bool
    streak_days: int
    cycle_days: int
    next_points: int


def check_in(on: date, *, earlier: Collection[date], cycle: CheckInCycle = SEVEN_DAYS) -> CheckIn:
    """The check-in of a local day, given the days of the earlier ones (that day itself among them changes nothing)."""
    streak_days = 1 + streak_ending(on - _ONE_DAY, dates=earlier)
    cycle_day = (streak_days - 1) % cycle.days + 1
    return CheckIn(on, streak_days, cycle_day, on - (cycle_day - 1) * _ONE_DAY, cycle.points[cycle_day - 1])


def standing(today: date, *, dates: Collection[date], cycle: CheckInCycle = SEVEN_DAYS) -> CheckInStanding:
    """Where a member stands: a streak is alive until the end of the day after its last check-in."""
    checked_in_today = today in dates
    last = today if checked_in_today else today - _ONE_DAY
    upcoming = check_in(last + _ONE_DAY, earlier=dates, cycle=cycle)
    return CheckInStanding(checked_in_today, upcoming.streak_days - 1, cycle.days, upcoming.points)


def streak_ending(last: date, *, dates: Collection[date]) -> int:
    """How many days without a gap end with `last`; 0 when there was no check-in on it."""
    days = dates if isinstance(dates, set | frozenset) else set(dates)
    streak = 0
    while last - streak * _ONE_DAY in days:
        streak += 1
    return streak
