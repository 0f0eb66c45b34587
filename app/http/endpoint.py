"""The endpoint `/graphql`: a plain ASGI application, since each layer before the plan is paid on every request."""

import random
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from graphql import OperationType

from app.health import Drain
from app.http.errors import BAD_USER_INPUT, ErrorWriter
from app.http.negotiation import Media, negotiate
from app.http.operations import InvalidDocument, Operation, Operations
from app.http.parsing import (
    BadRequest,
    Bodies,
    Disconnected,
    HttpRequest,
    OperationRequest,
    Receive,
    body_of,
    check_content_type,
    parse_query_string,
)
from app.http.ports import Authenticate, MakeContext, RequestInfo
from app.http.responses import Answer, Reply, Send, encode, respond
from app.logs import RequestLines
from app.scope import RequestScope, enter, request_id, trace_parent
from app.telemetry import OperationMetrics, Telemetry
from app.tracing import Tracing
from domain.shared.errors import CallerError
from domain.shared.principal import Principal
from execution import Executor
from execution.result import FormattedError

_METHODS: Final = b"GET, POST"


@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """What the settings say about the endpoint."""

    body_bytes: int = 1_048_576
    batch: int = 10
    log_sample: float = 1.0
    # Where a person's browser is sent that opens the endpoint itself.
    explorer_path: str | None = None


@dataclass(slots=True, eq=False)
class Caller:
    """Who asks, and how: the same for every operation of a batch."""

    principal: Principal | None
    method: str
    accept_language: str | None


