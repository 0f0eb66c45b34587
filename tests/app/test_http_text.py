"""Text that nobody could store is refused at the door, wherever it is in a request."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.app.small import small_app
from tests.app.test_http import JSON, ask, client_of, code


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(small_app()) as opened:
        yield opened


@pytest.mark.parametrize(
    ("body", "argument"),
    [
        (r'{"query": "query A($n: String!) { hello(name: $n) }", "variables": {"n": "a\u0000b"}}', "n"),
        (r'{"query": "query A($n: String!) { hello(name: $n) }", "variables": {"n": "\u5238\u0000"}}', "n"),
        (r'{"query": "query A($n: [In]) { hello }", "variables": {"n": [{"a": "b"}, {"c": "\u0000"}]}}', "n.1.c"),
        (r'{"query": "{ hello }", "variables": {"n": {"\u0000": 1}}}', "n"),
        (r'{"query": "{ hello }", "variables": {"\u0000": 1}}', "variables"),
        (r'{"query": "{ hello(name: \"a\\u0000b\") }"}', "query"),
        (r'{"query": "{ hello(name: \"a\\u{0}b\") }"}', "query"),
        (r'{"query": "{ hello(name: \"a\u0000b\") }"}', "query"),
        (r'{"query": "{ hello(name: \"\\ud800\") }"}', None),
        (r'{"query": "query A($n: String!) { hello(name: $n) }", "variables": {"n": "\ud800"}}', None),
        (r'{"query": "query A($n: String!) { hello(name: $n) }", "variables": {"n": "a\udc00b"}}', None),
    ],
)
async def test_text_that_nobody_could_store_is_the_callers_mistake_wherever_it_is(
    client: httpx.AsyncClient, body: str, argument: str | None
) -> None:
    answer = await client.post("/graphql", content=body, headers={"content-type": JSON})
    assert code(answer) == "BAD_USER_INPUT"
    assert answer.json()["errors"][0]["extensions"].get("argument") == argument


async def test_a_backslash_before_a_u_is_text(client: httpx.AsyncClient) -> None:
    answer = await ask(client, r'{ hello(name: "a\\u0000") }')
    assert answer.json()["data"] == {"hello": r"hello a\u0000"}
