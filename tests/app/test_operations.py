"""Operations that were asked for are kept with their plans, and go with them."""

import pytest

from app.documents import Documents, digest_of
from app.http.errors import ErrorWriter
from app.http.operations import Operations
from app.http.parsing import OperationRequest
from app.telemetry import Telemetry
from execution import Executor
from execution.reference import core_schema
from resolvers.limits import LimitExceeded, Limits
from tests.app.small import SCHEMA, MemoryDocuments


def operations_of(executor: Executor, documents: Documents | None = None) -> Operations:
    telemetry = Telemetry()
    return Operations(
        executor,
        schema=core_schema(SCHEMA),
        documents=documents or Documents(MemoryDocuments({}), trusted_only=False, registration=False),
        limits=Limits(),
        errors=ErrorWriter(on_unexpected=telemetry.unexpected_error, suggestions=False),
        telemetry=telemetry,
    )


def asked(text: str, name: str | None = None) -> OperationRequest:
    return OperationRequest(text, None, name)


async def test_an_operation_is_made_once_while_its_plan_is_kept() -> None:
    operations = operations_of(Executor(SCHEMA))
    both = "query One { hello } query Two { who }"
    first = await operations.find(asked(both, "One"))
    assert await operations.find(asked(both, "One")) is first
    assert await operations.find(asked(both, "Two")) is not first


async def test_an_operation_holds_on_to_no_plan_that_made_room_for_others() -> None:
    executor = Executor(SCHEMA, cache_size=1)
    operations = operations_of(executor)
    first = await operations.find(asked("{ hello }"))
    await operations.find(asked("{ who }"))
    again = await operations.find(asked("{ hello }"))
    assert again is not first
    assert again.plan is executor.kept("{ hello }")


async def test_a_document_that_is_too_long_is_not_registered() -> None:
    documents = Documents(MemoryDocuments({}), trusted_only=False, registration=True)
    text = "{ hello }" + " " * Limits().document_bytes
    request = asked(text)
    request.extensions = {"persistedQuery": {"version": 1, "sha256Hash": digest_of(text)}}
    with pytest.raises(LimitExceeded):
        await operations_of(Executor(SCHEMA), documents).find(request)
    assert not documents._known
