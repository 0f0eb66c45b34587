"""One server process: its routes, and what it opens and closes."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute

from app.documents import Documents
from app.executor import service_executor, service_schema
from app.graphiql.examples import development_tabs
from app.graphiql.page import PAGE_PATH, graphiql_routes
from app.health import Drain, Health
from app.http.endpoint import EndpointOptions, GraphQLEndpoint
from app.http.errors import ErrorWriter
from app.http.front import Front
from app.http.operations import Operations
from app.plan_metrics import PlanMetrics
from app.settings import Settings
from app.sockets import OwnStreams, SocketLimits, SocketPorts, SocketServer
from app.tracing import Tracing, open_tracing
from app.well_known import redemption_keys_route
from app.wiring import Core, open_core
from execution.reference import core_schema
from persistence.documents import SqlDocuments
from persistence.redis.client import REDIS_FAILURES
from resolvers.limits import Limits


@dataclass(frozen=True, slots=True)
class Process:
    """A server process that is open: its application, and its way out."""

    app: Front
    core: Core
    drain: Drain


def limits_of(settings: Settings) -> Limits:
    """The limits of one operation, from the settings."""
    return Limits(
        document_bytes=settings.limit_document_bytes,
        tokens=settings.limit_tokens,
        fields=settings.limit_fields,
        depth=settings.limit_depth,
        aliases=settings.limit_aliases,
        root_fields=settings.limit_root_fields,
        directives=settings.limit_directives,
        cost=settings.limit_cost,
        variables_bytes=settings.limit_variables_bytes,
        variables_depth=settings.limit_variables_depth,
        introspection=settings.introspection,
    )


@asynccontextmanager
async def open_process(settings: Settings) -> AsyncIterator[Process]:
    """Everything that one server process needs, opened; closed when left."""
    tracing = open_tracing(settings)
    drain = Drain()
    async with open_core(settings, tracing=tracing) as core:
        app = _application(core, drain=drain, tracing=tracing)
        async with asyncio.TaskGroup() as background:
            lasting = (core.hub, core.stock_watch, core.follower)
            tasks = [background.create_task(each.run()) for each in lasting]
            if settings.run_worker:
                tasks.append(background.create_task(core.worker.run()))
            try:
                yield Process(app=app, core=core, drain=drain)
            finally:
                for task in tasks:
                    task.cancel()
    if tracing is not None:
        tracing.close()


def _application(core: Core, *, drain: Drain, tracing: Tracing | None) -> Front:
    settings = core.settings
    errors = ErrorWriter(
        on_unexpected=core.telemetry.unexpected_error, suggestions=settings.introspection, away=REDIS_FAILURES
    )
    schema = service_schema()
    executor = service_executor(schema, mode=settings.laurel_execution.value, on_error=errors.of_field)
    PlanMetrics(core.telemetry, executor.counters)
    operations = Operations(
        executor,
        schema=core_schema(schema),
        documents=Documents(
            SqlDocuments(core.pool),
            trusted_only=settings.trusted_documents_only,
            registration=settings.register_documents,
        ),
        limits=limits_of(settings),
        errors=errors,
        telemetry=core.telemetry,
    )
    endpoint = GraphQLEndpoint(
        executor=executor,
        operations=operations,
        authenticate=core.callers.authenticate,
        make_context=core.make_context,
        errors=errors,
        telemetry=core.telemetry,
        drain=drain,
        tracing=tracing,
        options=EndpointOptions(
            body_bytes=settings.limit_body_bytes,
            batch=settings.limit_batch,
            log_sample=settings.log_sample,
            explorer_path=None if settings.production else PAGE_PATH,
        ),
    )
    sockets = SocketServer(
        ports=SocketPorts(
            authenticate=core.callers.authenticate,
            prepare=operations.plan,
            make_context=core.make_context,
            executor=executor,
            streams=OwnStreams(executor=executor, encode=operations.encode),
            write_error=errors.of_request,
            now=lambda: datetime.fromtimestamp(time.time(), UTC),
            encode=operations.encode,
        ),
        watch=core.watch,
        limits=SocketLimits(
            sockets=settings.limit_sockets,
            sockets_per_caller=settings.limit_sockets_per_caller,
            operations_per_socket=settings.limit_operations_per_socket,
            message_bytes=settings.limit_body_bytes,
            allowed_origins=frozenset(o.strip() for o in settings.allowed_origins.split(",") if o.strip()),
        ),
    )
    drain.on_drain(lambda: sockets.drain(seconds=settings.drain_seconds / 2))
    health = Health(
        drain=drain,
        telemetry=core.telemetry,
        needed={"database": core.check_database},
        helps={"redis": core.check_redis},
    )
    routes: list[BaseRoute] = [
        WebSocketRoute("/graphql", sockets),
        *health.routes(),
        redemption_keys_route(core.redemption_tokens),
    ]
    if not settings.production:
        routes += graphiql_routes(development_tabs(core))
        routes.append(Route("/", lambda _request: RedirectResponse(PAGE_PATH)))
    return Front(endpoint, rest=Starlette(routes=routes))
