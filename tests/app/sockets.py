"""A small schema behind real sockets, for their tests."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Self
from uuid import UUID

import orjson
import strawberry
import uvicorn
from graphql import GraphQLError
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from app.http.parsing import OperationRequest
from app.http.ports import RequestInfo
from app.live import Hub
from app.sockets import SUBPROTOCOL, OwnStreams, SocketLimits, SocketPorts, SocketServer
from domain.shared.errors import BadUserInput, CallerError, Unauthenticated, Unavailable
from domain.shared.principal import Principal, Role
from execution import Executor, Plan
from execution.result import FormattedError
from tests.live import Told, until

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@dataclass
class World:
    """What the small schema's fields touch."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    started: list[str] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    open_streams: int = 0
    published: asyncio.Queue[int | Exception] = field(default_factory=asyncio.Queue)
    masked: list[Exception] = field(default_factory=list)
    now: datetime = NOW
    expires_at: datetime | None = None
    authentications: list[str | None] = field(default_factory=list)
    hub: Hub | None = None


Info = strawberry.Info["Context", None]


@dataclass
class Context:
    """The context of one operation."""

    world: World
    principal: Principal | None


@strawberry.type
class Query:
    @strawberry.field
    def who(self, info: Info) -> str:
        return info.context.principal.subject if info.context.principal else "nobody"

    @strawberry.field
    async def slow(self, info: Info) -> str:
        info.context.world.started.append("slow")
        await info.context.world.gate.wait()
        info.context.world.finished.append("slow")
        return "done"

    @strawberry.field
    def broken(self) -> str | None:
        raise RuntimeError("a secret of ours")


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def write(self, info: Info) -> str:
        info.context.world.started.append("write")
        await info.context.world.gate.wait()
        info.context.world.finished.append("write")
        return "written"


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, info: Info, to: int) -> AsyncGenerator[int, None]:
        for number in range(to):
            yield number

    @strawberry.subscription
    async def news(self, info: Info) -> AsyncGenerator[int, None]:
        world = info.context.world
        world.open_streams += 1
        try:
            while True:
                item = await world.published.get()
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            world.open_streams -= 1

    @strawberry.subscription
    async def wallet(self, info: Info, owner: strawberry.ID) -> AsyncGenerator[int, None]:
        assert info.context.world.hub is not None
        async with aclosing(info.context.world.hub.listen(owner_id=UUID(owner), stream="wallet")) as events:
            async for event in events:
                yield event.sequence

    @strawberry.subscription
    async def flood(self, info: Info) -> AsyncGenerator[str, None]:
        world = info.context.world
        world.open_streams += 1
        try:
            while True:
                yield "x" * 10_000
                await asyncio.sleep(0)
        finally:
            world.open_streams -= 1


SCHEMA = strawberry.Schema(query=Query, mutation=Mutation, subscription=Subscription)


async def authenticate(world: World, authorization: str | None) -> Principal | None:
    """Takes any bearer for the name of its owner."""
    world.authentications.append(authorization)
    if authorization is None:
        return None
    if authorization == "Bearer broken":
        raise RuntimeError("a secret of ours")
    if authorization == "Bearer unavailable":
        raise Unavailable("no keys right now")
    if not authorization.startswith("Bearer "):
        raise Unauthenticated("the token cannot be trusted")
    subject = authorization.removeprefix("Bearer ")
    return Principal(subject=subject, issuer="t", roles=frozenset({Role.MEMBER}), expires_at=world.expires_at)


def ports_of(world: World) -> SocketPorts:
    def mask(error: GraphQLError) -> FormattedError:
        if error.original_error is None:
            return dict(error.formatted)
        return dict(write_error(error.original_error))

    executor = Executor(SCHEMA, on_error=mask)

    async def prepare(request: OperationRequest) -> Plan:
        if request.query is not None and "tooDeep" in request.query:
            raise BadUserInput("too deep")
        return executor.prepare(request.query or "", request.operation_name)

    async def make_context(info: RequestInfo) -> Context:
        return Context(world=world, principal=info.principal)

    def write_error(error: Exception) -> Mapping[str, object]:
        if isinstance(error, CallerError):
            return {"message": error.message, "extensions": {"code": error.code}}
        world.masked.append(error)
        return {"message": "Internal error", "extensions": {"code": "INTERNAL"}}

    return SocketPorts(
        authenticate=partial(authenticate, world),
        prepare=prepare,
        make_context=make_context,
        executor=executor,
        streams=OwnStreams(executor=executor),
        write_error=write_error,
        now=lambda: world.now,
    )


class Client:
    """A client that speaks the protocol word by word."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, **message: object) -> None:
        with contextlib.suppress(ConnectionClosed):  # what it was closed with is told by `closed`
            await self.connection.send(orjson.dumps(message).decode())

    async def hear(self) -> dict[str, object]:
        async with asyncio.timeout(5):
            message = orjson.loads(await self.connection.recv())
        assert isinstance(message, dict)
        return message

    async def init(self, token: str | None = None) -> Self:
        payload = {} if token is None else {"Authorization": f"Bearer {token}"}
        await self.say(type="connection_init", payload=payload)
        assert await self.hear() == {"type": "connection_ack"}
        return self

    async def subscribe(self, operation_id: str, query: str, **payload: object) -> None:
        await self.say(type="subscribe", id=operation_id, payload={"query": query, **payload})

    async def closed(self) -> tuple[int, str]:
        """Read on until the server has closed, and say with what."""
        try:
            async with asyncio.timeout(5):
                while True:
                    await self.connection.recv()
        except ConnectionClosed as end:
            return (end.rcvd.code, end.rcvd.reason) if end.rcvd else (0, "")


async def expect(client: Client, *messages: dict[str, object]) -> None:
    for message in messages:
        assert await client.hear() == message


def result(operation_id: str, **data: object) -> dict[str, object]:
    return {"id": operation_id, "type": "next", "payload": {"data": data}}


def complete(operation_id: str) -> dict[str, object]:
    return {"id": operation_id, "type": "complete"}


@dataclass
class Served:
    """A running server of sockets."""

    port: int
    world: World
    told: Told
    sockets: SocketServer

    @contextlib.asynccontextmanager
    async def client(
        self, *, subprotocols: tuple[str, ...] = (SUBPROTOCOL,), headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[Client]:
        async with connect(
            f"ws://127.0.0.1:{self.port}/graphql",
            subprotocols=[Subprotocol(name) for name in subprotocols] or None,
            additional_headers=dict(headers or {}),
            compression=None,
            proxy=None,
        ) as connection:
            yield Client(connection)


@contextlib.asynccontextmanager
async def serving(
    limits: SocketLimits | None = None, *, expires_after: timedelta | None = None
) -> AsyncIterator[Served]:
    world, told = World(), Told()
    world.expires_at = None if expires_after is None else NOW + expires_after
    sockets = SocketServer(ports=ports_of(world), watch=told, limits=limits)
    app = Starlette(routes=[WebSocketRoute("/graphql", sockets)])
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="off", ws="websockets-sansio", ws_ping_interval=None)
    server = uvicorn.Server(config)
    with contextlib.ExitStack() as stack:
        stack.callback(setattr, server, "should_exit", True)  # noqa: FBT003 - setattr takes no keywords
        running = asyncio.ensure_future(server._serve())
        await until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield Served(port=port, world=world, told=told, sockets=sockets)
        finally:
            world.gate.set()
            server.should_exit = True
            server.force_exit = True
            await running
