"""A reference stands for itself alone: what would read otherwise, or could not be kept, is none."""

import pytest

from domain.shared.references import is_reference, is_storable

FORGED = [
    "a\nb",
    "a\rb",
    "a\tb",
    "a\x00b",
    "a\x1bb",
    "a\x7fb",
    "a\u2028b",
    "a\u202eb",
    "a\u2066b",
    "a\u200bb",
    "\ufeffa",
]
HALVES = ["\ud800", "a\udfffb"]


@pytest.mark.parametrize("text", ["a", "券-7", "SKU 12/ä", "𠮷", "🍵", "x" * 128])
def test_printable_text_is_a_reference(text: str) -> None:
    assert is_reference(text)
    assert is_storable(text)


@pytest.mark.parametrize("text", ["", "x" * 129, *FORGED, *HALVES])
def test_what_is_empty_too_long_or_not_printable_is_none(text: str) -> None:
    assert not is_reference(text)


@pytest.mark.parametrize("text", ["a\x00b", "券\x00", *HALVES, "券\ud83d"])
def test_neither_nul_nor_half_of_a_pair_can_be_kept(text: str) -> None:
    assert not is_storable(text)


@pytest.mark.parametrize("text", ["", "a\nb", "\u202e", "🍵"])
def test_other_text_can_be_kept(text: str) -> None:
    assert is_storable(text)
