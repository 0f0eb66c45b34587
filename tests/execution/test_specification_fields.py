"""The rest of the execution section: selection sets, fields, values and errors (6.3 and 6.4)."""

from enum import Flag
from typing import Any

import pytest
import strawberry

from tests.execution.sameness import Pair
from tests.execution.test_specification import SCHEMA


@pytest.fixture
def pair() -> Pair:
    return Pair.of(SCHEMA)


async def test_execute_selection_set_goes_down_to_the_leaves(pair: Pair) -> None:
    (answer,) = await pair.same("{ box { inner { inner { label } } } }")
    assert answer["data"] == {"box": {"inner": {"inner": {"label": "in in b"}}}}


@pytest.mark.parametrize("yes", [True, False])
@pytest.mark.parametrize("no", [True, False])
async def test_collect_fields_honours_skip_and_include_by_literal_and_variable(
    pair: Pair, *, yes: bool, no: bool
) -> None:
    document = """query ($yes: Boolean!, $no: Boolean!) {
      a: hello @skip(if: true) b: hello @include(if: true) c: hello @skip(if: $no) @include(if: $yes)
      ... @include(if: $yes) { d: hello box { label } }
      ...Part @skip(if: $no)
      box { inner { label @include(if: $no) } }
    }
    fragment Part on Query { e: hello box { maybe { label } label @skip(if: $yes) } }"""
    (answer,) = await pair.same(document, {"yes": yes, "no": no})
    assert ("c" in answer["data"]) == (yes and not no)
    assert pair.compiled.counters.fallbacks.total() == 0


async def test_collect_fields_leaves_a_condition_without_a_value_to_the_reference(pair: Pair) -> None:
    document = "query ($maybe: Boolean = true) { hello @include(if: $maybe) }"
    (answer,) = await pair.same(document, {"maybe": None})
    assert "data" not in answer
    assert pair.compiled.counters.fallbacks == {"condition without a value": 1}


async def test_collect_fields_visits_a_named_fragment_once_in_a_selection_set(pair: Pair) -> None:
    (answer,) = await pair.same("{ ...F kind ...F } fragment F on Query { hello }")
    assert list(answer["data"]) == ["hello", "kind"]


async def test_does_fragment_type_apply_to_objects_interfaces_and_unions(pair: Pair) -> None:
    document = """{ animals {
      __typename
      ... on Dog { barks } ... on Cat { lives } ... on Animal { name } ... on Found { kind: __typename }
    } }"""
    (answer,) = await pair.same(document)
    dog, cat = answer["data"]["animals"]
    assert (dog["barks"], cat["lives"], cat["kind"]) == (True, 9, "Cat")


async def test_execute_field_gives_the_same_resolver_for_every_alias(pair: Pair) -> None:
    (answer,) = await pair.same('{ a: hello(name: "a") b: hello(name: "b") }')
    assert answer["data"] == {"a": "hello a None", "b": "hello b None"}


@pytest.mark.parametrize(
    ("document", "variables"),
    [
        ("{ hello }", {}),
        ('{ hello(name: "x", times: null) }', {}),
        ("query ($n: String) { hello(name: $n) }", {}),
        ("query ($n: String) { hello(name: $n) }", {"n": None}),
        ("query ($n: String) { hello(name: $n) }", {"n": "given"}),
        ('query ($n: String! = "d") { hello(name: $n) }', {}),
        ("query ($t: Int) { hello(times: $t) }", {}),
        ("query ($t: Int) { hello(times: $t) }", {"t": None}),
        ("query ($k: Kind!) { kind(kind: $k) }", {"k": "SMALL"}),
        ("query ($k: Kind) { kind(kind: $k) }", {"k": None}),
        ('{ wish(wish: {name: "a", kind: BIG}, more: {name: "b"}) }', {}),
        ('query ($t: Int!, $k: Kind) { wish(wish: {name: "a", times: $t, kind: $k}) }', {"t": 3}),
        ('query ($t: Int!) { wish(wish: {name: "a"}, more: [{name: "b", times: $t}]) }', {"t": 3}),
        ("query ($m: [Wish!], $w: Wish!) { wish(wish: $w, more: $m) }", {"w": {"name": "a"}, "m": []}),
    ],
)
async def test_coerce_argument_values_by_literal_variable_and_default(
    pair: Pair, document: str, variables: dict[str, object]
) -> None:
    await pair.same(document, variables)
    assert pair.compiled.counters.fallbacks.total() == 0


