"""From what a client asked for to what may run: found, held to its limits, validated, priced, and kept.

Sockets come through here too, so that one set of limits holds for every way in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson
from graphql import GraphQLSchema, GraphQLSyntaxError, OperationType

from app.documents import Document, Documents, digest_in
from app.http.errors import ErrorWriter, code_of
from app.http.parsing import OperationRequest
from app.scope import RequestScope, current_scope, enter, request_id
from app.telemetry import OperationMetrics, Telemetry
from domain.shared.errors import BadUserInput
from execution import Executor, Plan, Result
from execution.result import FormattedError
from resolvers.cost import OperationCost, measure
from resolvers.limits import LimitExceeded, Limits, hold_text, hold_variables, parse_within

ANONYMOUS: Final = "anonymous"
_OPERATION: Final = "operation"


class InvalidDocument(Exception):
    """A document that cannot be run, with every reason as the client reads it."""

    def __init__(self, errors: Sequence[FormattedError]) -> None:
        super().__init__("invalid document")
        self.errors = list(errors)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, ready to run with any variables; made once per document."""

    plan: Plan
    kind: OperationType
    name: str
    cost: OperationCost
    metrics: OperationMetrics


class Operations:
    """Every operation that this process has been asked for lately: each is kept with its plan, and goes with it."""

    def __init__(
        self,
        executor: Executor,
        *,
        schema: GraphQLSchema,
        documents: Documents,
        limits: Limits,
        errors: ErrorWriter,
        telemetry: Telemetry,
    ) -> None:
        self._executor = executor
        self._schema = schema
        self._documents = documents
        self._errors = errors
        self._telemetry = telemetry
        self.limits: Final = limits

    async def find(self, request: OperationRequest) -> Operation:
        """The operation of a request. Raises CallerError or InvalidDocument for one that may not or cannot run."""
        hold_variables(request.variables, body_bytes=request.bytes_read, size_of=_json_bytes, limits=self.limits)
        text = request.query
        if text is not None:
            hold_text(text)
        document: Document | None = None
        if request.document_id is not None or "persistedQuery" in request.extensions:
            digest = digest_in(request.document_id, request.extensions)
            if digest is not None:
                document = await self._named(digest, text=text)
                text = document.text
        if text is None:
            raise BadUserInput("The request has no query", path=("query",))
        plan = self._executor.kept(text, request.operation_name)
        if plan is not None:
            found = plan.extras.get(_OPERATION)
            if found.__class__ is Operation:  # as isinstance, in half the time
                return found
        return self._make(document or await self._documents.written(text), request.operation_name)

    async def plan(self, request: OperationRequest) -> Plan:
        """The plan of an operation on a socket, held to the same limits; an invalid document gives a plan with errors.

        Enters a scope of its own, so call it first in the operation's task: its log lines and SQL bear its name.
        """
        scope = RequestScope(request_id=request_id())
        enter(scope)
        try:
            operation = await self.find(request)
        except InvalidDocument as invalid:
            self._count(self._telemetry.operation("invalid"), scope=scope, errors=invalid.errors)
            return Plan("", request.operation_name, None, None, (), invalid.errors)
        scope.operation = operation.name
        scope.on_answer = lambda errors: self._count(operation.metrics, scope=scope, errors=errors)
        scope.cost = operation.cost.requested(request.variables)
        operation.cost.hold(scope.cost)
        return operation.plan

    def encode(self, plan: Plan, result: Result) -> bytes:
        """The payload of a socket's message: the response map, with what the operation costs."""
        del plan
        scope = current_scope.get()
        cost = 0 if scope is None else scope.cost
        if scope is not None and scope.on_answer is not None:
            # Once per operation: of a subscription, its first event.
            scope.on_answer(result.errors)
            scope.on_answer = None
        return orjson.dumps({**result.response, "extensions": {"cost": {"requested": cost, "limit": self.limits.cost}}})

    def _count(
        self, metrics: OperationMetrics, *, scope: RequestScope, errors: Sequence[Mapping[str, object]] | None
    ) -> None:
        outcome = code_of(errors[0]).lower() if errors else "ok"
        metrics.finished(outcome, seconds=scope.seconds, statements=scope.statements)

    async def _named(self, digest: str, *, text: str | None) -> Document:
        most = self.limits.document_bytes
        if text is not None and len(text) > most:  # before it is registered
            raise LimitExceeded("document bytes", requested=len(text.encode("utf-8", "surrogatepass")), limit=most)
        document = await self._documents.named(digest, text=text)
        self._telemetry.document_lookup("trusted" if document.trusted else "registered")
        return document

    def _make(self, document: Document, operation_name: str | None) -> Operation:
        try:
            parsed = parse_within(document.text, limits=self.limits)
        except GraphQLSyntaxError as error:
            raise InvalidDocument([self._errors.of_field(error)]) from None
        plan = self._executor.prepare(document.text, operation_name)
        if plan.operation is None:
            raise InvalidDocument(plan.formatted_errors or ())
        operation = plan.operation
        name = ANONYMOUS if operation.name is None else operation.name.value
        label = name if document.trusted else f"{name}:{plan.digest[:8]}"
        made = plan.extras[_OPERATION] = Operation(
            plan=plan,
            kind=operation.operation,
            name=name,
            cost=measure(plan.document or parsed, schema=self._schema, operation=operation, limits=self.limits),
            metrics=self._telemetry.operation(label),
        )
        return made


def _json_bytes(value: object) -> int:
    return len(orjson.dumps(value))
