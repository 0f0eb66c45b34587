"""One operation on a socket: prepared under the same limits as over HTTP, run, answered."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING

from graphql import OperationType

from app.http.parsing import OperationRequest
from app.http.ports import RequestInfo
from app.scope import current_scope
from app.sockets.ports import close_stream
from app.sockets.protocol import CloseCode, complete_message, error_message, next_message
from domain.shared.errors import Unavailable
from execution import Plan, Result

if TYPE_CHECKING:
    from app.sockets.socket import Socket


class Operation:
    """A running operation. Giving it up cancels it, except a mutation: that is run to its end and not answered."""

    __slots__ = ("_request", "_silent", "_socket", "_type", "operation_id", "task")

    def __init__(self, *, socket: "Socket", operation_id: str, request: OperationRequest) -> None:
        self.operation_id = operation_id
        self.task: asyncio.Task[None]
        self._socket = socket
        self._request = request
        self._type: OperationType | None = None
        self._silent = False

    @property
    def streaming(self) -> bool:
        """Whether it goes on until somebody ends it."""
        return self._type is OperationType.SUBSCRIPTION

    def start(self) -> None:
        """Run beside the socket's other operations."""
        self.task = asyncio.get_running_loop().create_task(self._run())

    def give_up(self) -> None:
        """Nobody waits for the answer any more."""
        self._silent = True
        if self._type is OperationType.MUTATION:
            self._socket.server.adopt(self.task)
        else:
            self.task.cancel()

    async def _run(self) -> None:
        ports = self._socket.server.ports
        try:
            plan = await ports.prepare(self._request)
            if plan.errors or plan.operation_type is None:
                await self._fail(*(plan.formatted_errors or ()))
                return
            self._type = plan.operation_type
            if self.streaming:
                await self._stream(plan)
            else:
                await self._answer(plan, await self._execute(plan))
        except Exception as error:  # noqa: BLE001 - whatever escapes is masked, logged, and ends this operation alone
            await self._fail(ports.write_error(error))
        finally:
            self._socket.forget(self)

    async def _execute(self, plan: Plan) -> Result:
        context = await self._context(plan)
        return await self._socket.server.ports.executor.execute(plan, self._request.variables, context)

    async def _context(self, plan: Plan) -> object:
        scope = current_scope.get()
        assert plan.operation_type is not None, "what cannot be run came no further than _run"
        return await self._socket.server.ports.make_context(
            RequestInfo(
                request_id="" if scope is None else scope.request_id,
                principal=self._socket.principal,
                operation=plan.operation_type,
                accept_language=self._socket.accept_language,
            )
        )

    async def _stream(self, plan: Plan) -> None:
        context = await self._context(plan)
        streams = self._socket.server.ports.streams
        stream = await streams.open(plan, variables=self._request.variables, context=context)
        if isinstance(stream, Result):
            await self._answer(plan, stream)
            return
        try:
            await self._forward(stream)
        except Unavailable as error:
            # An error message would end the subscription for good; closing makes the client connect and ask again.
            await self._socket.close(CloseCode.TRY_AGAIN_LATER, error.message)
        finally:
            await close_stream(stream)

    async def _forward(self, stream: AsyncIterator[bytes]) -> None:
        async for payload in stream:
            await self._socket.send(next_message(self.operation_id, payload=payload))
        await self._complete()

    async def _answer(self, plan: Plan, result: Result) -> None:
        if not result.executed:
            await self._fail(*(result.errors or ()))
            return
        if self._silent:
            return
        payload = self._socket.server.ports.encode(plan, result)
        await self._socket.send(next_message(self.operation_id, payload=payload))
        await self._complete()

    async def _complete(self) -> None:
        self._socket.forget(self)  # the client may use the id again as soon as it reads this
        if not self._silent:
            await self._socket.send(complete_message(self.operation_id))

    async def _fail(self, *errors: Mapping[str, object]) -> None:
        self._socket.forget(self)
        if not self._silent:
            await self._socket.send(error_message(self.operation_id, errors=errors))
