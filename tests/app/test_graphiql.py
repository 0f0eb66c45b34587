import gzip
import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from graphql import (
    DocumentNode,
    GraphQLSchema,
    OperationDefinitionNode,
    Source,
    build_schema,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values
from starlette.applications import Starlette

from app.graphiql.documents import HOW_TO, MEMBER, MERCHANT, OPERATOR, SERVICE, TILL
from app.graphiql.page import DIST, Tab, graphiql_routes
from app.graphiql.tabs import Examples, Tokens, prepared_tabs

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "schema" / "schema.graphql"
SOURCE = DIST.parent / "source"
EDITOR_COLUMNS = 58

TABS = prepared_tabs(
    tokens=Tokens(member="m.m.m", till="t.t.t", merchant="s.s.s", operator="o.o.o", service="x.x.x"),
    examples=Examples(
        member_id="member-1",
        merchant_id="merchant-1",
        store_id="store-1",
        coupon_template_id="template-1",
        currency_code="CNY",
    ),
    new_key=lambda: "key-1",
    now=datetime(2030, 1, 1, 12, 34, 56, tzinfo=UTC),
)


async def tabs() -> Sequence[Tab]:
    return TABS


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=list(graphiql_routes(tabs)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://laurel.test") as client:
        yield client


async def assets_of(client: httpx.AsyncClient) -> list[str]:
    return re.findall(r'(?:src|href)="(/graphiql/[^"]+)"', (await client.get("/graphiql")).text)


def directives(response: httpx.Response) -> dict[str, str]:
    policy = response.headers["content-security-policy"]
    return {name: rest for name, _, rest in (part.strip().partition(" ") for part in policy.split(";"))}


# ── the page ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ["/graphiql", "/graphiql/"])
async def test_the_page_is_html_that_is_asked_for_anew_each_time(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    again = await client.get(path, headers={"If-None-Match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_the_page_holds_no_inline_script_and_names_no_other_host(client: httpx.AsyncClient) -> None:
    page = (await client.get("/graphiql")).text
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert re.findall(r"(?:https?:)?//[a-z]", page) == []
    assert await assets_of(client)


async def test_the_policy_allows_only_what_is_our_own_and_inline_styles(client: httpx.AsyncClient) -> None:
    found = directives(await client.get("/graphiql"))
    assert found["default-src"] == "'none'"
    assert found["script-src"] == "'self'"
    assert found["connect-src"] == "'self'"
    assert found["worker-src"] == "'self'"
    assert found["frame-ancestors"] == "'none'"
    assert {name for name, rest in found.items() if "unsafe" in rest} == {"style-src"}
    assert not any(token in rest.split() for rest in found.values() for token in ("*", "http:", "https:", "blob:"))


# ── its files ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("suffix", "content_type"),
    [
        (".js", "text/javascript; charset=utf-8"),
        (".css", "text/css; charset=utf-8"),
        (".svg", "image/svg+xml"),
        (".ttf", "font/ttf"),
    ],
)
async def test_each_file_has_its_type_and_is_kept_for_a_year(
    client: httpx.AsyncClient, suffix: str, content_type: str
) -> None:
    names = [path.name.removesuffix(".gz") for path in (DIST / "assets").iterdir()]
    chosen = [name for name in names if name.endswith(suffix)]
    assert chosen
    for name in chosen:
        response = await client.get(f"/graphiql/assets/{name}")
        assert response.status_code == 200
        assert response.headers["content-type"] == content_type
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert response.headers["x-content-type-options"] == "nosniff"
        # A worker obeys the policy of its own answer, not that of the page.
        assert "content-security-policy" in response.headers


@pytest.mark.parametrize(
    ("accept_encoding", "compressed"),
    [("gzip, br", True), ("*", True), ("", False), ("br", False), ("gzip;q=0", False), ("GZIP;q=0.5", True)],
)
async def test_a_file_is_compressed_for_those_who_accept_it(
    client: httpx.AsyncClient, accept_encoding: str, compressed: bool
) -> None:
    script = next(path for path in await assets_of(client) if path.endswith(".js"))
    response = await client.get(script, headers={"Accept-Encoding": accept_encoding})
    assert (response.headers.get("content-encoding") == "gzip") is compressed
    assert response.headers["vary"] == "Accept-Encoding"
    stored = (DIST / script.removeprefix("/graphiql/")).with_suffix(".js.gz").read_bytes()
    assert response.content == gzip.decompress(stored)


@pytest.mark.parametrize(
    "path", ["assets/none.js", "BUILD", "LICENSES.md", "index.html", "..%2fpage.py", "%2e%2e/page.py", "assets/"]
)
async def test_nothing_but_the_built_files_is_served(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(f"/graphiql/{path}")
    assert response.status_code == 404
    assert response.headers["cache-control"] == "no-store"


def built() -> dict[str, str]:
    lines = (DIST / "BUILD").read_text().splitlines()
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def test_the_built_files_are_those_of_the_committed_sources() -> None:
    sources = [path for path in SOURCE.rglob("*") if "node_modules" not in path.parts and path.name != ".gitignore"]
    results = [path for path in DIST.rglob("*") if path.name != "BUILD"]
    found = {
        path.relative_to(DIST.parent).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in [*sources, *results]
        if path.is_file()
    }
    assert found == built(), "rebuild GraphiQL: app/graphiql/README.md"


def test_the_lock_file_and_the_built_files_name_no_registry() -> None:
    assert '"resolved"' not in (SOURCE / "package-lock.json").read_text()
    for path in DIST.rglob("*"):
        if path.is_file():
            content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            assert b"sourceMappingURL=" not in content, path.name
            assert b"registry.npmjs" not in content, path.name


# ── its tabs ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_tabs_are_told_to_our_own_page_and_kept_nowhere(client: httpx.AsyncClient) -> None:
    response = await client.get("/graphiql/tabs.json", headers={"Sec-Fetch-Site": "same-origin"})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert [tab["title"] for tab in response.json()] == ["Member", "Till", "Merchant", "Operator", "Order service"]
    assert response.json()[0] == {
        "title": "Member",
        "query": TABS[0].query,
        "variables": {**TABS[0].variables},
        "headers": {"Authorization": "Bearer m.m.m"},
    }


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_site_is_told_no_tabs(client: httpx.AsyncClient, site: str) -> None:
    response = await client.get("/graphiql/tabs.json", headers={"Sec-Fetch-Site": site})
    assert response.status_code == 403
    assert "m.m.m" not in response.text


async def test_tabs_are_made_anew_at_every_load() -> None:
    loads = 0

    async def counted() -> Sequence[Tab]:
        nonlocal loads
        loads += 1
        return [Tab(title=f"Load {loads}", query="{ me { id } }", variables={}, headers={})]

    app = Starlette(routes=list(graphiql_routes(counted)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://laurel.test") as client:
        titles = [(await client.get("/graphiql/tabs.json")).json()[0]["title"] for _ in range(2)]
    assert titles == ["Load 1", "Load 2"]


@pytest.mark.parametrize("title", ["", 'a "b"', "a{b}", "a\\b", "a\nb"])
def test_a_title_that_storage_could_garble_is_refused(title: str) -> None:
    with pytest.raises(ValueError, match="title"):
        Tab(title=title, query="{ me { id } }", variables={}, headers={})


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema(SCHEMA.read_text())


def operations(document: DocumentNode) -> list[OperationDefinitionNode]:
    return [definition for definition in document.definitions if isinstance(definition, OperationDefinitionNode)]


@pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.title)
def test_every_tab_speaks_the_printed_schema(schema: GraphQLSchema, tab: Tab) -> None:
    errors = validate(schema, parse(Source(tab.query, tab.title)))
    assert [str(error) for error in errors] == []


@pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.title)
def test_every_operation_finds_its_variables_and_every_variable_its_operation(schema: GraphQLSchema, tab: Tab) -> None:
    asked = set()
    for operation in operations(parse(tab.query)):
        values = get_variable_values(schema, operation.variable_definitions or (), dict(tab.variables))
        assert not isinstance(values, list), [str(error) for error in values]
        asked |= {definition.variable.name.value for definition in operation.variable_definitions or ()}
    assert asked == set(tab.variables)


@pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.title)
def test_every_tab_says_what_to_press_and_names_each_operation(tab: Tab) -> None:
    assert "press ▶" in tab.query
    assert tab.query.startswith("# ")
    assert "{how_to}" not in tab.query
    names = [operation.name.value if operation.name else None for operation in operations(parse(tab.query))]
    assert None not in names
    assert len(set(names)) == len(names)


def test_every_audience_has_its_own_token() -> None:
    assert [tab.headers for tab in TABS] == [
        {"Authorization": f"Bearer {token}"} for token in ("m.m.m", "t.t.t", "s.s.s", "o.o.o", "x.x.x")
    ]


@pytest.mark.parametrize("document", [HOW_TO, MEMBER, TILL, MERCHANT, OPERATOR, SERVICE])
def test_a_document_fits_the_width_of_its_editor(document: str) -> None:
    assert [line for line in document.splitlines() if len(line) > EDITOR_COLUMNS] == []
