"""The schema as clients see it: what is printed is what runs, all is described, every operation has the same form."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    get_named_type,
    is_specified_directive,
    is_specified_scalar_type,
    print_ast,
)

from domain.orders.offline_outcomes import ROW_REFUSALS
from resolvers import root
from resolvers.access import NODES
from resolvers.nodes import FINDERS
from resolvers.problems import PROBLEMS
from schema.node_ids import NodeType
from schema.problems import ProblemCode

REPOSITORY = Path(__file__).parents[2]
COMMITTED = REPOSITORY / "schema" / "schema.graphql"

# Lists of objects that are no connection, because they cannot grow: field → the reason, with the bound.
SHORT_LISTS = {
    "Budget.byFunder": "one for each funder, of whom there are two",
    "Reservation.coupons": "those of one order, at most 100",
    "ReleaseReservationSuccess.coupons": "those of one order, at most 100",
    "IssueCouponsSuccess.outcomes": "one for each row of the input, at most 10,000",
    "SyncOfflineRedemptionsSuccess.outcomes": "one for each row of the input, at most 200",
    "Query.nodes": "as many as were asked for, at most 100",
    "Allocation.shares": "one share per funder, and there are two",
    "AppliedOffer.shares": "as Allocation.shares",
    "Combination.coupons": "coupons that act together on one cart: as few as its stacking rules let through",
    "Quote.alternatives": "at most ten",
    "Quote.applied": "coupons that act together on one cart: as few as its stacking rules let through",
    "Quote.lines": "the lines of the cart, at most 200",
    "Quote.notApplied": "at most the 100 coupons that the input names, or the 60 that are explained",
    "Quote.shippingAllocations": "as Quote.applied",
    "QuoteLine.allocations": "as Quote.applied",
    "RedeemCouponsSuccess.redemptions": "the coupons of one order",
    "RefundOrderSuccess.restored": "the coupons of one order",
    "Redemption.shares": "as Allocation.shares",
    "CheckInSuccess.coupons": "what one check-in gives, which the programme fixes",
    "Coupon.terms": "the terms of a kind: its dataclass has a handful",
    "CouponTemplate.terms": "as Coupon.terms",
    "CouponTemplate.funders": "one share per funder, and there are two",
    "ExchangePointsSuccess.coupons": "as many as were exchanged for, which the input bounds",
    "PointsAccount.expiring": "at most 200 lots, the soonest first",
    "Predicate.children": "the conditions of one rule, which are code",
    "RecommendationResult.items": "the best few: at most as many as were asked for",
    "Tier.benefits": "what the programme gives with a tier: code",
}


@cache
def printed() -> str:
    """The schema as the code says it."""
    return root.build_schema().as_str().rstrip() + "\n"


@cache
def schema() -> GraphQLSchema:
    """The printed schema, read back: what a client that was given the file knows."""
    return build_schema(printed())


def own_types() -> list[GraphQLNamedType]:
    return [t for t in schema().type_map.values() if not t.name.startswith("__") and not is_specified_scalar_type(t)]


def outputs() -> Iterator[tuple[str, GraphQLField]]:
    """Every output field as `Type.field`."""
    for type_ in own_types():
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            yield from ((f"{type_.name}.{name}", field) for name, field in type_.fields.items())


def mutations() -> Mapping[str, GraphQLField]:
    root = schema().mutation_type
    assert root is not None
    fields: Mapping[str, GraphQLField] = root.fields
    return fields


EACH_MUTATION = pytest.mark.parametrize("name", mutations())


def test_the_committed_schema_is_what_the_code_says() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == printed(), "make schema"


def test_everything_has_a_description() -> None:
    assert sorted(_undescribed()) == []


def _undescribed() -> Iterator[str]:
    for type_ in own_types():
        if not said(type_.description):
            yield type_.name
        match type_:
            case GraphQLObjectType() | GraphQLInterfaceType():
                for name, field in type_.fields.items():
                    if not said(field.description):
                        yield f"{type_.name}.{name}"
                    yield from (
                        f"{type_.name}.{name}({a})" for a, arg in field.args.items() if not said(arg.description)
                    )
            case GraphQLInputObjectType():
                yield from (
                    f"{type_.name}.{name}" for name, field in type_.fields.items() if not said(field.description)
                )
            case GraphQLEnumType():
                yield from (
                    f"{type_.name}.{name}" for name, value in type_.values.items() if not said(value.description)
                )
            case _:
                pass
    for directive in schema().directives:
        if not is_specified_directive(directive) and not said(directive.description):
            yield f"@{directive.name}"


def said(description: str | None) -> bool:
    """A sentence of its own: a word or more, ended."""
    return bool(description and re.search(r"\w", description) and description.rstrip()[-1] in ".!?:。")


def test_every_list_that_can_grow_is_a_connection() -> None:
    lists = {place for place, field in outputs() if _is_list_of_objects(field) and not _is_of_connection(place)}
    assert lists - set(SHORT_LISTS) == set(), "make it a connection, or say here why it cannot grow"


def test_no_reason_for_a_list_outlives_it() -> None:
    lists = {place for place, field in outputs() if _is_list_of_objects(field)}
    assert set(SHORT_LISTS) <= lists


def _is_list_of_objects(field: GraphQLField) -> bool:
    type_ = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
    named = get_named_type(field.type)
    return isinstance(type_, GraphQLList) and isinstance(
        named, GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType
    )


def _is_of_connection(place: str) -> bool:
    type_name, _, field = place.partition(".")
    return type_name.endswith("Connection") and field in {"edges", "nodes"}


def test_every_connection_is_paged_in_the_same_way() -> None:
    for place, field in outputs():
        connection = get_named_type(field.type)
        if not connection.name.endswith("Connection"):
            continue
        assert isinstance(connection, GraphQLObjectType)
        assert isinstance(field.type, GraphQLNonNull), place
        assert set(connection.fields) >= {"edges", "nodes", "pageInfo"}, connection.name
        assert _written(field, "first") == "first: Int = 20", place
        assert _written(field, "after") == "after: String = null", place


def _written(field: GraphQLField, argument: str) -> str:
    """An argument as the schema writes it, without its description."""
    node = field.args[argument].ast_node
    assert node is not None
    return print_ast(node).rpartition('"""\n')[2]


