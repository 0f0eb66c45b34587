"""What a member reads, in every language that the programme speaks, side by side."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence in Simplified Chinese and in English."""

    zh_cn: str
    en: str

    def read_in(self, locale: str) -> str:
        """The sentence for a reader: Chinese for any zh locale, otherwise English."""
        return self.zh_cn if locale.lower().startswith("zh") else self.en
