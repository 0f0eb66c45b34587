"""Money is exact, of one currency, and never larger than a client can hold."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.shared.money import (
    CURRENCY_EXPONENTS,
    SAFE_INT_MAX,
    AmountOutOfRange,
    CurrencyMismatch,
    InvalidAmount,
    Money,
    TooManyDecimals,
    UnknownCurrency,
    display_text,
    half_up,
    require_safe,
    short_text,
)

SAFE_INTS = st.integers(min_value=-SAFE_INT_MAX, max_value=SAFE_INT_MAX)
CURRENCIES = st.sampled_from(sorted(CURRENCY_EXPONENTS))


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("80.00", "CNY", 8000),
        ("80", "CNY", 8000),
        ("80.5", "CNY", 8050),
        ("0.01", "CNY", 1),
        ("-3.50", "CNY", -350),
        ("1000", "JPY", 1000),
        ("1000.00", "JPY", 1000),
        ("1.234", "KWD", 1234),
        ("1.2345", "CLF", 12345),
        ("90071992547409.91", "CNY", SAFE_INT_MAX),
    ],
)
def test_a_decimal_text_is_read_exactly(text: str, currency: str, minor: int) -> None:
    assert Money.parse(text, currency=currency) == Money(minor, currency)


@pytest.mark.parametrize(("text", "currency"), [("80.001", "CNY"), ("1.5", "JPY"), ("1.2345", "KWD")])
def test_more_decimals_than_the_currency_has_are_refused(text: str, currency: str) -> None:
    with pytest.raises(TooManyDecimals, match="more decimals than"):
        Money.parse(text, currency=currency)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "+1",
        "1.",
        ".5",
        "1e3",
        "1,000",
        "01",
        "0x1",
        "NaN",
        "Infinity",
        "\N{FULLWIDTH DIGIT ONE}",
        "--1",
        "1\n",
    ],
)
def test_a_text_that_is_no_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(InvalidAmount):
        Money.parse(text, currency="CNY")


def test_an_enormous_text_is_refused_before_it_is_computed() -> None:
    with pytest.raises(InvalidAmount):
        Money.parse("9" * 100_000, currency="CNY")


def test_an_amount_beyond_the_safe_integers_is_refused() -> None:
    with pytest.raises(AmountOutOfRange):
        Money.parse("90071992547409.92", currency="CNY")
    with pytest.raises(AmountOutOfRange):
        Money(SAFE_INT_MAX, "CNY") + Money(1, "CNY")
    with pytest.raises(AmountOutOfRange):
        require_safe(-SAFE_INT_MAX - 1)
    assert require_safe(-SAFE_INT_MAX) == -SAFE_INT_MAX


@pytest.mark.parametrize("code", ["", "cny", "RMB", "XAU", "XXX", "ANG", "HRK"])
def test_a_code_that_is_no_active_currency_is_refused(code: str) -> None:
    with pytest.raises(UnknownCurrency):
        Money(1, code)


def test_the_exponents_are_those_of_iso_4217() -> None:
    assert CURRENCY_EXPONENTS["JPY"] == 0
    assert CURRENCY_EXPONENTS["CNY"] == 2
    assert CURRENCY_EXPONENTS["KWD"] == 3
    assert CURRENCY_EXPONENTS["CLF"] == 4
    assert len(CURRENCY_EXPONENTS) > 160
    assert all(len(code) == 3 and code.isalpha() and code.isupper() for code in CURRENCY_EXPONENTS)


def test_two_currencies_do_not_mix() -> None:
    yuan, dollar = Money(1, "CNY"), Money(1, "USD")
    with pytest.raises(CurrencyMismatch):
        yuan + dollar
    with pytest.raises(CurrencyMismatch):
        yuan - dollar
    for compare in (Money.__lt__, Money.__le__, Money.__gt__, Money.__ge__):
        with pytest.raises(CurrencyMismatch):
            compare(yuan, dollar)
    with pytest.raises(CurrencyMismatch):
        Money.total([yuan, dollar], currency="CNY")
    assert yuan != dollar


def test_one_currency_adds_subtracts_and_compares() -> None:
    one, two = Money(1, "CNY"), Money(2, "CNY")
    assert one + two == Money(3, "CNY")
    assert one - two == -one == Money(-1, "CNY")
    assert one < two
    assert two > one
    assert one <= Money(1, "CNY") <= two >= Money(2, "CNY")
    assert not one > two
    assert not two < one
    assert Money.total([one, two, two], currency="CNY") == Money(5, "CNY")
    assert Money.total([], currency="JPY") == Money.zero("JPY")


@given(minor=SAFE_INTS, currency=CURRENCIES)
def test_every_amount_survives_its_own_text(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    text = money.to_decimal_text()
    assert Money.parse(text, currency=currency) == money
    assert Decimal(text) == Decimal(minor).scaleb(-CURRENCY_EXPONENTS[currency])
    assert len(text.partition(".")[2]) == CURRENCY_EXPONENTS[currency]


@given(numerator=SAFE_INTS, denominator=st.integers(min_value=1, max_value=10**6))
def test_half_up_is_the_nearest_integer_and_symmetric(numerator: int, denominator: int) -> None:
    quotient = half_up(numerator, denominator)
    assert 2 * abs(quotient * denominator - numerator) <= denominator
    assert half_up(-numerator, denominator) == -quotient


def test_half_goes_away_from_zero() -> None:
    assert [half_up(n, 2) for n in (1, 3, 5, -1, -3, 0)] == [1, 2, 3, -1, -2, 0]
    with pytest.raises(ValueError, match="denominator"):
        half_up(1, 0)


@pytest.mark.parametrize(
    ("money", "full", "short"),
    [
        (Money(2000, "CNY"), "¥20.00", "¥20"),
        (Money(1990, "CNY"), "¥19.90", "¥19.90"),
        (Money(128_000, "CNY"), "¥1,280.00", "¥1,280"),
        (Money(-5, "CNY"), "-¥0.05", "-¥0.05"),
        (Money(1000, "JPY"), "JP¥1,000", "JP¥1,000"),
        (Money(2000, "USD"), "$20.00", "$20"),
        (Money(1250, "KWD"), "KWD\u00a01.250", "KWD\u00a01.250"),
    ],
)
def test_an_amount_is_shown_as_its_currency_is_written(money: Money, full: str, short: str) -> None:
    assert display_text(money) == full
    assert short_text(money) == short
