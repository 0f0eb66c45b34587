"""Money as a whole number of minor units (fen, cents) of one currency; there is no float and no hidden rounding.

Minor units follow ISO 4217: CNY has two decimals, JPY none, KWD three. An amount stays within ±(2^53 - 1), the largest
integer that a browser or a mini-program can hold exactly.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

SAFE_INT_MAX: Final = 2**53 - 1

# ISO 4217 list one, the codes in circulation and the funds codes. Codes without a minor unit (XAU, XDR, XTS, XXX …) are
# not money that a cart can hold and are left out on purpose.
_TWO_DECIMALS: Final = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU
CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES
KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR
NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP
TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
"""
_BY_DECIMALS: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: _TWO_DECIMALS,
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
CURRENCY_EXPONENTS: Final = {code: digits for digits, codes in _BY_DECIMALS.items() for code in codes.split()}
"""How many decimals each currency has: its minor unit is 10^-exponent of the major one."""

# The yen says which yen it is: a Chinese shopper reads a bare ¥ as yuan.
_SYMBOLS: Final = {
    "CNY": "¥", "JPY": "JP¥", "USD": "$", "EUR": "€", "GBP": "£", "HKD": "HK$", "TWD": "NT$", "KRW": "₩", "INR": "₹",
    "AUD": "A$", "CAD": "CA$", "NZD": "NZ$", "VND": "₫", "BRL": "R$", "MXN": "MX$", "ILS": "₪", "PHP": "₱",
}  # fmt: skip

_DECIMAL = re.compile(r"(-?)(0|[1-9][0-9]{0,18})(?:\.([0-9]{1,19}))?")


class MoneyError(ValueError):
    """An amount or a currency that is not money."""


class UnknownCurrency(MoneyError):
    """A code that ISO 4217 does not list as a currency with minor units."""

    def __init__(self, currency: str) -> None:
        super().__init__(f"{currency[:40]!r} is not an ISO 4217 currency code")
        self.currency = currency


class InvalidAmount(MoneyError):
    """A text that is not a plain decimal number such as 80, -3.5 or 80.00."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text[:40]!r} is not a decimal amount such as 80.00")
        self.text = text


class TooManyDecimals(MoneyError):
    """An amount finer than the currency's minor unit; it is refused, never rounded."""

    def __init__(self, text: str, *, currency: str, exponent: int) -> None:
        super().__init__(f"{text} has more decimals than {currency} allows ({exponent})")
        self.text = text
        self.currency = currency
        self.exponent = exponent


class AmountOutOfRange(MoneyError):
    """An integer beyond ±(2^53 - 1), which clients could not hold exactly."""

    def __init__(self, value: int) -> None:
        super().__init__(f"{value} is outside the safe integers, ±{SAFE_INT_MAX}")
        self.value = value


class CurrencyMismatch(MoneyError):
    """Two currencies in one sum or comparison."""

    def __init__(self, left: str, *, right: str) -> None:
        super().__init__(f"{left} and {right} cannot be added or compared")
        self.left = left
        self.right = right


def require_safe(value: int) -> int:
    """Answer the integer itself, or raise AmountOutOfRange."""
    if not -SAFE_INT_MAX <= value <= SAFE_INT_MAX:
        raise AmountOutOfRange(value)
    return value


def currency_exponent(currency: str) -> int:
    """How many decimals the currency has, or raise UnknownCurrency."""
    exponent = CURRENCY_EXPONENTS.get(currency)
    if exponent is None:
        raise UnknownCurrency(currency)
    return exponent


def half_up(numerator: int, denominator: int) -> int:
    """Divide integers, rounding a half away from zero, so that a reversal is the exact negative of what it reverses."""
    if denominator <= 0:
        raise ValueError("the denominator of a rounded division is positive")
    quotient = (2 * abs(numerator) + denominator) // (2 * denominator)
    return quotient if numerator >= 0 else -quotient


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units of one currency; may be negative (a refund, an adjustment)."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        """Refuse an unknown currency and an unsafe integer."""
        currency_exponent(self.currency)
        require_safe(self.minor)

    @classmethod
    def zero(cls, currency: str) -> Self:
        """Nothing, in this currency."""
        return cls(0, currency)

    @classmethod
    def parse(cls, text: str, *, currency: str) -> Self:
        """Read a decimal text such as "80.00" exactly; finer than the minor unit is an error, never a rounding."""
        exponent = currency_exponent(currency)
        match = _DECIMAL.fullmatch(text)
        if match is None:
            raise InvalidAmount(text)
        sign, whole, fraction = match[1], match[2], match[3] or ""
        if len(fraction) > exponent and fraction[exponent:].strip("0"):
            raise TooManyDecimals(text, currency=currency, exponent=exponent)
        minor = int(whole + fraction[:exponent].ljust(exponent, "0"))
        return cls(-minor if sign else minor, currency)

    @classmethod
    def total(cls, amounts: Iterable["Money"], *, currency: str) -> Self:
        """Add amounts of one currency; of none it is zero."""
        minor = 0
        for amount in amounts:
            if amount.currency != currency:
                raise CurrencyMismatch(currency, right=amount.currency)
            minor += amount.minor
        return cls(minor, currency)

    def to_decimal_text(self) -> str:
        """Write the amount with all the decimals of its currency: "80.00", "1000" (JPY), "1.250" (KWD)."""
        return decimal_text(self.minor, exponent=currency_exponent(self.currency))

    def __add__(self, other: "Money") -> "Money":
        """Add within one currency."""
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        """Subtract within one currency."""
        return Money(self.minor - self._same(other), self.currency)

    def __neg__(self) -> "Money":
        """Turn the sign."""
        return Money(-self.minor, self.currency)

    def __lt__(self, other: "Money") -> bool:
        """Compare within one currency."""
        return self.minor < self._same(other)

    def __le__(self, other: "Money") -> bool:
        """Compare within one currency."""
        return self.minor <= self._same(other)

    def __gt__(self, other: "Money") -> bool:
        """Compare within one currency."""
        return self.minor > self._same(other)

    def __ge__(self, other: "Money") -> bool:
        """Compare within one currency."""
        return self.minor >= self._same(other)

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise CurrencyMismatch(self.currency, right=other.currency)
        return other.minor


def decimal_text(minor: int, *, exponent: int) -> str:
    """Write minor units as a plain decimal number with `exponent` decimals."""
    digits = str(abs(minor)).rjust(exponent + 1, "0")
    sign = "-" if minor < 0 else ""
    return f"{sign}{digits[: len(digits) - exponent]}.{digits[-exponent:]}" if exponent else f"{sign}{digits}"


def display_text(money: Money) -> str:
    """Write an amount for a reader, with symbol, thousands and all decimals: ¥1,280.00, JP¥1,000, KWD 1.250."""
    return _symbol(money.currency, minor=money.minor) + _grouped(Money(abs(money.minor), money.currency))


def short_text(money: Money) -> str:
    """Write an amount for a headline: as display_text, but without decimals that are all zero: ¥20, ¥19.90."""
    whole, _, fraction = _grouped(Money(abs(money.minor), money.currency)).partition(".")
    number = f"{whole}.{fraction}" if fraction.strip("0") else whole
    return _symbol(money.currency, minor=money.minor) + number


def _grouped(money: Money) -> str:
    whole, point, fraction = money.to_decimal_text().partition(".")
    return f"{int(whole):,}{point}{fraction}"


def _symbol(currency: str, *, minor: int) -> str:
    # U+00A0 keeps a code and its number on one line.
    return ("-" if minor < 0 else "") + _SYMBOLS.get(currency, f"{currency}\N{NO-BREAK SPACE}")
