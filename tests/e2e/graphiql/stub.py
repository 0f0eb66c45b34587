"""A server without a database behind GraphiQL: the public schema, canned answers, one live event per claim.

It notes what the page sends, and its tokens are new at every load of the page.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn
from graphql import GraphQLSchema, build_schema, graphql, parse, subscribe
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from app.graphiql.page import Tab, graphiql_routes
from app.graphiql.tabs import Examples, Tokens, prepared_tabs

EXAMPLES = Examples(
    member_id="member-1",
    merchant_id="merchant-1",
    store_id="store-1",
    coupon_template_id="template-1",
    currency_code="CNY",
)
COUPON = {"code": "LAUREL-1", "headline": "5 off", "state": "CLAIMED", "validUntil": "2031-01-01T00:00:00Z"}


@dataclass(slots=True)
class Stub:
    """The canned programme, and what was asked of it."""

    schema: GraphQLSchema
    loads: int = 0
    fetched: list[tuple[str | None, str, str]] = field(default_factory=list)  # operation, Authorization, Accept
    socket_inits: list[object] = field(default_factory=list)
    wallets: list[asyncio.Queue[dict[str, object]]] = field(default_factory=list)

    async def tabs(self) -> Sequence[Tab]:
        self.loads += 1
        audiences = ("member", "till", "merchant", "operator", "service")
        tokens = Tokens(**{name: f"token-{self.loads}-of-{name}" for name in audiences})
        return prepared_tabs(
            tokens=tokens, examples=EXAMPLES, new_key=lambda: f"key-{self.loads}", now=datetime(2030, 1, 1, tzinfo=UTC)
        )

    # ── root fields ─────────────────────────────────────────────────────────────────────────────────────────────────
    def me(self, _info: object) -> object:
        return {
            "displayName": "Mei",
            "tier": {"tier": {"name": "Gold"}},
            "points": {"available": 1200},
            "wallet": {"coupons": {"nodes": [COUPON]}},
        }

    # The argument has the contract's name.
    def claimCoupon(self, _info: object, input: object) -> object:  # noqa: A002, N802
        for wallet in self.wallets:
            wallet.put_nowait({"walletChanged": {"sequence": 1, "change": "CLAIMED", "coupon": COUPON}})
        return {"__typename": "ClaimCouponSuccess", "coupon": COUPON, "replayed": False}

    async def walletChanged(self, _info: object, since: object) -> AsyncIterator[object]:  # noqa: N802
        assert since is None
        wallet: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        self.wallets.append(wallet)
        while True:
            yield await wallet.get()

    # ── HTTP and sockets ────────────────────────────────────────────────────────────────────────────────────────────
    async def post(self, request: Request) -> JSONResponse:
        body = await request.json()
        operation = body.get("operationName")
        self.fetched.append((operation, request.headers.get("authorization", ""), request.headers["accept"]))
        result = await graphql(
            self.schema, body["query"], self, variable_values=body.get("variables"), operation_name=operation
        )
        return JSONResponse(result.formatted, media_type="application/graphql-response+json")

    async def socket(self, websocket: WebSocket) -> None:
        await websocket.accept(subprotocol="graphql-transport-ws")
        init = await websocket.receive_json()
        self.socket_inits.append(init.get("payload"))
        await websocket.send_json({"type": "connection_ack"})
        pushing = asyncio.create_task(self.push(websocket, await websocket.receive_json()))
        async for _message in websocket.iter_text():
            pass
        pushing.cancel()

    async def push(self, websocket: WebSocket, message: dict[str, Any]) -> None:
        payload = message["payload"]
        events = subscribe(self.schema, parse(payload["query"]), self, operation_name=payload.get("operationName"))
        assert isinstance(events, AsyncIterator), events
        async for event in events:
            await websocket.send_json({"id": message["id"], "type": "next", "payload": event.formatted})


@contextmanager
def serving(schema_file: Path) -> Iterator[tuple[str, Stub]]:
    """The address of a stub that runs in a thread of its own, and the stub."""
    stub = Stub(schema=build_schema(schema_file.read_text()))
    routes = [
        Route("/graphql", stub.post, methods=["POST"]),
        WebSocketRoute("/graphql", stub.socket),
        *graphiql_routes(stub.tabs),
    ]
    config = uvicorn.Config(
        Starlette(routes=routes), port=0, log_level="error", ws="websockets-sansio", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            thread.join(timeout=0.01)
            assert thread.is_alive(), "the stub did not start"
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}", stub
    finally:
        server.should_exit = True
        thread.join(timeout=10)
