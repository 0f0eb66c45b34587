"""Enums say the same words everywhere: in the domain, in the schema, in the database."""

import re
from enum import Enum
from functools import cache

import pytest
import sqlalchemy as sa
from graphql import GraphQLEnumType

from domain.campaigns.model import CampaignGoal, CampaignState
from domain.coupons.kinds import KINDS
from domain.coupons.offer import CouponState
from domain.points.journal import EntryKind
from persistence.schema import metadata
from resolvers.root import build_schema
from tests.architecture.test_schema import own_types, schema

# Words that a column may hold, by table and column: the domain's enum of them.
WORDS: dict[str, type[Enum]] = {
    "campaigns.goal": CampaignGoal,
    "campaigns.state": CampaignState,
    "coupons.state": CouponState,
    "points_entries.kind": EntryKind,
}


@cache
def published() -> dict[str, type[Enum]]:
    """The Python enum behind each enum of the schema."""
    found = {}
    for name, concrete in build_schema().schema_converter.type_map.items():
        wrapped = getattr(concrete.definition, "wrapped_cls", None)
        if isinstance(wrapped, type) and issubclass(wrapped, Enum):
            found[name] = wrapped
    return found


def test_every_enum_of_the_schema_is_one_of_ours() -> None:
    shown = {type_.name for type_ in own_types() if isinstance(type_, GraphQLEnumType)}
    assert shown == set(published())


@pytest.mark.parametrize("name", [t.name for t in own_types() if isinstance(t, GraphQLEnumType)])
def test_the_schema_shows_every_value_under_its_own_name(name: str) -> None:
    shown = schema().type_map[name]
    assert isinstance(shown, GraphQLEnumType)
    assert set(shown.values) == {member.name for member in published()[name]}
    assert all(member.name == member.value or isinstance(member.value, int) for member in published()[name])


def test_the_kinds_of_coupons_are_those_that_are_implemented() -> None:
    kinds = schema().type_map["CouponKind"]
    assert isinstance(kinds, GraphQLEnumType)
    assert set(kinds.values) == set(KINDS)


@pytest.mark.parametrize("column", WORDS)
def test_a_column_holds_the_words_of_its_enum(column: str) -> None:
    words = _checked()[column]
    assert words == {str(member.value) for member in WORDS[column]}


def test_every_column_of_words_is_held_against_an_enum() -> None:
    enums = [{str(m.value) for m in enum} for enum in published().values()]
    strange = {c for c, words in _checked().items() if c not in WORDS and words not in enums}
    # The account of a budget is one funder's, or that of all of them, which is no funder.
    assert strange <= {"orders.state", "rewards.kind", "coupon_templates.state", "budget_accounts.funder"}


def _checked() -> dict[str, set[str]]:
    """The words of every `column IN (…)` check."""
    found = {}
    for table in metadata.tables.values():
        for check in table.constraints:
            if isinstance(check, sa.CheckConstraint):
                match = re.fullmatch(r"(\w+) IN \((.+)\)", str(check.sqltext))
                if match:
                    found[f"{table.name}.{match[1]}"] = set(re.findall(r"'([^']+)'", match[2]))
    return found
