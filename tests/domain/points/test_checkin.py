"""A streak is what the dates say."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.points.checkin import SEVEN_DAYS, CheckInCycle, check_in, standing, streak_ending

MONDAY = date(2026, 3, 2)


def days(count: int, *, until: date = MONDAY - timedelta(days=1)) -> set[date]:
    """So many days without a gap, up to Sunday unless told."""
    return {until - timedelta(days=number) for number in range(count)}


@pytest.mark.parametrize(
    ("before", "streak", "cycle_day", "points"),
    [(0, 1, 1, 5), (1, 2, 2, 5), (5, 6, 6, 15), (6, 7, 7, 50), (7, 8, 1, 5), (13, 14, 7, 50), (14, 15, 1, 5)],
)
def test_the_eighth_day_starts_a_new_cycle(before: int, streak: int, cycle_day: int, points: int) -> None:
    result = check_in(MONDAY, earlier=days(before))
    assert (result.streak_days, result.cycle_day, result.points) == (streak, cycle_day, points)
    assert result.cycle_starts_on == MONDAY - timedelta(days=cycle_day - 1)


def test_a_missed_day_starts_again() -> None:
    gap = days(20) - {MONDAY - timedelta(days=1)}
    assert check_in(MONDAY, earlier=gap).streak_days == 1
    gap = days(20) - {MONDAY - timedelta(days=4)}
    assert check_in(MONDAY, earlier=gap).streak_days == 4


def test_a_streak_runs_over_the_end_of_a_month_and_of_february() -> None:
    leap = {date(2024, 2, 28), date(2024, 2, 29)}
    assert check_in(date(2024, 3, 1), earlier=leap).streak_days == 3
    assert check_in(date(2026, 1, 1), earlier={date(2025, 12, 31)}).streak_days == 2


def test_later_dates_and_the_day_itself_change_nothing() -> None:
    earlier = days(2)
    assert check_in(MONDAY, earlier=earlier | {MONDAY, MONDAY + timedelta(days=1)}) == check_in(MONDAY, earlier=earlier)


@pytest.mark.parametrize(
    ("today", "dates", "shown"),
    [
        (MONDAY, days(3), (False, 3, 10)),
        (MONDAY, days(3) | {MONDAY}, (True, 4, 15)),
        (MONDAY + timedelta(days=1), days(3), (False, 0, 5)),
        (MONDAY, set(), (False, 0, 5)),
        (MONDAY, days(7), (False, 7, 5)),
    ],
)
def test_a_streak_is_alive_until_the_end_of_the_next_day(
    today: date, dates: set[date], shown: tuple[bool, int, int]
) -> None:
    for form in (dates, frozenset(dates), list(dates)):
        result = standing(today, dates=form)
        assert (result.checked_in_today, result.streak_days, result.next_points) == shown


def test_a_cycle_may_have_another_length() -> None:
    three = CheckInCycle(points=(1, 2, 9))
    assert [check_in(MONDAY, earlier=days(n), cycle=three).points for n in range(5)] == [1, 2, 9, 1, 2]
    assert standing(MONDAY, dates=set(), cycle=three).cycle_days == 3
    assert SEVEN_DAYS.days == 7


@pytest.mark.parametrize("points", [(), (1, -1)])
def test_a_cycle_without_days_or_with_negative_points_is_refused(points: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="a cycle has one day at least"):
        CheckInCycle(points)


@given(offsets=st.sets(st.integers(min_value=0, max_value=40)))
def test_the_streak_is_the_longest_run_of_days_that_ends_there(offsets: set[int]) -> None:
    dates = {MONDAY - timedelta(days=offset) for offset in offsets}
    first_gap = next(offset for offset in range(42) if offset not in offsets)
    assert streak_ending(MONDAY, dates=dates) == first_gap
