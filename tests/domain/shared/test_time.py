"""The programme's zone decides what a day, a week and a month is."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.shared.time import (
    EmptyInterval,
    Interval,
    NaiveInstant,
    birthday_in,
    day_interval,
    end_of_validity,
    instant_of,
    local_date,
    month_interval,
    start_of_day,
    start_of_month,
    start_of_next_month,
    start_of_week,
    week_interval,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_YORK = ZoneInfo("America/New_York")
APIA = ZoneInfo("Pacific/Apia")
HAVANA = ZoneInfo("America/Havana")
BEIRUT = ZoneInfo("Asia/Beirut")
ZONES = st.sampled_from([SHANGHAI, NEW_YORK, APIA, HAVANA, BEIRUT, ZoneInfo("UTC")])


def utc(text: str) -> datetime:
    """An instant in UTC, from its ISO text."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_day_of_an_instant_is_that_of_the_programme() -> None:
    assert local_date(utc("2026-03-01T15:59:59"), zone=SHANGHAI) == date(2026, 3, 1)
    assert local_date(utc("2026-03-01T16:00:00"), zone=SHANGHAI) == date(2026, 3, 2)


def test_a_travelling_member_has_one_day_and_not_two() -> None:
    instant = utc("2026-03-01T16:30:00")
    in_new_york = instant.astimezone(NEW_YORK)
    assert in_new_york.date() == date(2026, 3, 1)
    assert local_date(in_new_york, zone=SHANGHAI) == local_date(instant, zone=SHANGHAI) == date(2026, 3, 2)


def test_an_instant_without_offset_is_refused() -> None:
    with pytest.raises(NaiveInstant):
        local_date(datetime(2026, 3, 1), zone=SHANGHAI)  # noqa: DTZ001


@pytest.mark.parametrize("claimed_at", ["2026-02-28T16:00:00", "2026-03-01T04:00:00", "2026-03-01T15:59:59"])
def test_seven_days_after_claim_end_at_midnight_of_the_eighth_day(claimed_at: str) -> None:
    ends_at = end_of_validity(utc(claimed_at), days_after_claim=7, zone=SHANGHAI)
    assert ends_at == utc("2026-03-07T16:00:00")
    assert ends_at.astimezone(SHANGHAI).isoformat() == "2026-03-08T00:00:00+08:00"
    assert ends_at.tzinfo is UTC


def test_seven_days_over_a_clock_change_are_days_and_not_168_hours() -> None:
    claimed_at = instant_of(date(2026, 3, 5), at=time.min, zone=NEW_YORK)
    ends_at = end_of_validity(claimed_at, days_after_claim=7, zone=NEW_YORK)
    assert ends_at - claimed_at == timedelta(hours=167)
    assert ends_at.astimezone(NEW_YORK).isoformat() == "2026-03-12T00:00:00-04:00"


def test_a_validity_of_no_days_is_refused() -> None:
    with pytest.raises(ValueError, match="one day at least"):
        end_of_validity(utc("2026-03-01T00:00:00"), days_after_claim=0, zone=SHANGHAI)


def test_a_skipped_local_time_is_shifted_forward_by_the_gap() -> None:
    # New York, 8 March 2026: 02:00 to 03:00 does not exist.
    instant = instant_of(date(2026, 3, 8), at=time(2, 30), zone=NEW_YORK)
    assert instant.astimezone(NEW_YORK).isoformat() == "2026-03-08T03:30:00-04:00"


def test_a_repeated_local_time_is_the_first_of_the_two() -> None:
    # New York, 1 November 2026: 01:00 to 02:00 happens twice.
    for fold in (0, 1):
        instant = instant_of(date(2026, 11, 1), at=time(1, 30, fold=fold), zone=NEW_YORK)
        assert instant == utc("2026-11-01T05:30:00")


def test_a_day_whose_midnight_is_skipped_starts_after_the_gap() -> None:
    # Beirut, 30 March 2025: 00:00 to 01:00 does not exist.
    start = start_of_day(date(2025, 3, 30), zone=BEIRUT)
    assert start.astimezone(BEIRUT).isoformat() == "2025-03-30T01:00:00+03:00"
    assert local_date(start - timedelta(seconds=1), zone=BEIRUT) == date(2025, 3, 29)


def test_a_day_whose_midnight_is_repeated_starts_at_the_first() -> None:
    # Havana, 2 November 2025: 00:00 to 01:00 happens twice.
    interval = day_interval(date(2025, 11, 2), zone=HAVANA)
    assert interval.ends_at - interval.starts_at == timedelta(hours=25)


def test_a_day_that_the_calendar_skipped_has_no_instant() -> None:
    # Apia went from 29 to 31 December 2011.
    assert start_of_day(date(2011, 12, 30), zone=APIA) == start_of_day(date(2011, 12, 31), zone=APIA)


@given(
    instant=st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    zone=ZONES,
)
def test_every_instant_lies_in_its_own_day_week_and_month(instant: datetime, zone: ZoneInfo) -> None:
    day = local_date(instant, zone=zone)
    assert instant in day_interval(day, zone=zone)
    assert instant in week_interval(day, zone=zone)
    assert instant in month_interval(day, zone=zone)
    assert start_of_week(day).isocalendar()[1:] == (day.isocalendar()[1], 1)


def test_weeks_start_on_monday_and_months_on_the_first() -> None:
    assert start_of_week(date(2026, 1, 1)) == date(2025, 12, 29)
    assert start_of_week(date(2026, 3, 2)) == date(2026, 3, 2)
    assert start_of_week(date(2026, 3, 1)) == date(2026, 2, 23)
    assert start_of_month(date(2024, 2, 29)) == date(2024, 2, 1)
    assert start_of_next_month(date(2025, 12, 31)) == date(2026, 1, 1)
    assert start_of_next_month(date(2024, 1, 31)) == date(2024, 2, 1)


def test_a_birthday_on_29_february_is_kept_on_the_28th_of_a_common_year() -> None:
    born_on = date(2000, 2, 29)
    assert birthday_in(2025, born_on=born_on) == date(2025, 2, 28)
    assert birthday_in(2024, born_on=born_on) == date(2024, 2, 29)
    assert birthday_in(1900, born_on=born_on) == date(1900, 2, 28)
    assert birthday_in(2025, born_on=date(1990, 7, 1)) == date(2025, 7, 1)


def test_an_interval_holds_its_start_and_not_its_end() -> None:
    interval = Interval(utc("2026-01-01T00:00:00"), utc("2026-01-02T00:00:00"))
    assert interval.starts_at in interval
    assert interval.ends_at not in interval
    assert interval.ends_at - timedelta(microseconds=1) in interval


def test_intervals_that_only_touch_do_not_overlap() -> None:
    first = Interval(utc("2026-01-01T00:00:00"), utc("2026-01-02T00:00:00"))
    second = Interval(utc("2026-01-02T00:00:00"), utc("2026-01-03T00:00:00"))
    third = Interval(utc("2026-01-01T12:00:00"), utc("2026-01-02T12:00:00"))
    assert not first.overlaps(second)
    assert not second.overlaps(first)
    assert third.overlaps(first)
    assert second.overlaps(third)


def test_an_empty_interval_is_refused() -> None:
    instant = utc("2026-01-01T00:00:00")
    with pytest.raises(EmptyInterval):
        Interval(instant, instant)
