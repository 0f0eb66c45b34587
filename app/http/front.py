"""The application of a process: GraphQL ahead of everything else, since nearly every request is for it."""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.endpoint import GraphQLEndpoint

PATH: Final = "/graphql"


class Front:
    """An ASGI application: HTTP requests for `PATH` are the endpoint's own, everything else is for `rest`."""

    def __init__(self, endpoint: GraphQLEndpoint, *, rest: ASGIApp) -> None:
        self.endpoint: Final = endpoint
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, or serves one socket."""
        if scope["type"] == "http" and scope["path"] == PATH:
            await self.endpoint(scope, receive, send)
        else:
            await self._rest(scope, receive, send)
