"""What one operation may ask for: sizes, shapes, prices, pages."""

from collections.abc import Mapping
from itertools import pairwise

import pytest
from graphql import DocumentNode, GraphQLSyntaxError, OperationDefinitionNode, build_schema, parse
from hypothesis import given
from hypothesis import strategies as st

from domain.shared.errors import BadUserInput, CallerError, Forbidden, QueryTooComplex
from resolvers.cost import ASSUMED_LIST, DEFAULT_PAGE, MUTATION, OperationCost, measure
from resolvers.limits import LimitExceeded, Limits, PageSizeRefused, hold_variables, parse_within

SCHEMA = build_schema(
    """
    type Query { me: Member  coupons(first: Int = 20, after: String): Coupons!  nodes(ids: [ID!]!): [Node]!
                 node(id: ID!): Node  quote: Quote!  top(first: Int = 10): Top!  grid: [[Member!]!]! }
    type Mutation { claim(id: ID!): Member!  touch: Int }
    interface Node { id: ID! }
    type Member implements Node { id: ID!  name: String  friends: [Member!]!
                                  coupons(first: Int = 20, last: Int): Coupons! }
    type Coupons { edges: [Edge!]!  nodes: [Coupon!]!  pageInfo: PageInfo! }
    type Edge { cursor: String!  node: Coupon! }
    type PageInfo { hasNextPage: Boolean! }
    type Coupon implements Node { id: ID!  owner: Member!  history(first: Int = 5): Coupons! }
    type Quote { total: Int }
    type Top { items: [Coupon!]!  version: String }
    """
)


def operation_of(document: DocumentNode) -> OperationDefinitionNode:
    return next(d for d in document.definitions if isinstance(d, OperationDefinitionNode))


def cost_of(text: str, *, limits: Limits | None = None) -> OperationCost:
    document = parse(text)
    return measure(document, schema=SCHEMA, operation=operation_of(document), limits=limits or Limits())


def price(text: str, variables: Mapping[str, object] | None = None) -> int:
    return cost_of(text).requested(variables or {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ __typename }", 0),
        ("{ me { name } }", 1),
        ("{ me { name id friends { name } } }", 1 + ASSUMED_LIST),
        ("{ coupons(first: 7) { pageInfo { hasNextPage } } }", 2),
        ("{ coupons(first: 7) { nodes { id } } }", 1 + 7),
        ("{ coupons(first: 7) { edges { node { id } } } }", 1 + 7 * 2),
        ("{ coupons { nodes { id } } }", 1 + DEFAULT_PAGE),
        ("{ coupons(first: 7) { nodes { history { nodes { id } } } } }", 1 + 7 * (1 + 1 + 5)),
        ("{ me { coupons(first: 100) { nodes { owner { name } } } } }", 1 + 1 + 100 * 2),
        ("{ me { coupons(last: 3) { nodes { id } } } }", 1 + 1 + DEFAULT_PAGE),
        ('{ nodes(ids: ["a", "b"]) { id } }', 2),
        ('{ node(id: "a") { id ... on Member { coupons(first: 9) { nodes { id } } } } }', 1 + 1 + 9),
        ('{ node(id: "a") { ... on Coupon { owner { id } } ... on Member { friends { id } } } }', 1 + ASSUMED_LIST),
        ("{ top(first: 30) { version items { id } } }", 1 + 30),
        ("{ grid { id } }", ASSUMED_LIST * ASSUMED_LIST),
        ("{ quote { total } }", 51),
        ('mutation { claim(id: "x") { id } touch }', 1 + 2 * MUTATION),
        ("{ me { name } ...A ...B } fragment A on Query { me { id } } fragment B on Query { me { id } }", 1),
        ("{ a: me { id } b: me { id } }", 2),
        ("{ me @skip(if: true) { friends { id } } }", 0),
        ("{ me @include(if: false) { friends { id } } }", 0),
        ("{ __schema { types { name } } }", 1),
    ],
)
def test_an_object_costs_one_and_nested_lists_multiply(text: str, expected: int) -> None:
    cost = cost_of(text)
    assert cost.requested({}) == expected
    assert isinstance(cost.price, int), "without variables the price is known beforehand"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({}, 1 + 1 + DEFAULT_PAGE), ({"n": None}, 1 + 1 + DEFAULT_PAGE), ({"n": 3}, 1 + 1 + 3), ({"n": 100}, 102)],
)
def test_a_page_size_in_a_variable_is_priced_per_request(variables: Mapping[str, object], expected: int) -> None:
    assert price("query ($n: Int) { me { coupons(first: $n) { nodes { id } } } }", variables) == expected


