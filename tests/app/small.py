"""A small schema behind the real endpoint, without a database. `python -m tests.app.small PORT` serves it."""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import strawberry
import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from app.documents import Documents
from app.drain import DrainingServer
from app.health import Drain, Health
from app.http.endpoint import EndpointOptions, GraphQLEndpoint
from app.http.errors import ErrorWriter
from app.http.front import Front
from app.http.operations import Operations
from app.http.ports import RequestInfo
from app.http.protocol import DirectProtocol
from app.live_metrics import LiveMetrics
from app.logs import configure_logs
from app.plan_metrics import PlanMetrics
from app.settings import Settings
from app.sockets.ports import OwnStreams, SocketPorts
from app.sockets.server import SocketServer
from app.telemetry import Telemetry
from app.tracing import Tracing
from domain.shared.errors import BadUserInput, Unauthenticated, Unavailable
from domain.shared.principal import Principal, Role
from execution import Executor, Mode
from execution.reference import core_schema
from resolvers.limits import Limits

SECRET = "the password of the database is hunter2"


@strawberry.type
class Shop:
    name: str

    @strawberry.field
    def branches(self, first: int = 20) -> "Branches":
        return Branches(size=first)


@strawberry.type
class Branches:
    size: int

    @strawberry.field
    def nodes(self) -> list[Shop]:
        return [Shop(name=f"branch {n}") for n in range(min(self.size, 3))]

    @strawberry.field
    def edges(self) -> list["BranchEdge"]:
        return [BranchEdge(cursor=str(n), node=Shop(name=f"branch {n}")) for n in range(min(self.size, 3))]


@strawberry.type
class BranchEdge:
    cursor: str
    node: Shop


@strawberry.type
class Query:
    @strawberry.field
    def hello(self, name: str = "world") -> str:
        return f"hello {name}"

    @strawberry.field
    def who(self, info: strawberry.Info[RequestInfo, None]) -> str | None:
        principal = info.context.principal
        return None if principal is None else principal.subject

    @strawberry.field
    def language(self, info: strawberry.Info[RequestInfo, None]) -> str | None:
        return info.context.accept_language

    @strawberry.field
    def shop(self) -> Shop:
        return Shop(name="corner")

    @strawberry.field
    def shops(self, first: int = 20) -> list[Shop]:
        return [Shop(name=str(n)) for n in range(first)]

    @strawberry.field
    def named(self, names: list[str]) -> list[Shop]:
        return [Shop(name=name) for name in names]

    @strawberry.field
    def broken(self) -> str | None:
        raise RuntimeError(SECRET)

    @strawberry.field
    def broken_root(self) -> str:
        raise RuntimeError(SECRET)

    @strawberry.field
    def refused(self) -> str | None:
        raise BadUserInput("that is not a cart", path=("input", "cart"))

    @strawberry.field
    def away(self) -> str | None:
        raise ConnectionResetError("server closed the connection")

    @strawberry.field
    def busy(self) -> str | None:
        raise Unavailable("come back later", retry_after_seconds=7)

    @strawberry.field
    async def slow(self, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "done"


@strawberry.type
class Mutation:
    @strawberry.field
    def rename(self, name: str) -> Shop:
        return Shop(name=name)


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, to: int = 3) -> AsyncGenerator[int, None]:
        for n in range(to):
            yield n


SCHEMA = strawberry.Schema(Query, mutation=Mutation, subscription=Subscription)


@dataclass(slots=True)
class MemoryDocuments:
    """Trusted documents in a dict; counts how often it is asked."""

    texts: dict[str, str] = field(default_factory=dict)
    asked: int = 0

    async def find(self, digest: str) -> str | None:
        self.asked += 1
        return self.texts.get(digest)


async def authenticate(authorization: str | None) -> Principal | None:
    if authorization is None:
        return None
    token = authorization.removeprefix("Bearer ")
    if token == "away":
        raise Unavailable("the keys cannot be fetched")
    if not token.startswith("member-"):
        raise Unauthenticated("the token cannot be trusted")
    return Principal(subject=token, issuer="test", roles=frozenset({Role.MEMBER}))


async def make_context(info: RequestInfo) -> object:
    if info.accept_language == "xx-broken":
        raise RuntimeError(SECRET)
    return info


@dataclass(slots=True)
class Small:
    """The application with its parts in reach."""

    app: Front
    telemetry: Telemetry
    drain: Drain
    trusted: MemoryDocuments


def small_app(
    *,
    limits: Limits | None = None,
    options: EndpointOptions | None = None,
    trusted_only: bool = False,
    registration: bool = True,
    documents: Mapping[str, str] | None = None,
    tracing: Tracing | None = None,
    failing_checks: Sequence[str] = (),
    mode: Mode = "reference",
) -> Small:
    telemetry, drain = Telemetry(), Drain()
    limits = limits or Limits(introspection=True)
    errors = ErrorWriter(on_unexpected=telemetry.unexpected_error, suggestions=limits.introspection)
    executor = Executor(SCHEMA, mode=mode, on_error=errors.of_field)
    PlanMetrics(telemetry, executor.counters)
    trusted = MemoryDocuments(dict(documents or {}))
    operations = Operations(
        executor,
        schema=core_schema(SCHEMA),
        documents=Documents(trusted, trusted_only=trusted_only, registration=registration),
        limits=limits,
        errors=errors,
        telemetry=telemetry,
    )
    endpoint = GraphQLEndpoint(
        executor=executor,
        operations=operations,
        authenticate=authenticate,
        make_context=make_context,
        errors=errors,
        telemetry=telemetry,
        drain=drain,
        tracing=tracing,
        options=options,
    )

    sockets = SocketServer(
        ports=SocketPorts(
            authenticate=authenticate,
            prepare=operations.plan,
            make_context=make_context,
            executor=executor,
            streams=OwnStreams(executor=executor, encode=operations.encode),
            write_error=errors.of_request,
            now=lambda: datetime.fromtimestamp(time.time(), UTC),
            encode=operations.encode,
        ),
        watch=LiveMetrics(telemetry),
    )
    drain.on_drain(lambda: sockets.drain(seconds=2))

    async def fine() -> None:
        return None

    async def failing() -> None:
        raise ConnectionRefusedError(SECRET)

    check = {name: failing if name in failing_checks else fine for name in ("database", "redis")}
    health = Health(
        drain=drain, telemetry=telemetry, needed={"database": check["database"]}, helps={"redis": check["redis"]}
    )
    return Small(
        app=Front(endpoint, rest=Starlette(routes=[WebSocketRoute("/graphql", sockets), *health.routes()])),
        telemetry=telemetry,
        drain=drain,
        trusted=trusted,
    )


def main() -> None:
    settings = Settings(log_format="json", log_sample=1.0)
    configure_logs(settings)
    small = small_app()
    config = uvicorn.Config(
        small.app, host="127.0.0.1", port=int(sys.argv[1]), log_config=None, lifespan="off", http=DirectProtocol
    )
    DrainingServer(config, drain=small.drain, seconds=settings.drain_seconds).run()


if __name__ == "__main__":
    main()
