"""Tags 会员标签: words with which a back office marks members, for conditions of use."""

from collections.abc import Sequence
from typing import Final

from domain.shared.errors import BadUserInput
from domain.shared.references import is_reference

MAX_TAGS: Final = 100
MAX_TAG_LENGTH: Final = 64
TAG_RULE: Final = f"is a tag: 1 to {MAX_TAG_LENGTH} printable characters, without a space at either end"


def is_tag(text: str) -> bool:
    """Whether a text may be a tag."""
    return is_reference(text, most=MAX_TAG_LENGTH) and text == text.strip()


def read_tags(given: Sequence[str], *, argument: str) -> tuple[str, ...]:
    """A member's tags as given, each once, in order; BadUserInput names what is none."""
    path = argument.split(".")
    if len(given) > MAX_TAGS:
        raise BadUserInput(f"{argument} names at most {MAX_TAGS}", path=path)
    for place, tag in enumerate(given):
        if not is_tag(tag):
            raise BadUserInput(f"{argument}.{place} {TAG_RULE}", path=[*path, str(place)])
    return tuple(sorted(set(given)))
