"""Live push as Strawberry's manual shows it: a subscription over WebSockets, fed from memory."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

import strawberry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from typing_extensions import override

_AT = datetime(2026, 1, 1, tzinfo=UTC)


@strawberry.type
class Money:
    """An amount."""

    amount: str
    currency_code: str


@strawberry.type
class Redemption:
    """One use of a coupon."""

    id: strawberry.ID
    order_ref: str
    discount: Money
    redeemed_at: datetime


@strawberry.type
class RedemptionEvent:
    """What is pushed."""

    sequence: int
    occurred_at: datetime
    snapshot_required: bool
    redemption: Redemption


@dataclass
class Context:
    """Who listens."""

    listeners: set[asyncio.Queue[RedemptionEvent]] = field(default_factory=set)


Info: TypeAlias = strawberry.Info[Context, None]


@strawberry.type
class Query:
    """There must be one."""

    ok: bool = True


@strawberry.type
class Subscription:
    """What can be listened to."""

    @strawberry.subscription
    async def merchant_redemptions(
        self, info: Info, merchant_id: strawberry.ID
    ) -> AsyncGenerator[RedemptionEvent, None]:
        """Each redemption at a merchant."""
        del merchant_id
        own: asyncio.Queue[RedemptionEvent] = asyncio.Queue()
        info.context.listeners.add(own)
        try:
            while True:
                yield await own.get()
        finally:
            info.context.listeners.discard(own)


class Endpoint(GraphQL[Context, None]):
    """The manual's ASGI view; all listeners are in one context."""

    def __init__(self) -> None:
        super().__init__(strawberry.Schema(Query, subscription=Subscription))
        self.context = Context()
        self.sequence = 0

    @override
    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        """The one context."""
        del request, response
        return self.context

    async def publish(self, _request: Request) -> Response:
        """Hands one event to all who listen."""
        self.sequence += 1
        event = RedemptionEvent(
            sequence=self.sequence,
            occurred_at=_AT,
            snapshot_required=False,
            redemption=Redemption(
                id=strawberry.ID("1"),
                order_ref="bench-1",
                discount=Money(amount="5.00", currency_code="CNY"),
                redeemed_at=_AT,
            ),
        )
        for listener in self.context.listeners:
            listener.put_nowait(event)
        return Response(str(len(self.context.listeners)))


def make_app() -> Starlette:
    """The application."""
    endpoint = Endpoint()
    return Starlette(
        routes=[
            Route("/publish", endpoint.publish, methods=["POST"]),
            WebSocketRoute("/graphql", endpoint),
        ]
    )
