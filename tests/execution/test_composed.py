"""Input literals with variables in them: the same values and errors as graphql-core's, composed without it."""

from datetime import datetime
from decimal import Decimal
from enum import Enum
from itertools import product
from typing import Any

import pytest
import strawberry
from strawberry.scalars import JSON

from execution import Executor
from tests.execution.sameness import Pair


@strawberry.enum
class Size(Enum):
    SMALL = "small"
    LARGE = "large"


@strawberry.input
class Part:
    name: str
    amounts: list[int | None] | None = None
    price: Decimal = Decimal("1.50")


@strawberry.input(one_of=True)
class OneWay:
    text: strawberry.Maybe[str]
    number: strawberry.Maybe[int]


@strawberry.input
class Order:
    id: strawberry.ID
    key: str = "none"
    size: Size | None = Size.SMALL
    parts: list[Part] = strawberry.field(default_factory=list)
    at: datetime | None = strawberry.UNSET
    note: JSON | None = None


@strawberry.type
class Query:
    @strawberry.field
    async def place(self, order: Order) -> str:
        return repr(order)

    @strawberry.field
    def look(self, orders: list[Order], limit: int = 3) -> str:
        return f"{orders} {limit}"

    @strawberry.field
    def choose(self, way: OneWay) -> str:
        return repr(way)


SCHEMA = strawberry.Schema(Query)
PAIR = Pair.of(SCHEMA)
COMPOSED = [
    "query($id: ID!, $key: String!) { place(order: {id: $id, key: $key}) }",
    "query($id: ID!, $key: String!) { place(order: {key: $key, size: LARGE, id: $id}) }",
    "query($id: ID!, $key: String!) { look(orders: [{id: $id, key: $key}, {id: 7}], limit: 9) }",
    "query($id: ID!, $key: String!) { look(orders: {id: $id, parts: {name: $key}}) }",
    'query($id: ID!, $n: Int = 5) { place(order: {id: $id, parts: [{name: "a", amounts: [1, $n, null]}]}) }',
    'query($id: ID!, $key: String!) { place(order: {id: $id, parts: [{name: $key}, {name: "b", price: "2"}]}) }',
    "query($id: ID!, $size: Size = LARGE) { place(order: {id: $id, size: $size, parts: []}) }",
    "query($id: ID!, $parts: [Part!]!) { place(order: {id: $id, parts: $parts, at: null}) }",
    'query($id: ID!, $note: JSON = 1) { place(order: {id: $id, note: $note, at: "2026-01-01T00:00:00Z"}) }',
    "query($part: Part!) { place(order: {id: 12, parts: [$part, $part]}) }",
]
LEFT = [
    'query($key: String = "k") { place(order: {id: 1, key: $key}) }',
    "query($size: Size) { place(order: {id: 1, size: $size}) }",
    "query($size: Size) { look(orders: [{id: 1, size: $size}]) }",
    'query($n: Int) { place(order: {id: 1, parts: {name: "a", amounts: [$n]}}) }',
    "query($n: Int!) { place(order: {id: 1, note: {deep: [$n]}}) }",
    "query($text: String!) { choose(way: {text: $text}) }",
]
VALUES: dict[str, list[Any]] = {
    "id": ["a", 7, ..., None, [], {}],
    "key": ["k", "券\"'\\\n{}", ..., None, 3],
    "n": [1, None, ..., "x", 2**31],
    "size": ["SMALL", None, ..., "HUGE"],
    "note": [{"a": [1.5]}, None, ..., "x"],
    "parts": [[], [{"name": "p"}], {"name": "p", "amounts": 1}, [None], None, ...],
    "part": [{"name": "p"}, {"name": "p", "price": "3.10"}, {"nome": "p"}, None],
    "text": ["t", None, ...],
}


@pytest.mark.parametrize("document", [*COMPOSED, *LEFT])
async def test_a_literal_with_variables_is_coerced_as_by_graphql_core(document: str) -> None:
    names = [name for name in VALUES if f"${name}:" in document]
    good = 0
    for values in product(*(VALUES[name] for name in names)):
        given = {name: value for name, value in zip(names, values, strict=True) if value is not ...}
        (answer,) = await PAIR.same(document, given)
        good += bool(answer.get("data"))
    assert good


@pytest.mark.parametrize(("documents", "is_composed"), [(COMPOSED, True), (LEFT, False)])
def test_what_cannot_fail_is_composed_and_nothing_else(documents: list[str], *, is_composed: bool) -> None:
    executor = Executor(SCHEMA)
    for document in documents:
        code = executor.explain(executor.prepare(document))
        assert ("by_strawberry" not in code and "X.arguments" not in code) is is_composed, code


async def test_requests_do_not_share_what_was_composed() -> None:
    document = 'query($id: ID!) { place(order: {id: $id, parts: [{name: "a", amounts: [1]}]}) }'
    seen: list[Order] = []

    @strawberry.type
    class Keeping:
        @strawberry.field
        def place(self, order: Order) -> str:
            seen.append(order)
            order.parts[0].amounts = [2]
            order.parts.append(Part(name="more"))
            return repr(order)

    pair = Pair.of(strawberry.Schema(Keeping))
    for number in range(2):
        await pair.same(document, {"id": number})
    assert len({repr(order.parts) for order in seen}) == 1