def test_the_default_of_a_variable_counts_when_it_is_not_given() -> None:
    text = "query ($n: Int = 50) { coupons(first: $n) { nodes { id } } }"
    assert price(text) == 51
    assert price(text, {"n": 2}) == 3


def test_a_list_variable_costs_its_length() -> None:
    text = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    assert price(text, {"ids": ["a", "b", "c"]}) == 3
    assert price(text, {"ids": "one"}) == 1


def test_an_included_branch_costs_only_when_it_is_included() -> None:
    text = "query ($more: Boolean!) { me { id friends @include(if: $more) { id } } }"
    assert price(text, {"more": True}) == 1 + ASSUMED_LIST
    assert price(text, {"more": False}) == 1
    skipping = "query ($less: Boolean = true) { me { id friends @skip(if: $less) { id } } }"
    assert price(skipping) == 1
    assert price(skipping, {"less": False}) == 1 + ASSUMED_LIST


@pytest.mark.parametrize("size", [0, -1, 101, 1_000_000])
def test_a_page_size_out_of_range_is_refused_and_its_argument_named(size: int) -> None:
    with pytest.raises(PageSizeRefused) as literal:
        cost_of(f"{{ me {{ coupons(first: {size}) {{ nodes {{ id }} }} }} }}")
    assert literal.value.argument == "Member.coupons.first"
    assert str(size) in literal.value.message
    cost = cost_of("query ($n: Int) { coupons(first: $n) { nodes { id } } }")
    with pytest.raises(PageSizeRefused, match=r"Query\.coupons\.first"):
        cost.requested({"n": size})
    with pytest.raises(PageSizeRefused):
        cost_of(f"query ($n: Int = {size}) {{ coupons(first: $n) {{ nodes {{ id }} }} }}")


def test_a_price_over_the_limit_is_refused_with_both_numbers() -> None:
    cost = cost_of(
        "{ coupons(first: 100) { nodes { history(first: 100) { nodes { id } } } } }", limits=Limits(cost=500)
    )
    requested = cost.requested({})
    assert requested == 1 + 100 * (1 + 1 + 100)
    with pytest.raises(LimitExceeded) as refused:
        cost.hold(requested)
    assert (refused.value.requested, refused.value.limit) == (requested, 500)


@given(st.lists(st.integers(1, 100), min_size=1, max_size=4))
def test_the_price_of_nested_pages_is_their_product_and_variables_change_nothing(sizes: list[int]) -> None:
    expected, written, asked = 0, "id", "id"
    for n, size in reversed(list(enumerate(sizes))):
        written = f"history(first: {size}) {{ nodes {{ {written} }} }}"
        asked = f"history(first: $v{n}) {{ nodes {{ {asked} }} }}"
        expected = 1 + size * (1 + expected)
    root = '{ node(id: "x") { ... on Coupon { %s } } }'
    declared = ", ".join(f"$v{n}: Int!" for n in range(len(sizes)))
    variables = {f"v{n}": size for n, size in enumerate(sizes)}
    assert price(root % written) == 1 + expected
    assert price(f"query ({declared}) " + root % asked, variables) == 1 + expected


# ── the shape of a document ─────────────────────────────────────────────────────────────────────────────────────────

TIGHT = Limits(
    document_bytes=500, tokens=120, fields=40, depth=4, aliases=3, root_fields=5, directives=3, introspection=False
)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{ " + "#" * 600 + "\n a }", "document bytes"),
        ("{ a { b { c { d { e } } } } }", "depth"),
        ("{ ...F } fragment F on Q { a { b { c { d { e } } } } }", "depth"),
        ("{ a: x b: x c: x d: x }", "aliases"),
        ("{ ...F g: me { ...F } } fragment F on Q { a: x b: x }", "aliases"),
        ("{ a b c d e f }", "root fields"),
        ("{ ... { a b c } ... { d e f } }", "root fields"),
        ("{ a @x b @x c @x d @x }", "directives"),
        ("query @x @x @x @x { a }", "directives"),
        ("{ ...A } " + "".join(f"fragment {a} on Q {{ ...{b} ...{b} }} " for a, b in pairwise("ABCDEFGH")), "fields"),
    ],
)
def test_a_document_over_a_limit_is_refused_before_validation(text: str, what: str) -> None:
    with pytest.raises(LimitExceeded) as refused:
        parse_within(text, limits=TIGHT)
    assert refused.value.what == what
    assert refused.value.requested > refused.value.limit


