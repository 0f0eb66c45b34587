"""Every domain word has one meaning, in docs/glossary.md, with its Chinese term."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

from graphql import GraphQLEnumType, GraphQLObjectType

from resolvers.problems import PROBLEMS
from tests.architecture.test_layout import REPOSITORY
from tests.architecture.test_schema import own_types

# Parts of GraphQL itself, not words of the business; so are pages, results and the problems of refusals.
TECHNICAL = frozenset({"Query", "Mutation", "Subscription", "PageInfo"})
TECHNICAL_ENDINGS = ("Connection", "Edge", "Success", "Problem")
ROW = re.compile(r"^\| (?P<word>[^|]+) \| (?P<chinese>[^|]+) \| (?P<meaning>[^|]+) \|$", re.MULTILINE)
HEAD = ("word", "---")


@cache
def rows() -> tuple[tuple[str, str, str], ...]:
    """Word, Chinese term and meaning of every row."""
    text = (REPOSITORY / "docs" / "glossary.md").read_text(encoding="utf-8")
    found = ((row["word"].strip(), row["chinese"].strip(), row["meaning"].strip()) for row in ROW.finditer(text))
    return tuple(row for row in found if row[0] not in HEAD)


def names_of(word: str) -> list[str]:
    """The names of code in a first cell."""
    return re.findall(r"`([^`]+)`", word)


def names() -> list[str]:
    return [name for word, _, _ in rows() for name in names_of(word)]


def technical(name: str) -> bool:
    return name in TECHNICAL or name.endswith(TECHNICAL_ENDINGS)


def wanted() -> Iterator[str]:
    """Types, enums with their values, and refusals."""
    for kind in own_types():
        if isinstance(kind, GraphQLEnumType):
            yield kind.name
            yield from (f"{kind.name}.{value}" for value in kind.values)
        elif isinstance(kind, GraphQLObjectType) and not technical(kind.name):
            yield kind.name
    yield from (refusal.__name__ for refusal in PROBLEMS)


def test_every_type_enum_value_and_refusal_is_in_the_glossary() -> None:
    assert len(rows()) > 100
    assert sorted(set(wanted()) - set(names())) == []


def test_the_glossary_names_nothing_that_there_is_not() -> None:
    assert sorted(set(names()) - set(wanted())) == []


def test_no_word_has_two_meanings() -> None:
    words = Counter([*names(), *(word for word, _, _ in rows() if not names_of(word))])
    assert [word for word, times in words.items() if times > 1] == []


def test_every_word_has_its_chinese_term_and_a_meaning() -> None:
    assert [word for word, chinese, _ in rows() if not re.search(r"[\u4e00-\u9fff]", chinese)] == []
    assert [word for word, _, meaning in rows() if not meaning.endswith((".", "*"))] == []


def test_a_refusal_stands_beside_its_code() -> None:
    split = {
        word
        for word, _, _ in rows()
        for refusal in PROBLEMS
        if refusal.__name__ in names_of(word)
        and f"ProblemCode.{re.sub(r'(?<!^)(?=[A-Z])', '_', refusal.__name__).upper()}" not in names_of(word)
    }
    assert split == set()
