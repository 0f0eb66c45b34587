"""Scalars: exact on the way in, exact on the way out."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, NewType

import orjson
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from domain.shared.money import CURRENCY_EXPONENTS, SAFE_INT_MAX

SafeInt = NewType("SafeInt", int)
CurrencyCode = NewType("CurrencyCode", str)
# Decimal on the wire; text here as well, since only `Money.parse` turns it into a number, and never into a float.
DecimalText = NewType("DecimalText", str)

_RFC3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)  # RFC 3339, section 5.6: seconds and the offset are not optional
_SHOWN_INSTANTS = 4_096  # remembered
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DECIMAL = re.compile(r"-?(0|[1-9]\d{0,18})(\.\d{1,19})?", re.ASCII)


def _refuse(kind: str, value: object, *, expected: str) -> GraphQLError:
    return GraphQLError(f"{kind} cannot represent {str(value)[:60]!r}: expected {expected}")


def _parse_instant(value: object) -> datetime:
    if isinstance(value, str) and _RFC3339.fullmatch(value):
        # Python keeps microseconds; RFC 3339 allows nine digits, of which the last three are below any clock here.
        text = re.sub(r"(\.\d{6})\d+", r"\1", value.upper())
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise _refuse("DateTime", value, expected="RFC 3339 with an offset, such as 2026-11-22T08:00:00+08:00")


# The coupons of a wallet, and of many wallets, end at the same few instants. Those that are equal read the same.
@lru_cache(maxsize=_SHOWN_INSTANTS)
def _show_instant(value: Any) -> str:
    if value.__class__ is datetime and value.tzinfo is UTC:
        return orjson.dumps(value, option=orjson.OPT_UTC_Z)[1:-1].decode()  # as isoformat(), in a quarter of the time
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise _refuse("DateTime", value, expected="an instant with a time zone")
    text = value.isoformat() if value.tzinfo is UTC else value.astimezone(UTC).isoformat()
    return text[: -len("+00:00")] + "Z"


def _parse_date(value: object) -> date:
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise _refuse("Date", value, expected="an ISO 8601 date such as 2026-11-22")


def _show_date(value: Any) -> str:
    if isinstance(value, datetime) or not isinstance(value, date):
        raise _refuse("Date", value, expected="a date")
    return value.isoformat()


def _decimal(value: object) -> DecimalText:
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return DecimalText(value)
    raise _refuse("Decimal", value, expected='a JSON string such as "80.00"')


def _safe_int(value: object) -> SafeInt:
    # A float that is whole is still a float: 1e3 is refused, as is true, which Python takes for 1.
    if isinstance(value, int) and not isinstance(value, bool) and -SAFE_INT_MAX <= value <= SAFE_INT_MAX:
        return SafeInt(value)
    raise _refuse("SafeInt", value, expected=f"an integer within ±{SAFE_INT_MAX}")


def _currency(value: object) -> CurrencyCode:
    if isinstance(value, str) and value in CURRENCY_EXPONENTS:
        return CurrencyCode(value)
    raise _refuse("CurrencyCode", value, expected="an ISO 4217 code such as CNY")


def _scalar(
    name: str, description: str, *, parse: Callable[[object], object], show: Callable[[Any], object], url: str | None
) -> ScalarDefinition:
    return ScalarDefinition(
        name=name, description=description, specified_by_url=url, serialize=show, parse_value=parse, parse_literal=None
    )


SCALARS: dict[object, ScalarDefinition] = {
    datetime: _scalar(
        "DateTime",
        "An instant, RFC 3339 with an offset; UTC on the way out.",
        parse=_parse_instant,
        show=_show_instant,
        url="https://www.rfc-editor.org/rfc/rfc3339",
    ),
    date: _scalar(
        "Date", "A day in the programme's time zone, ISO 8601.", parse=_parse_date, show=_show_date, url=None
    ),
    DecimalText: _scalar(
        "Decimal",
        'An exact decimal number as a JSON string, such as "80.00"; never a float.',
        parse=_decimal,
        show=_decimal,
        url=None,
    ),
    SafeInt: _scalar(
        "SafeInt",
        "An integer within ±(2^53 - 1), which JavaScript and mini-programs hold exactly; outside it an error, never a "
        "rounding. Points and minor units.",
        parse=_safe_int,
        show=_safe_int,
        url=None,
    ),
    CurrencyCode: _scalar(
        "CurrencyCode", "A currency, ISO 4217, such as CNY.", parse=_currency, show=_currency, url=None
    ),
}