@pytest.mark.parametrize("text", ["{ " + "a " * 200 + "}", "{a" * 100 + "}" * 100])
def test_a_document_with_too_many_tokens_is_refused(text: str) -> None:
    with pytest.raises(QueryTooComplex):
        parse_within(text, limits=TIGHT)


def test_a_document_that_is_nested_without_end_is_refused_and_not_a_crash() -> None:
    generous = Limits(document_bytes=10**6, tokens=10**6, depth=10**6, fields=10**6)
    with pytest.raises(QueryTooComplex):
        parse_within("{a" * 5_000 + "}" * 5_000, limits=generous)


def test_a_name_that_is_repeated_without_end_is_refused() -> None:
    with pytest.raises(LimitExceeded, match="repeats of a"):
        parse_within("{ x { " + "a " * 101 + "} }", limits=Limits())
    with pytest.raises(LimitExceeded, match="repeats of a"):
        parse_within("{ x { " + "a { b } " * 26 + "} }", limits=Limits())
    with pytest.raises(LimitExceeded, match="repeats of b"):
        parse_within("{ x { " + ("a { " + "b { c } " * 6 + "} ") * 5 + "} }", limits=Limits())


def test_a_fragment_that_spreads_itself_is_left_to_validation() -> None:
    parse_within("{ ...F } fragment F on Q { a ...F }", limits=TIGHT)


def test_a_document_within_the_limits_is_parsed() -> None:
    assert parse_within("query A { a { b } }", limits=TIGHT).definitions


def test_bad_syntax_is_the_parsers_to_explain() -> None:
    with pytest.raises(GraphQLSyntaxError):
        parse_within("{ a", limits=TIGHT)


@pytest.mark.parametrize("text", ["{ __schema { types { name } } }", '{ ... { x: __type(name: "A") { name } } }'])
def test_introspection_is_forbidden_unless_it_is_on(text: str) -> None:
    with pytest.raises(Forbidden):
        parse_within(text, limits=TIGHT)
    parse_within(text, limits=Limits(introspection=True))


# ── variables ───────────────────────────────────────────────────────────────────────────────────────────────────────


def hold(variables: Mapping[str, object], *, body_bytes: int, limits: Limits) -> None:
    hold_variables(variables, body_bytes=body_bytes, size_of=lambda value: len(repr(value)), limits=limits)


def test_variables_may_be_as_deep_as_the_limit_and_no_deeper() -> None:
    limits = Limits(variables_depth=3)
    hold({"a": {"b": [1]}}, body_bytes=10, limits=limits)
    with pytest.raises(LimitExceeded, match="depth of variables"):
        hold({"a": {"b": [{"c": 1}]}}, body_bytes=10, limits=limits)


def test_variables_are_weighed_only_when_the_body_could_be_too_large() -> None:
    limits = Limits(variables_bytes=100)
    hold({"a": "x" * 500}, body_bytes=100, limits=limits)
    hold({"a": "x"}, body_bytes=10_000, limits=limits)
    with pytest.raises(LimitExceeded, match="bytes of variables"):
        hold({"a": "x" * 500}, body_bytes=600, limits=limits)


def test_text_that_nobody_could_store_is_named_by_its_path() -> None:
    for text in ("a\x00", "券\x00", "\ud800"):
        given: dict[str, object] = {"input": {"cart": {"lines": [{"id": "1"}, {"id": text}]}}}
        with pytest.raises(BadUserInput) as refused:
            hold(given, body_bytes=10, limits=Limits())
        assert refused.value.path == ("input", "cart", "lines", "1", "id")
    hold({"input": ["a\n", "🍵", {"b": None, "c": 1.5}]}, body_bytes=10, limits=Limits())


def test_every_limit_is_told_with_a_code() -> None:
    assert issubclass(LimitExceeded, CallerError)
    assert LimitExceeded("depth", requested=5, limit=4).code == "QUERY_TOO_COMPLEX"
    assert PageSizeRefused("Query.a.first", given=0).code == "BAD_USER_INPUT"