async def test_resolve_field_value_of_an_attribute_that_is_not_there_is_the_field_s_error(pair: Pair) -> None:
    document = "query ($what: String!) { found(what: $what) { ... on Stone { weight } __typename } }"
    (there,) = await pair.same(document, {"what": "stone"})
    assert there == {"data": {"found": {"weight": 1.5, "__typename": "Stone"}}}
    (missing,) = await pair.same(document, {"what": "hollow"})
    assert missing["data"] == {"found": None}, "the weight may not be null"
    assert [(error["message"], error["path"]) for error in missing["errors"]] == [
        ("'Stone' object has no attribute 'weight'", ["found", "weight"])
    ]


async def test_complete_value_of_lists_of_lists_nulls_the_innermost_place(pair: Pair) -> None:
    (answer,) = await pair.same("{ box { numbers } }")
    assert answer["data"]["box"]["numbers"] == [[1, None], None, [None]]
    assert answer["errors"][0]["path"] == ["box", "numbers", 2, 0]


@pytest.mark.parametrize("of", ["text", "float", "whole", "big", "true", "none"])
async def test_coerce_result_of_a_scalar(pair: Pair, of: str) -> None:
    (answer,) = await pair.same("query ($of: String!) { leaf(of: $of) }", {"of": of})
    assert answer["data"]["leaf"] == {"whole": 3, "true": 1}.get(of)


@pytest.mark.parametrize("what", ["dog", "stone", "text", "box", "cast", "nothing"])
async def test_resolve_abstract_type_accepts_members_alone(pair: Pair, what: str) -> None:
    document = "query ($what: String!) { found(what: $what) { __typename ... on Animal { name sound } } }"
    for known in ("dog", "stone"):  # from then on these classes are known
        await pair.same(document, {"what": known})
    for _ in range(2):
        (answer,) = await pair.same(document, {"what": what})
        assert ("errors" in answer) == (what in {"text", "box"})


async def test_merge_selection_sets_of_the_same_field(pair: Pair) -> None:
    document = (
        "{ box { label } ...F ... { box { inner { label } } } } fragment F on Query { box { inner { a: label } } }"
    )
    (answer,) = await pair.same(document)
    assert answer["data"]["box"] == {"label": "b", "inner": {"a": "in b", "label": "in b"}}


@pytest.mark.parametrize(
    ("document", "data"),
    [
        ("{ box { label required } }", {"box": None}),
        ("{ box { maybe { inner { required } } label } }", {"box": {"maybe": None, "label": "b"}}),
        ("{ box { label requiredLater } hello }", {"box": None, "hello": "hello you None"}),
        ("{ strictBox { inner { required } } hello }", None),
        ("{ strictBox { requiredLater inner { requiredLater } } }", None),
        ("{ box { label strict } }", {"box": None}),
    ],
)
async def test_errors_and_non_null_types_null_the_nearest_place_that_may_be(
    pair: Pair, document: str, data: Any
) -> None:
    (answer,) = await pair.same(document)
    assert answer["data"] == data
    assert answer["errors"][0]["locations"]


async def test_an_error_below_a_place_that_is_null_already_is_not_reported(pair: Pair) -> None:
    (answer,) = await pair.same("{ box { failsLater required } slow }")
    assert answer["data"] == {"box": None, "slow": "slow"}
    assert [error["path"] for error in answer["errors"]] == [["box", "required"]]


@pytest.mark.parametrize("value", ["nan", "inf", "1.5"])
async def test_coerce_result_refuses_a_float_that_is_not_finite(pair: Pair, value: str) -> None:
    (answer,) = await pair.same("query ($value: String!) { number(value: $value) }", {"value": value})
    assert ("errors" in answer) == (value != "1.5")


@pytest.mark.parametrize(("what", "fails"), [("dog", False), ("box", True), ("cast", True), ("nothing", False)])
async def test_complete_value_of_an_object_type_checks_the_value(pair: Pair, what: str, *, fails: bool) -> None:
    (answer,) = await pair.same("query ($what: String!) { dog(what: $what) { name barks } }", {"what": what})
    assert ("errors" in answer) == fails


async def test_coerce_result_of_flags_knows_single_flags_alone() -> None:
    @strawberry.enum
    class Right(Flag):
        READ = 1
        WRITE = 2

    @strawberry.type
    class Query:
        @strawberry.field
        def rights(self) -> list[Right | None]:
            return [Right.READ, Right.READ | Right.WRITE]

    (answer,) = await Pair.of(strawberry.Schema(Query)).same("{ rights }")
    assert answer["data"] == {"rights": ["READ", None]}