class GraphQLEndpoint:
    """GraphQL over HTTP, by POST, and by GET for queries."""

    def __init__(
        self,
        *,
        executor: Executor,
        operations: Operations,
        authenticate: Authenticate,
        make_context: MakeContext,
        errors: ErrorWriter,
        telemetry: Telemetry,
        drain: Drain,
        tracing: Tracing | None = None,
        options: EndpointOptions | None = None,
    ) -> None:
        self._executor = executor
        self._operations = operations
        self._authenticate = authenticate
        self._make_context = make_context
        self._errors = errors
        self._telemetry = telemetry
        self._drain = drain
        self._tracing = tracing
        self._options = options or EndpointOptions()
        self._unfound = telemetry.operation("invalid")
        self._lines = RequestLines()
        self._bodies = Bodies(batch_limit=self._options.batch)

    @property
    def body_limit(self) -> int:
        """The most bytes that a body may have."""
        return self._options.body_bytes

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answers one request as ASGI has it."""
        request = HttpRequest(scope["method"], dict(scope["headers"]), scope["query_string"], receive=receive)
        with self._drain.request():
            reply = await self._reply(request)
            if reply is not None:
                await respond(send, reply)

    async def reply(self, request: HttpRequest) -> Reply | None:
        """The answer to one request; None for a client that has left."""
        self._drain.enter()
        try:
            return await self._reply(request)
        finally:
            self._drain.leave()

    def _reply(self, request: HttpRequest) -> Coroutine[Any, Any, Reply | None]:
        headers = request.headers
        scope = RequestScope(request_id(headers.get(b"x-request-id")), trace_parent(headers.get(b"traceparent")))
        enter(scope)
        return self._serve(request, scope=scope) if self._tracing is None else self._traced(request, scope=scope)

    async def _traced(self, request: HttpRequest, *, scope: RequestScope) -> Reply | None:
        assert self._tracing is not None
        with self._tracing.request(scope, method=request.method):
            return await self._serve(request, scope=scope)

    async def _serve(self, request: HttpRequest, *, scope: RequestScope) -> Reply | None:
        media = negotiate(request.headers.get(b"accept", b""))
        more: Sequence[tuple[bytes, bytes]] = ()
        try:
            if request.method == "GET" and self._is_browser(request):
                more = ((b"location", quote(self._options.explorer_path or "/").encode()),)
                return Reply(303, b"text/html", b"", scope.request_id, more)
            wanted = _hold_media(media)
            asked = await self._read(request)
            caller = await self._caller(request)
            if isinstance(asked, OperationRequest):
                answer = await self._answer(asked, caller=caller, request=scope)
                body, status, outcome = self._encoded(answer.body), answer.status(wanted), answer.outcome
            else:
                answers = await self._batch(asked, caller=caller, scope=scope)
                body, status = self._encoded([answer.body for answer in answers]), 200
                outcome = next((answer.outcome for answer in answers if answer.outcome != "ok"), "ok")
        except BadRequest as refused:
            outcome, status = "bad_request", refused.status
            error: FormattedError = {"message": refused.message, "extensions": {"code": BAD_USER_INPUT}}
            body = encode(self._refusal(error).body)
            if refused.allow is not None:
                more = ((b"allow", refused.allow),)
            self._count(self._unfound, scope, outcome=outcome)
        except Disconnected:
            self._count(self._unfound, scope, outcome="disconnected")
            return None
        except _NotAnswered as refused:
            outcome, status = refused.answer.outcome, refused.answer.status(media or Media.JSON)
            body = encode(refused.answer.body)
            self._count(self._unfound, scope, outcome=outcome)
        self._write_access_line(scope, method=request.method, status=status, outcome=outcome, size=len(body))
        return Reply(status, (media or Media.JSON).value, body, scope.request_id, more)

    async def _caller(self, request: HttpRequest) -> Caller:
        authorization, language = request.headers.get(b"authorization"), request.headers.get(b"accept-language")
        try:
            principal = await self._authenticate(None if authorization is None else authorization.decode("latin-1"))
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets one well-formed answer
            raise _NotAnswered(self._refusal(self._errors.of_request(error))) from None
        return Caller(principal, request.method, None if language is None else language.decode("latin-1"))

    async def _batch(
        self, asked: Sequence[OperationRequest], *, caller: Caller, scope: RequestScope
    ) -> Sequence[Answer]:
        """The answers of a batch, whose operations run in order, one after the other."""
        self._telemetry.batch("http", size=len(asked))
        answers: list[Answer] = []
        for each in asked:
            own = RequestScope(scope.request_id, scope.trace)
            enter(own)
            answers.append(await self._answer(each, caller=caller, request=own))
            scope.statements += own.statements
        enter(scope)
        return answers

    async def _read(self, request: HttpRequest) -> OperationRequest | Sequence[OperationRequest]:
        if request.method == "POST":
            check_content_type(request.headers.get(b"content-type", b""))
            return self._bodies.read(await body_of(request, limit=self._options.body_bytes))
        if request.method == "GET":
            return parse_query_string(request.query_string)
        raise BadRequest("Send a POST, or a GET for a query", status=405, allow=_METHODS)

    async def _answer(self, asked: OperationRequest, *, caller: Caller, request: RequestScope) -> Answer:
        """Runs one operation, whatever becomes of it."""
        answer = self._refusal(None)
        metrics = self._unfound
        try:
            operation = await self._operations.find(asked)
            metrics = operation.metrics
            request.operation = operation.name
            _hold_kind(operation, method=caller.method)
            answer.cost = operation.cost.requested(asked.variables)
            operation.cost.hold(answer.cost)
            context = await self._make_context(
                RequestInfo(request.request_id, caller.principal, operation.kind, caller.accept_language)
            )
            if self._tracing is None:
                result = await self._executor.execute(operation.plan, asked.variables, context)
            else:
                with self._tracing.operation(operation.name, kind=operation.kind.value):
                    result = await self._executor.execute(operation.plan, asked.variables, context)
            answer.data, answer.errors, answer.executed = result.data, result.errors, result.executed
        except InvalidDocument as invalid:
            answer.errors = invalid.errors
        except BadRequest:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets one well-formed answer
            answer.errors = [self._errors.of_request(error)]
        self._count(metrics, request, outcome=answer.outcome)
        return answer

    def _encoded(self, body: object) -> bytes:
        try:
            return encode(body)
        except TypeError as error:  # a scalar that is not JSON: ours to mend
            raise _NotAnswered(self._refusal(self._errors.of_request(error))) from None

    def _refusal(self, error: FormattedError | None) -> Answer:
        errors = None if error is None else [error]
        return Answer(data=None, errors=errors, executed=False, cost=0, cost_limit=self._operations.limits.cost)

    def _is_browser(self, request: HttpRequest) -> bool:
        return (
            self._options.explorer_path is not None
            and not request.query_string
            and b"text/html" in request.headers.get(b"accept", b"")
        )

    def _count(self, metrics: OperationMetrics, request: RequestScope, *, outcome: str) -> None:
        metrics.finished(outcome, seconds=request.seconds, statements=request.statements)

    def _write_access_line(self, request: RequestScope, *, method: str, status: int, outcome: str, size: int) -> None:
        """One line, or none: of what went well only a sample, as the settings say."""
        sample = self._options.log_sample
        if outcome == "ok" and sample < 1 and random.random() >= sample:  # noqa: S311 - no secret is drawn
            return
        self._lines.add(request, method=method, status=status, outcome=outcome, size=size)


class _NotAnswered(Exception):
    """The request as a whole was refused, with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


def _hold_media(media: Media | None) -> Media:
    if media is None:
        raise BadRequest("Accept application/graphql-response+json or application/json", status=406)
    return media


def _hold_kind(operation: Operation, *, method: str) -> None:
    if operation.kind is OperationType.SUBSCRIPTION:
        raise CallerError("Subscriptions run over a WebSocket (graphql-transport-ws), not over HTTP")
    if method == "GET" and operation.kind is not OperationType.QUERY:
        raise BadRequest("A mutation must be sent by POST", status=405, allow=b"POST")
