"""GraphQL over HTTP: what is read, what is refused with which status, and how an answer reads."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from app.http.endpoint import EndpointOptions
from app.http.negotiation import Media, negotiate
from resolvers.limits import Limits
from tests.app.small import SECRET, Small, small_app

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"
URQL_ACCEPT = f"{GRAPHQL}, application/graphql+json, {JSON}, text/event-stream, multipart/mixed"


def client_of(small: Small) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=small.app, raise_app_exceptions=True)
    return httpx.AsyncClient(transport=transport, base_url="http://laurel.test")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(small_app()) as opened:
        yield opened


async def ask(client: httpx.AsyncClient, query: str, /, accept: str = JSON, **more: Any) -> httpx.Response:
    headers = {"accept": accept, **more.pop("headers", {})}
    return await client.post("/graphql", json={"query": query, **more}, headers=headers)


def code(answer: httpx.Response) -> str:
    found: str = answer.json()["errors"][0]["extensions"]["code"]
    return found


# ── media types ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", Media.JSON),
        ("*/*", Media.JSON),
        ("application/*", Media.JSON),
        (JSON, Media.JSON),
        (GRAPHQL, Media.GRAPHQL),
        (f"{GRAPHQL}, {JSON};q=0.9", Media.GRAPHQL),
        (f"{JSON}, {GRAPHQL};q=0.9", Media.JSON),
        (f"{GRAPHQL};q=0.1, */*", Media.JSON),
        (f"{JSON}; charset=utf-8", Media.JSON),
        (f"{JSON}; charset=latin-1", None),
        (f"{JSON};q=0", None),
        (f"{JSON};q=nonsense", None),
        ("text/html", None),
        ("text/event-stream", None),
        ("APPLICATION/JSON", Media.JSON),
        (URQL_ACCEPT, Media.GRAPHQL),
    ],
)
def test_the_media_type_follows_the_accept_header(accept: str, expected: Media | None) -> None:
    assert negotiate(accept.encode()) is expected


async def test_an_accept_header_that_admits_neither_type_is_406(client: httpx.AsyncClient) -> None:
    answer = await ask(client, "{ hello }", accept="text/event-stream")
    assert answer.status_code == 406
    assert code(answer) == "BAD_USER_INPUT"


@pytest.mark.parametrize(("accept", "status"), [(JSON, 200), (GRAPHQL, 400)])
@pytest.mark.parametrize(
    "query",
    [
        "{",
        "{ nothing }",
        "query A($n: Int!) { hello }",
        "query A { hello } query B { hello }",
        "{ shops(first: 0) { name } }",
    ],
)
async def test_a_document_that_cannot_run_has_no_data(
    client: httpx.AsyncClient, query: str, accept: str, status: int
) -> None:
    answer = await ask(client, query, accept=accept)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith(accept)
    assert "data" not in answer.json()
    assert code(answer) == "BAD_USER_INPUT"


# ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_query_by_post_is_answered(client: httpx.AsyncClient) -> None:
    answer = await ask(client, "query A($n: String!) { hello(name: $n) }", variables={"n": "券"}, operationName="A")
    assert answer.json() == {
        "data": {"hello": "hello 券"},
        "extensions": {"cost": {"requested": 0, "limit": 20_000}},
    }


async def test_a_query_by_get_is_answered(client: httpx.AsyncClient) -> None:
    params = {"query": "query A($n: String!) { hello(name: $n) }", "variables": '{"n": "GET"}', "operationName": "A"}
    answer = await client.get("/graphql", params=params)
    assert answer.json()["data"] == {"hello": "hello GET"}


async def test_a_mutation_by_get_is_405(client: httpx.AsyncClient) -> None:
    answer = await client.get("/graphql", params={"query": 'mutation { rename(name: "x") { name } }'})
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS"])
async def test_other_methods_are_405(client: httpx.AsyncClient, method: str) -> None:
    answer = await client.request(method, "/graphql")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"


async def test_a_subscription_over_http_says_where_it_runs(client: httpx.AsyncClient) -> None:
    answer = await ask(client, "subscription { count }")
    assert code(answer) == "BAD_USER_INPUT"
    assert "WebSocket" in answer.text


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b'{"query": "{ hello }"}', "text/plain", 415),
        (b'{"query": "{ hello }"}', "", 415),
        (b'{"query": "{ hello }"}', "application/x-www-form-urlencoded", 415),
        (b'{"query": "{ hello }"}', "application/json; charset=latin-1", 415),
        (b'{"query": "{ hello }"}', 'application/json; charset="UTF-8"', 200),
        (b'{"query": "{ hello', JSON, 400),
        (b'{"query": "\xff"}', JSON, 400),
        (b"", JSON, 400),
        (b"7", JSON, 400),
        (b"[]", JSON, 400),
        (b"[1]", JSON, 400),
        (b"{}", JSON, 400),
        (b'{"query": 1}', JSON, 400),
        (b'{"query": "{ hello }", "variables": []}', JSON, 400),
        (b'{"query": "{ hello }", "operationName": {}}', JSON, 400),
        (b'{"query": "{ hello }", "extensions": "x"}', JSON, 400),
        (b"[" * 3000, JSON, 400),
    ],
)
async def test_what_is_no_graphql_request_is_told_so(
    client: httpx.AsyncClient, body: bytes, content_type: str, status: int
) -> None:
    answer = await client.post("/graphql", content=body, headers={"content-type": content_type})
    assert answer.status_code == status
    if status != 200:
        assert code(answer) == "BAD_USER_INPUT"
        assert answer.json()["extensions"]["cost"] == {"requested": 0, "limit": 20_000}


@pytest.mark.parametrize("query_string", ["", "query=", "variables=x&query=%7Bhello%7D", "a=1&" * 20, "query=%ff"])
async def test_a_get_that_cannot_be_read_is_told_so(client: httpx.AsyncClient, query_string: str) -> None:
    answer = await client.get(f"/graphql?{query_string}")
    assert answer.status_code in {200, 400}
    assert code(answer) == "BAD_USER_INPUT"


# ── batches and sizes ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_batch_is_answered_in_order_and_each_entry_for_itself(client: httpx.AsyncClient) -> None:
    batch = [{"query": '{ hello(name: "1") }'}, {"query": "{"}, {"query": '{ hello(name: "3") }'}]
    answer = await client.post("/graphql", json=batch)
    assert answer.status_code == 200
    first, second, third = answer.json()
    assert first["data"] == {"hello": "hello 1"}
    assert "data" not in second
    assert second["errors"]
    assert third["data"] == {"hello": "hello 3"}


async def test_a_batch_over_the_limit_is_refused_whole() -> None:
    async with client_of(small_app(options=EndpointOptions(batch=2))) as client:
        answer = await client.post("/graphql", json=[{"query": "{ hello }"}] * 3)
    assert answer.status_code == 400
    assert "at most 2" in answer.text


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_over_the_limit_is_413(declared: bool) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 100

    content = b" " * 2_000 if declared else parts()
    async with client_of(small_app(options=EndpointOptions(body_bytes=1_000))) as client:
        answer = await client.post("/graphql", content=content, headers={"content-type": JSON})
    assert answer.status_code == 413


async def test_a_body_in_parts_is_read_whole(client: httpx.AsyncClient) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for byte in b'{"query": "{ hello }"}':
            yield bytes([byte])

    answer = await client.post("/graphql", content=parts(), headers={"content-type": JSON})
    assert answer.json()["data"] == {"hello": "hello world"}


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("accept", "status"), [(JSON, 200), (GRAPHQL, 400)])
async def test_an_operation_over_the_cost_is_refused_with_both_numbers(accept: str, status: int) -> None:
    async with client_of(small_app(limits=Limits(cost=100))) as client:
        query = "query A($n: Int!) { shop { branches(first: $n) { nodes { name } edges { node { name } } } } }"
        fine = await ask(client, query, accept=accept, variables={"n": 30})
        assert fine.json()["extensions"]["cost"] == {"requested": 1 + 1 + 30 * 3, "limit": 100}
        assert fine.json()["data"]
        answer = await ask(client, query, accept=accept, variables={"n": 40})
    assert answer.status_code == status
    assert "data" not in answer.json()
    extensions = answer.json()["errors"][0]["extensions"]
    assert extensions == {"code": "QUERY_TOO_COMPLEX", "exceeded": "cost", "requested": 122, "limit": 100}
    assert answer.json()["extensions"]["cost"] == {"requested": 122, "limit": 100}


async def test_a_page_size_out_of_range_names_its_argument(client: httpx.AsyncClient) -> None:
    answer = await ask(client, "query A($n: Int) { shops(first: $n) { name } }", variables={"n": 101})
    assert answer.json()["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT", "argument": "Query.shops.first"}


async def test_introspection_and_suggestions_are_only_for_those_who_may_see_the_schema() -> None:
    async with client_of(small_app(limits=Limits(introspection=False))) as client:
        asked = await ask(client, "{ __schema { types { name } } }")
        assert asked.status_code == 403
        assert code(asked) == "FORBIDDEN"
        assert "Did you mean" not in (await ask(client, "{ helo }")).text
    async with client_of(small_app(limits=Limits(introspection=True))) as client:
        assert (await ask(client, "{ __schema { queryType { name } } }")).json()["data"]
        assert "Did you mean" in (await ask(client, "{ helo }")).text


async def test_deep_variables_are_refused(client: httpx.AsyncClient) -> None:
    deep: object = 1
    for _ in range(13):
        deep = [deep]
    answer = await ask(client, "{ hello }", variables={"x": deep})
    assert code(answer) == "QUERY_TOO_COMPLEX"


# ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_unexpected_error_is_masked_and_carries_the_request_id() -> None:
    small = small_app()
    async with client_of(small) as client:
        answer = await ask(client, "{ hello broken }", headers={"x-request-id": "my-request-1"})
    assert answer.status_code == 200
    assert answer.headers["x-request-id"] == "my-request-1"
    assert answer.json()["data"] == {"hello": "hello world", "broken": None}
    error = answer.json()["errors"][0]
    assert error["message"].startswith("Something went wrong")
    assert error["extensions"] == {"code": "INTERNAL", "requestId": "my-request-1"}
    assert error["path"] == ["broken"]
    assert "hunter2" not in answer.text
    assert b"laurel_unexpected_errors_total 1.0" in small.telemetry.exposition()


async def test_an_error_that_reaches_the_root_leaves_data_null(client: httpx.AsyncClient) -> None:
    answer = await ask(client, "{ brokenRoot }", accept=GRAPHQL)
    assert answer.status_code == 200
    assert answer.json()["data"] is None


async def test_a_context_that_cannot_be_made_is_500_and_masked(client: httpx.AsyncClient) -> None:
    answer = await ask(client, "{ hello }", headers={"accept-language": "xx-broken"})
    assert answer.status_code == 500
    assert code(answer) == "INTERNAL"
    assert SECRET not in answer.text


async def test_a_callers_error_keeps_its_code_and_names_its_argument(client: httpx.AsyncClient) -> None:
    error = (await ask(client, "{ refused }")).json()["errors"][0]
    assert error["message"] == "that is not a cart"
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "argument": "input.cart"}


async def test_a_lost_connection_is_unavailable_and_not_a_bug() -> None:
    small = small_app()
    async with client_of(small) as client:
        lost = (await ask(client, "{ away }")).json()["errors"][0]
        busy = (await ask(client, "{ busy }")).json()["errors"][0]
    assert lost["extensions"]["code"] == "UNAVAILABLE"
    assert busy["extensions"] == {"code": "UNAVAILABLE", "retryAfterSeconds": 7}
    assert b"laurel_unexpected_errors_total 0.0" in small.telemetry.exposition()


async def test_a_request_id_that_could_harm_a_log_is_replaced(client: httpx.AsyncClient) -> None:
    for harmful in ("short", "x" * 65, "a b c d e f g", 'quote"quote"'):
        answer = await ask(client, "{ hello }", headers={"x-request-id": harmful})
        assert answer.headers["x-request-id"] != harmful
        assert len(answer.headers["x-request-id"]) == 16


# ── callers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_without_a_token_the_caller_is_anonymous(client: httpx.AsyncClient) -> None:
    assert (await ask(client, "{ who }")).json()["data"] == {"who": None}


async def test_a_bearer_token_makes_the_caller_known(client: httpx.AsyncClient) -> None:
    answer = await ask(client, "{ who }", headers={"authorization": "Bearer member-7"})
    assert answer.json()["data"] == {"who": "member-7"}


@pytest.mark.parametrize("accept", [JSON, GRAPHQL])
async def test_a_token_that_cannot_be_trusted_is_401(client: httpx.AsyncClient, accept: str) -> None:
    answer = await ask(client, "{ hello }", accept=accept, headers={"authorization": "Bearer forged"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="laurel"'
    assert code(answer) == "UNAUTHENTICATED"
    assert "data" not in answer.json()


async def test_an_issuer_that_cannot_be_asked_is_503(client: httpx.AsyncClient) -> None:
    answer = await ask(client, "{ hello }", headers={"authorization": "Bearer away"})
    assert answer.status_code == 503
    assert code(answer) == "UNAVAILABLE"


async def test_the_language_reaches_the_context(client: httpx.AsyncClient) -> None:
    answer = await ask(client, "{ language }", headers={"accept-language": "zh-CN,en;q=0.5"})
    assert answer.json()["data"] == {"language": "zh-CN,en;q=0.5"}


async def test_a_browser_that_opens_the_endpoint_is_sent_to_the_explorer() -> None:
    small = small_app(options=EndpointOptions(explorer_path="/graphiql"))
    async with client_of(small) as client:
        answer = await client.get("/graphql", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/graphiql")
        asked = await client.get("/graphql?query={hello}", headers={"accept": "text/html,*/*"})
        assert asked.json()["data"]


# ── the wire ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_answer_is_one_start_and_one_body_that_nobody_keeps() -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": orjson.dumps({"query": "{ hello }"}), "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/graphql", "query_string": b""}
    await small_app().app({**scope, "headers": [(b"content-type", b"application/json")]}, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    headers = dict(sent[0]["headers"])
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"content-length"] == str(len(sent[1]["body"])).encode()


async def test_a_client_that_leaves_before_its_body_is_read_gets_no_answer() -> None:
    small = small_app()
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: Any) -> None:
        pytest.fail(f"sent {message}")

    scope = {"type": "http", "method": "POST", "path": "/graphql", "query_string": b""}
    await small.app({**scope, "headers": [(b"content-type", b"application/json")]}, receive, send)
    assert b'outcome="disconnected"} 1.0' in small.telemetry.exposition()
    assert small.drain.under_way == 0


async def test_requests_under_way_are_counted_for_the_drain() -> None:
    small = small_app()
    async with client_of(small) as client:
        asking = asyncio.create_task(ask(client, "{ slow(seconds: 0.2) }"))
        await asyncio.sleep(0.05)
        assert small.drain.under_way == 1
        await asyncio.wait_for(small.drain.finished(), timeout=5)
        assert (await asking).json()["data"] == {"slow": "done"}
        assert small.drain.under_way == 0
