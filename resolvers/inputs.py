"""What every resolver checks of an input before it makes a command of it; BAD_USER_INPUT names the argument."""

from typing import TypeVar

import phonenumbers
import strawberry

from domain.shared.errors import BadUserInput
from domain.shared.ids import MerchantId
from domain.shared.references import MAX_REFERENCE_LENGTH, is_reference
from resolvers.messages import LOCALES
from schema.node_ids import NodeType, expect_id

Value = TypeVar("Value")

HOME_REGION = "CN"
MAX_NAME_LENGTH = 128


def bounded(text: str, limit: int, *, argument: str) -> str:
    """A text of 1 to so many characters, without control characters and without blanks around it."""
    trimmed = text.strip()
    if not is_reference(trimmed, most=limit):
        raise BadUserInput(f"{argument} must have 1 to {limit} printable characters", path=argument.split("."))
    return trimmed


def name_of(text: str, *, argument: str = "input.name") -> str:
    """A name."""
    return bounded(text, MAX_NAME_LENGTH, argument=argument)


def ref_of(text: str, *, argument: str = "input.externalRef") -> str:
    """What the caller's own system calls a thing."""
    return bounded(text, MAX_REFERENCE_LENGTH, argument=argument)


def merchant_id_of(given: strawberry.ID | None, *, argument: str = "input.merchantId") -> MerchantId | None:
    """A merchant's id, or none where none was given."""
    return None if given is None else MerchantId(expect_id(given, NodeType.Merchant, argument=argument).id)


def e164(phone: str, *, argument: str) -> str:
    """A telephone number as +8613812345678, so that one number has one blind index."""
    try:
        number = phonenumbers.parse(phone, HOME_REGION)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_valid_number(number):
        raise BadUserInput(f"{argument} is not a telephone number", path=argument.split("."))
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def known_locale(locale: str, *, argument: str) -> str:
    """A locale that messages exist in."""
    if locale not in LOCALES:
        raise BadUserInput(f"{argument} must be one of {', '.join(LOCALES)}", path=argument.split("."))
    return locale


def given(value: Value | None, *, argument: str) -> Value:
    """What this operation needs although the schema lets it be left out."""
    if value is None:
        raise BadUserInput(f"{argument} is needed", path=argument.split("."))
    return value
