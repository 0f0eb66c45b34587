"""Bodies that many clients send alike are parsed once, and nobody's values are kept."""

import orjson
import pytest

from app.http.parsing import BadRequest, Bodies, OperationRequest, parse_body


def body(**fields: object) -> bytes:
    return orjson.dumps(fields)


def test_a_body_without_variables_is_parsed_once() -> None:
    bodies = Bodies(batch_limit=3)
    asked = body(query="one", operationName=None, extensions={"a": 1})
    first = bodies.read(asked)
    assert first == parse_body(asked, batch_limit=3)
    assert bodies.read(bytes(asked)) is first
    assert bodies.read(body(query="another")) == parse_body(body(query="another"), batch_limit=3)


@pytest.mark.parametrize(
    "asked",
    [
        body(query="one", variables={"a": 1}),
        orjson.dumps([{"query": "one"}, {"query": "another"}]),
        body(query="x" * 10_000),
        body(query="one", extensions={"a": [[]] * 1_000}),
    ],
)
def test_variables_batches_long_bodies_and_long_extensions_are_parsed_each_time(asked: bytes) -> None:
    bodies = Bodies(batch_limit=3)
    first, second = bodies.read(asked), bodies.read(asked)
    assert first is not second
    assert first == second


def test_what_is_refused_is_refused_again() -> None:
    bodies = Bodies(batch_limit=3)
    for _ in range(2):
        with pytest.raises(BadRequest, match="not valid JSON"):
            bodies.read(b"{")


def test_those_that_were_asked_for_last_are_kept() -> None:
    bodies = Bodies(batch_limit=3, kept=2)
    one, two, three = (body(query=f"number {number}") for number in range(3))
    first, second = bodies.read(one), bodies.read(two)
    assert bodies.read(one) is first
    bodies.read(three)
    assert bodies.read(one) is first
    again = bodies.read(two)
    assert isinstance(again, OperationRequest)
    assert again is not second