@EACH_MUTATION
def test_a_mutation_takes_one_input_that_carries_its_idempotency_key(name: str) -> None:
    kind = name[0].upper() + name[1:]
    assert {arg: str(given.type) for arg, given in mutations()[name].args.items()} == {"input": f"{kind}Input!"}
    given = schema().type_map[f"{kind}Input"]
    assert isinstance(given, GraphQLInputObjectType)
    assert str(given.fields["idempotencyKey"].type) == "ID!"


@EACH_MUTATION
def test_a_mutation_answers_with_its_success_or_with_problems(name: str) -> None:
    kind = name[0].upper() + name[1:]
    result = mutations()[name].type
    assert str(result) == f"{kind}Result!"
    union = get_named_type(result)
    assert isinstance(union, GraphQLUnionType)
    success, *refusals = union.types
    assert success.name == f"{kind}Success"
    assert str(success.fields["replayed"].type) == "Boolean!"
    problem = schema().type_map["Problem"]
    assert refusals
    assert all(problem in refusal.interfaces for refusal in refusals)


def test_every_problem_is_named_by_its_code() -> None:
    problem = schema().type_map["Problem"]
    assert isinstance(problem, GraphQLInterfaceType)
    codes = {code_of(type_.name) for type_ in schema().get_implementations(problem).objects}
    assert codes <= {code.value for code in ProblemCode}


def code_of(problem_name: str) -> str:
    """SoldOutProblem → SOLD_OUT."""
    words = re.findall(r"[A-Z][a-z0-9]*", problem_name.removesuffix("Problem"))
    return "_".join(words).upper()


def test_every_problem_is_the_answer_of_something() -> None:
    problem = schema().type_map["Problem"]
    assert isinstance(problem, GraphQLInterfaceType)
    unions = [t for t in own_types() if isinstance(t, GraphQLUnionType)]
    answered = {member.name for union in unions for member in union.types}
    shown = {type_.name for type_ in schema().get_implementations(problem).objects}
    rows = {PROBLEMS[refusal][0].__name__ for refusal in ROW_REFUSALS}
    assert shown - answered - rows == set(), "a problem that nothing answers with"


def test_every_node_has_an_id_of_its_own_kind_and_is_found_by_it() -> None:
    node = schema().type_map["Node"]
    assert isinstance(node, GraphQLInterfaceType)
    nodes = {type_.name for type_ in schema().get_implementations(node).objects}
    assert nodes == {t.name for t in FINDERS}, "node(id:) finds every node"
    assert nodes == {t.name for t in NODES}
    assert nodes <= {t.name for t in NodeType}
    with_ids = {t.name for t in own_types() if isinstance(t, GraphQLObjectType) and "id" in t.fields}
    assert with_ids - nodes == {"QuoteLine"}, "what has an id implements Node; a line's id is its caller's own word"


def test_names_are_spelled_as_graphql_spells_them() -> None:
    strange = []
    for type_ in own_types():
        if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", type_.name):
            strange.append(type_.name)
        match type_:
            case GraphQLObjectType() | GraphQLInterfaceType() | GraphQLInputObjectType():
                strange += [f"{type_.name}.{f}" for f in type_.fields if not re.fullmatch(r"[a-z][A-Za-z0-9]*", f)]
            case GraphQLEnumType():
                strange += [f"{type_.name}.{v}" for v in type_.values if not re.fullmatch(r"[A-Z][A-Z0-9_]*", v)]
            case _:
                pass
    assert strange == []
