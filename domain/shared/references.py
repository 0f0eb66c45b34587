"""What other systems call their things, and words that people make up: texts that stand for themselves alone."""

from typing import Final

MAX_REFERENCE_LENGTH: Final = 128
REFERENCE_RULE: Final = f"a reference has 1 to {MAX_REFERENCE_LENGTH} printable characters"


def is_reference(text: str, *, most: int = MAX_REFERENCE_LENGTH) -> bool:
    """Whether a text may be a reference, a tag or a key: so many characters at most, all of them printable.

    No control character is, so none forges a line or ends a text early; no mark that turns the reading direction, so
    what is read is what is there; no half of a surrogate pair, which no other system could store.
    """
    return 1 <= len(text) <= most and text.isprintable()


def is_storable(text: str) -> bool:
    """Whether PostgreSQL and UTF-8 can hold the text: it has neither the character NUL nor half of a surrogate pair."""
    if text.isascii():
        return "\x00" not in text
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
