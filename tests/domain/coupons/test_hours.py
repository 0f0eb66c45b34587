"""Hours and weekdays where clocks change, and over midnight: the local hour decides, whatever it is the second of."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from domain.coupons.conditions import read_conditions
from tests.domain.coupons.carts import cart

NEW_YORK = ZoneInfo("America/New_York")


def hours(starts: str, ends: str) -> dict[str, Any]:
    return {"timeOfDay": {"from": starts, "until": ends}}


def holds(tree: object, *at: int) -> bool:
    """Whether it holds at that instant in UTC."""
    what = cart(1000)
    return read_conditions(tree, zone=NEW_YORK).prove(what, lines=what.lines, at=datetime(*at, tzinfo=UTC)).passed  # type: ignore[misc,arg-type] # year to second


@pytest.mark.parametrize(
    ("tree", "at", "expected"),
    [
        # 8 March 2026: at 07:00 UTC the clocks go from 02:00 to 03:00. There is no hour from 02:00.
        (hours("02:00", "03:00"), (2026, 3, 8, 6, 59, 59), False),
        (hours("02:00", "03:00"), (2026, 3, 8, 7, 0), False),
        (hours("01:30", "03:30"), (2026, 3, 8, 6, 59), True),
        (hours("01:30", "03:30"), (2026, 3, 8, 7, 0), True),
        (hours("01:30", "03:30"), (2026, 3, 8, 7, 30), False),
        # The day after there is one again.
        (hours("02:00", "03:00"), (2026, 3, 9, 6, 0), True),
        # 1 November 2026: at 06:00 UTC the clocks go from 02:00 back to 01:00. The hour from 01:00 is there twice.
        (hours("01:00", "02:00"), (2026, 11, 1, 5, 0), True),
        (hours("01:00", "02:00"), (2026, 11, 1, 5, 59, 59), True),
        (hours("01:00", "02:00"), (2026, 11, 1, 6, 0), True),
        (hours("01:00", "02:00"), (2026, 11, 1, 6, 59, 59), True),
        (hours("01:00", "02:00"), (2026, 11, 1, 7, 0), False),
        # Sundays of 23 and of 25 hours are Sundays from midnight to midnight.
        ({"weekday": ["SUNDAY"]}, (2026, 3, 8, 4, 59), False),
        ({"weekday": ["SUNDAY"]}, (2026, 3, 8, 5, 0), True),
        ({"weekday": ["SUNDAY"]}, (2026, 3, 9, 3, 59), True),
        ({"weekday": ["SUNDAY"]}, (2026, 3, 9, 4, 0), False),
        ({"weekday": ["SUNDAY"]}, (2026, 11, 1, 3, 59), False),
        ({"weekday": ["SUNDAY"]}, (2026, 11, 1, 4, 0), True),
        ({"weekday": ["SUNDAY"]}, (2026, 11, 2, 4, 59), True),
        ({"weekday": ["SUNDAY"]}, (2026, 11, 2, 5, 0), False),
    ],
)
def test_hours_and_days_are_those_of_the_clock_where_it_changes(
    tree: object, at: tuple[int, ...], *, expected: bool
) -> None:
    assert holds(tree, *at) is expected
    assert holds({"none": [tree]}, *at) is not expected


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        # A weekday is that of the hour itself: Friday has 00:00 to 02:00, and 22:00 to midnight.
        ((2026, 6, 4, 23, 0), False),
        ((2026, 6, 5, 0, 0), True),
        ((2026, 6, 5, 1, 59), True),
        ((2026, 6, 5, 2, 0), False),
        ((2026, 6, 5, 21, 59), False),
        ((2026, 6, 5, 22, 0), True),
        ((2026, 6, 5, 23, 59), True),
        ((2026, 6, 6, 0, 0), False),
        ((2026, 6, 6, 1, 0), False),
    ],
)
def test_a_weekday_and_hours_over_midnight_hold_together_by_the_hour_itself(
    local: tuple[int, ...], *, expected: bool
) -> None:
    tree = {"all": [{"weekday": ["FRIDAY"]}, hours("22:00", "02:00")]}
    at = datetime(*local, tzinfo=NEW_YORK).astimezone(UTC)  # type: ignore[misc,arg-type] # year to minute
    assert holds(tree, *at.timetuple()[:6]) is expected
