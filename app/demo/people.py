"""Who the households are: invented from their number alone, and plainly nobody."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from app.demo.when import Shift, digest

REF_PREFIX: Final = "household-"

_ENGLISH_SHARE: Final = 5
"""One member in so many speaks English."""

_SURNAMES: Final = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许韩邓冯曹"
_GIVEN: Final = (
    "安然", "柏言", "晨曦", "丹青", "尔雅", "方圆", "归远", "海若", "吉安", "嘉禾", "可心", "乐天",
    "明川", "南星", "沛然", "清和", "若水", "思齐", "天佑", "望舒", "心怡", "雨桐", "云帆", "知夏",
    "子衿", "一诺", "小满", "立春", "谷雨", "白露", "秋实", "冬青",
)  # fmt: skip
_FIRST: Final = (
    "Ada", "Bruno", "Clara", "Dmitri", "Elena", "Farid", "Greta", "Hugo", "Iris", "Jonas", "Kira", "Leo", "Mina",
    "Noah", "Olga", "Paul", "Rosa", "Sami", "Tara", "Viktor",
)  # fmt: skip
_LAST: Final = (
    "Alder", "Birch", "Cedar", "Elm", "Fir", "Hazel", "Holly", "Juniper", "Larch", "Linden", "Maple", "Oak", "Pine",
    "Rowan", "Spruce", "Willow",
)  # fmt: skip

_FIRST_PHONE: Final = 12_300_000_000
"""No Chinese mobile number begins with 123: nobody is ever called."""

_AGES: Final = re.compile(r"(\d+)(?:-(\d+)|\+)")
_OLDEST: Final = 85
_DAYS_OF_YEAR: Final = 365
_SECONDS_BETWEEN: Final = 30
_DOORS_OPEN: Final = timedelta(hours=9)


@dataclass(frozen=True, slots=True)
class Person:
    """What a member registers with."""

    external_ref: str
    display_name: str
    phone: str
    birthday: date | None
    locale: str
    joined_at: datetime


def ref_of(household: int) -> str:
    """The external reference of a household's member."""
    return f"{REF_PREFIX}{household}"


def person(household: int, *, age: str | None, shift: Shift) -> Person:
    """The member of a household. All joined on the programme's first day, in the order of their numbers."""
    drawn = digest("person", household)
    english = drawn % _ENGLISH_SHARE == 0
    drawn //= _ENGLISH_SHARE
    name = _english_name(drawn) if english else _chinese_name(drawn)
    return Person(
        external_ref=ref_of(household),
        display_name=name,
        phone=f"+86{_FIRST_PHONE + household}",
        birthday=_birthday(household, age=age, shift=shift),
        locale="en" if english else "zh-CN",
        joined_at=shift.opened_at + _DOORS_OPEN + timedelta(seconds=household * _SECONDS_BETWEEN),
    )


def _chinese_name(drawn: int) -> str:
    rest, surname = divmod(drawn, len(_SURNAMES))
    return _SURNAMES[surname] + _GIVEN[rest % len(_GIVEN)]


def _english_name(drawn: int) -> str:
    rest, first = divmod(drawn, len(_FIRST))
    return f"{_FIRST[first]} {_LAST[rest % len(_LAST)]}"


def _birthday(household: int, *, age: str | None, shift: Shift) -> date | None:
    """A day within the source's age group; None where the source knows no age."""
    found = _AGES.fullmatch(age or "")
    if found is None:
        return None
    youngest, oldest = int(found[1]), int(found[2] or _OLDEST)
    drawn = digest("birthday", household)
    years = youngest + drawn % (oldest - youngest + 1)
    opened_on = shift.opened_at.date()
    return date(opened_on.year - years - 1, 1, 1) + timedelta(days=drawn // 100 % _DAYS_OF_YEAR)
