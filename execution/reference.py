"""The reference: graphql-core itself, behind the same interface as a compiled plan."""

from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any, cast

import strawberry
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    create_source_event_stream,
    execute,
    map_source_to_response_event,
)
from graphql.execution import Executor, MiddlewareManager
from strawberry.execution import optimized_is_awaitable


def core_schema(schema: strawberry.Schema) -> GraphQLSchema:
    """The graphql-core schema that Strawberry built."""
    return schema._schema  # noqa: SLF001  (Strawberry offers no other way to it)


@dataclass(slots=True, eq=False)  # not frozen: that would cost each request three times as much
class Request:
    """What a request brings to an operation."""

    variables: Mapping[str, object]
    context: object
    root: object


def as_graphql_error(error: Exception) -> GraphQLError:
    """An exception that escaped the executor, as Strawberry reports it."""
    return error if isinstance(error, GraphQLError) else GraphQLError(str(error), original_error=error)


@dataclass(frozen=True, slots=True)
class Source:
    """A subscription's events, and graphql-core's executor that would answer each."""

    executor: Executor[Any]
    events: AsyncIterable[object]

    def results(self) -> AsyncGenerator[ExecutionResult, None]:
        """graphql-core's answer to each event."""
        return map_source_to_response_event(self.executor, self.events)


class Reference:
    """graphql-core with Strawberry's executor class, called as Strawberry calls it."""

    def __init__(self, schema: strawberry.Schema) -> None:
        self._schema = schema
        self._core = core_schema(schema)

    async def execute(self, document: DocumentNode, *, operation_name: str | None, request: Request) -> ExecutionResult:
        """Run a query or a mutation."""
        try:
            result = execute(
                self._core,
                document,
                root_value=request.root,
                context_value=request.context,
                variable_values=cast("dict[str, Any]", request.variables),
                operation_name=operation_name,
                middleware=self._middleware(),
                is_awaitable=cast("Any", optimized_is_awaitable),
                executor_class=self._schema.execution_context_class,
                operation_extensions=None,
            )
            return await result if isawaitable(result) else result
        except Exception as error:  # noqa: BLE001  (what escapes is reported, as Strawberry does)
            return ExecutionResult(None, [as_graphql_error(error)])

    async def open(
        self, document: DocumentNode, *, operation_name: str | None, request: Request
    ) -> "Source | ExecutionResult":
        """Open a subscription's source of events, or say in a result why there is none."""
        try:
            built = self._schema.execution_context_class.build(
                self._core,
                document,
                request.root,
                request.context,
                cast("dict[str, Any]", request.variables),
                operation_name,
                middleware=self._middleware(),
                operation_extensions=None,
            )
            if isinstance(built, list):
                return ExecutionResult(None, built)
            events = create_source_event_stream(built)
            opened = await events if isawaitable(events) else events
            return opened if isinstance(opened, ExecutionResult) else Source(built, opened)
        except Exception as error:  # noqa: BLE001  (as above)
            return ExecutionResult(None, [as_graphql_error(error)])

    def _middleware(self) -> MiddlewareManager | None:
        extensions = self._schema.get_extensions()
        return self._schema._get_middleware_manager(extensions) if extensions else None  # noqa: SLF001
