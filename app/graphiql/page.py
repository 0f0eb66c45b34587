"""GraphiQL's page, its files and its prepared tabs as routes; nothing it needs comes from another host."""

import gzip
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

DIST = Path(__file__).parent / "dist"
PAGE_PATH = "/graphiql"

# 'unsafe-inline' is for styles alone: Monaco and React place every line and panel by style attributes.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
}
NOT_SERVED = frozenset({"BUILD", "LICENSES.md"})
FOR_A_YEAR = "public, max-age=31536000, immutable"
OWN_SITE = frozenset({None, "same-origin", "none"})


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab that waits for whoever opens GraphiQL: whom it speaks for, what it asks, and with which headers."""

    title: str
    query: str
    variables: Mapping[str, object]
    headers: Mapping[str, str]

    def __post_init__(self) -> None:
        """The page names a token by its tab in what the browser keeps, so a title is plain words."""
        if not self.title or not all(letter.isalnum() or letter in " -" for letter in self.title):
            raise ValueError(f"A tab's title is letters, digits, spaces and hyphens: {self.title!r}")


@dataclass(frozen=True, slots=True)
class _File:
    """A built file as it lies in the folder: `body` is compressed with gzip where `compressed`."""

    body: bytes
    content_type: str
    compressed: bool

    def response(self, request: Request, *, cache_control: str) -> Response:
        headers = {**HEADERS, "Cache-Control": cache_control, "Content-Type": self.content_type}
        if not self.compressed:
            return Response(self.body, headers=headers)
        headers["Vary"] = "Accept-Encoding"
        if _accepts_gzip(request.headers.get("accept-encoding", "")):
            return Response(self.body, headers={**headers, "Content-Encoding": "gzip"})
        return Response(gzip.decompress(self.body), headers=headers)


def graphiql_routes(tabs: Callable[[], Awaitable[Sequence[Tab]]]) -> list[Route]:
    """Routes of GraphiQL under `/graphiql`; `tabs` is asked at every load of the page, so that its tokens are fresh.

    The tabs carry tokens: mount these routes in development only.
    """
    files = _built_files()
    page = files.pop("index.html")
    page_tag = f'"{sha256(page.body).hexdigest()[:32]}"'

    async def show_page(request: Request) -> Response:
        if request.headers.get("if-none-match") == page_tag:
            return Response(status_code=304, headers={"Cache-Control": "no-cache", "ETag": page_tag})
        response = page.response(request, cache_control="no-cache")
        response.headers["ETag"] = page_tag
        return response

    async def show_file(request: Request) -> Response:
        file = files.get(request.path_params["name"])
        if file is None:
            return Response("Not Found", status_code=404, headers={**HEADERS, "Cache-Control": "no-store"})
        return file.response(request, cache_control=FOR_A_YEAR)

    async def show_tabs(request: Request) -> Response:
        headers = {**HEADERS, "Cache-Control": "no-store"}
        # Another site's page cannot read the answer in any case; it shall not even be made.
        if request.headers.get("sec-fetch-site") not in OWN_SITE:
            return Response("Forbidden", status_code=403, headers=headers)
        body = orjson.dumps([_as_json(tab) for tab in await tabs()])
        return Response(body, headers=headers, media_type="application/json")

    return [
        Route(PAGE_PATH, show_page),
        Route(f"{PAGE_PATH}/", show_page),
        Route(f"{PAGE_PATH}/tabs.json", show_tabs),
        Route(f"{PAGE_PATH}/{{name:path}}", show_file),
    ]


def _as_json(tab: Tab) -> Mapping[str, object]:
    return {
        "title": tab.title,
        "query": tab.query,
        "variables": dict(tab.variables),
        "headers": dict(tab.headers),
    }


def _built_files() -> dict[str, _File]:
    """Every built file by the name it is asked for, held in memory: no path of a request ever meets the disk."""
    if not (DIST / "index.html").is_file():
        raise FileNotFoundError(f"GraphiQL is not built: {DIST / 'index.html'} is missing (app/graphiql/README.md)")
    files = {}
    for path in sorted(DIST.rglob("*")):
        name = path.relative_to(DIST).as_posix()
        if path.is_dir() or name in NOT_SERVED:
            continue
        served = name.removesuffix(".gz")
        content_type = CONTENT_TYPES[Path(served).suffix]
        files[served] = _File(body=path.read_bytes(), content_type=content_type, compressed=served != name)
    return files


def _accepts_gzip(accept_encoding: str) -> bool:
    """Whether the header names gzip (or all) and does not refuse it by `q=0`."""
    for choice in accept_encoding.lower().split(","):
        coding, _, weight = choice.partition(";")
        if coding.strip() in {"gzip", "*"}:
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
