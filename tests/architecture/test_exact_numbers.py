"""No money and no points as GraphQL's Int or Float: 32 bits are too few, and a float rounds."""

from collections.abc import Iterator

import pytest
from graphql import (
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLType,
    get_named_type,
)

from domain.coupons.conditions import PREDICATES
from execution.reference import core_schema
from resolvers.root import build_schema

SCHEMA = core_schema(build_schema())
# What is counted, bounded or ranked. A number that is added fails here until somebody says that it is no amount.
COUNTS = {
    "basisPoints", "claimed", "count", "cycleDays", "daysAfterClaim", "expired", "expiringSoon", "explored", "first",
    "limit", "limitPerMember", "limitPerMemberPerDay", "limitPerMemberPerMonth", "limitPerMemberPerWeek",
    "limitPerStore", "maxCount", "maxCountPerTill", "maxPerOrder", "merchantFaultGraceDays", "priority", "quantity",
    "rank", "redeemed", "remaining", "requested", "reserved", "streakDays", "ttlSeconds", "usesPerCode", "withinDays",
}  # fmt: skip
# Shares and scores: no amounts, and not exact.
RATIOS = {"redemptionRate", "roi", "score"}
AMOUNT_WORDS = ("amount", "minor", "money", "points", "price", "balance", "discount", "payable", "total", "delta")


def numbers() -> Iterator[tuple[str, str, str]]:
    """Every field, argument and input field with its name and the name of its type."""
    for type_ in SCHEMA.type_map.values():
        if type_.name.startswith("__"):
            continue
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            for name, field in type_.fields.items():
                yield f"{type_.name}.{name}", name, _named(field.type)
                for argument, given in field.args.items():
                    yield f"{type_.name}.{name}({argument})", argument, _named(given.type)
        elif isinstance(type_, GraphQLInputObjectType):
            for name, given in type_.fields.items():
                yield f"{type_.name}.{name}", name, _named(given.type)


def _named(type_: GraphQLType) -> str:
    return str(get_named_type(type_).name)


@pytest.mark.parametrize(("scalar", "allowed"), [("Int", COUNTS), ("Float", RATIOS)])
def test_what_is_no_safe_integer_is_a_count_or_a_ratio(scalar: str, allowed: set[str]) -> None:
    found = {name: place for place, name, type_ in numbers() if type_ == scalar}
    assert {name: place for name, place in found.items() if name not in allowed} == {}
    assert allowed - set(found) == set(), "what is no longer there is not allowed either"


def test_no_name_of_an_amount_is_a_plain_number() -> None:
    plain = [
        place
        for place, name, type_ in numbers()
        if type_ in {"Int", "Float"} and name != "basisPoints" and any(word in name.lower() for word in AMOUNT_WORDS)
    ]
    assert plain == []


def test_amounts_and_points_are_exact_types() -> None:
    types = {place: type_ for place, _, type_ in numbers()}
    assert types["Money.amount"] == "Decimal"
    assert types["Money.minorUnits"] == types["PointsAccount.available"] == types["Quote.pointsUsed"] == "SafeInt"
    assert types["CartLineInput.unitPrice"] == "MoneyInput"


def test_graphiql_shows_every_condition_by_its_name() -> None:
    template = SCHEMA.type_map["CreateCouponTemplateInput"]
    assert isinstance(template, GraphQLInputObjectType)
    shown = template.fields["conditions"].description or ""
    assert [name for name in (*PREDICATES, "all", "any", "none") if f"{name}:" not in shown] == []
