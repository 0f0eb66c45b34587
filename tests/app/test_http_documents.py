"""Documents that are named by their hash: trusted ones, persisted ones, and production that runs the listed alone."""

from collections.abc import AsyncIterator, Mapping

import httpx
import pytest

from app.documents import Documents, digest_of
from tests.app.small import MemoryDocuments, Small, small_app
from tests.app.test_http import ask, client_of, code

HELLO = "query Hello($n: String!) { hello(name: $n) }"
OTHER = "query Other { hello }"


def persisted(text: str) -> Mapping[str, object]:
    return {"persistedQuery": {"version": 1, "sha256Hash": digest_of(text)}}


@pytest.fixture
def production() -> Small:
    """Runs listed documents only."""
    return small_app(trusted_only=True, documents={digest_of(HELLO): HELLO})


@pytest.fixture
async def client(production: Small) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(production) as opened:
        yield opened


async def test_a_trusted_document_is_run_by_its_id_alone(client: httpx.AsyncClient) -> None:
    body = {"documentId": f"sha256:{digest_of(HELLO)}", "variables": {"n": "id"}}
    assert (await client.post("/graphql", json=body)).json()["data"] == {"hello": "hello id"}
    by_get = await client.get("/graphql", params={"documentId": body["documentId"], "variables": '{"n": "get"}'})  # type: ignore[dict-item]
    assert by_get.json()["data"] == {"hello": "hello get"}


async def test_a_trusted_document_is_run_in_apollos_form_too(client: httpx.AsyncClient) -> None:
    answer = await client.post("/graphql", json={"extensions": persisted(HELLO), "variables": {"n": "hash"}})
    assert answer.json()["data"] == {"hello": "hello hash"}


async def test_where_only_trusted_documents_run_their_text_is_as_good_as_their_hash(client: httpx.AsyncClient) -> None:
    assert (await ask(client, HELLO, variables={"n": "text"})).json()["data"] == {"hello": "hello text"}


async def test_where_only_trusted_documents_run_another_text_is_forbidden(client: httpx.AsyncClient) -> None:
    for extensions in ({}, persisted(OTHER)):
        answer = await ask(client, OTHER, extensions=extensions)
        assert (answer.status_code, code(answer)) == (403, "FORBIDDEN")
    changed = await ask(client, HELLO + " ", variables={"n": "x"})
    assert code(changed) == "FORBIDDEN"


async def test_an_unknown_hash_is_not_found_in_the_words_that_apollo_reads(client: httpx.AsyncClient) -> None:
    answer = await client.post("/graphql", json={"extensions": persisted(OTHER)})
    error = answer.json()["errors"][0]
    assert answer.status_code == 200
    assert error["message"] == "PersistedQueryNotFound"
    assert error["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"


async def test_a_client_may_register_a_document_where_that_is_allowed() -> None:
    async with client_of(small_app(registration=True)) as client:
        registered = await ask(client, OTHER, extensions=persisted(OTHER))
        assert registered.json()["data"]
        assert (await client.post("/graphql", json={"extensions": persisted(OTHER)})).json()["data"]


async def test_without_registration_the_text_is_run_and_forgotten() -> None:
    async with client_of(small_app(registration=False)) as client:
        assert (await ask(client, OTHER, extensions=persisted(OTHER))).json()["data"]
        again = await client.post("/graphql", json={"extensions": persisted(OTHER)})
        assert code(again) == "PERSISTED_QUERY_NOT_FOUND"


async def test_a_hash_of_another_text_is_refused_and_registers_nothing() -> None:
    async with client_of(small_app()) as client:
        answer = await ask(client, HELLO, extensions=persisted(OTHER))
        assert code(answer) == "BAD_USER_INPUT"
        assert code(await client.post("/graphql", json={"extensions": persisted(OTHER)})) == "PERSISTED_QUERY_NOT_FOUND"


@pytest.mark.parametrize(
    "body",
    [
        {"documentId": "sha256:xyz"},
        {"documentId": "a" * 64},
        {"documentId": "md5:" + "a" * 64},
        {"extensions": {"persistedQuery": 1}},
        {"extensions": {"persistedQuery": {"version": 2, "sha256Hash": "a" * 64}}},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "A" * 64}}},
        {"extensions": {"persistedQuery": {"version": 1}}},
        {"extensions": {"persistedQuery": None}},
    ],
)
async def test_a_malformed_name_of_a_document_is_told_so(body: Mapping[str, object]) -> None:
    async with client_of(small_app()) as client:
        assert code(await client.post("/graphql", json=body)) == "BAD_USER_INPUT"


async def test_a_trusted_operation_labels_metrics_by_its_name_and_others_by_their_hash_too(production: Small) -> None:
    async with client_of(production) as client:
        await ask(client, HELLO, variables={"n": "x"})
    assert b'operation="Hello",outcome="ok"' in production.telemetry.exposition()
    developing = small_app()
    async with client_of(developing) as client:
        await ask(client, HELLO, variables={"n": "x"})
    label = f'operation="Hello:{digest_of(HELLO)[:8]}",outcome="ok"'
    assert label.encode() in developing.telemetry.exposition()


async def test_the_store_is_asked_once_for_what_it_has_and_seldom_for_what_it_has_not() -> None:
    store = MemoryDocuments({digest_of(HELLO): HELLO})
    documents = Documents(store, trusted_only=True, registration=False)
    for _ in range(3):
        assert (await documents.named(digest_of(HELLO), text=None)).trusted
    assert store.asked == 1
    for _ in range(3):
        with pytest.raises(Exception, match="PersistedQueryNotFound"):
            await documents.named(digest_of(OTHER), text=None)
    assert store.asked == 2


async def test_registered_documents_are_bounded_and_the_oldest_is_forgotten() -> None:
    documents = Documents(MemoryDocuments(), trusted_only=False, registration=True, capacity=3)
    texts = [f"{{ a{n} }}" for n in range(5)]
    for text in texts:
        await documents.named(digest_of(text), text=text)
    for text in texts[2:]:
        assert (await documents.named(digest_of(text), text=None)).text == text
    for text in texts[:2]:
        with pytest.raises(Exception, match="PersistedQueryNotFound"):
            await documents.named(digest_of(text), text=None)
