import hashlib
from dataclasses import dataclass, field

from graphql import (
    DocumentNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
)

from execution.compiled import CompiledOperation
from execution.result import FormattedError


@dataclass(slots=True, eq=False)
class Plan:
    """One operation of one document, parsed and checked; kept for the next request that sends the same document.

    A document that cannot be run (syntax, validation, no such operation) has `errors` and no `operation`.
    `compiled` runs it; without that graphql-core does, for the reason in `fallback`.
    `extras` is room for what the caller computes once per plan (its cost, say).
    """

    source: str
    operation_name: str | None
    document: DocumentNode | None
    operation: OperationDefinitionNode | None
    errors: tuple[GraphQLError, ...] = ()
    formatted_errors: list[FormattedError] | None = None
    compiled: CompiledOperation | None = None
    fallback: str = "reference mode"
    extras: dict[str, object] = field(default_factory=dict)
    was_run: bool = False
    _digest: str | None = None

    @property
    def operation_type(self) -> OperationType | None:
        """Query, mutation or subscription; None for a document that cannot be run."""
        return None if self.operation is None else self.operation.operation

    @property
    def digest(self) -> str:
        """SHA-256 of the document in hexadecimal, as automatic persisted queries name it."""
        if self._digest is None:
            self._digest = hashlib.sha256(self.source.encode()).hexdigest()
        return self._digest


def find_operation(document: DocumentNode, operation_name: str | None) -> OperationDefinitionNode | GraphQLError:
    """The operation a request means, or graphql-core's own words for why there is none."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if operation_name is None:
        if len(operations) > 1:
            return GraphQLError("Must provide operation name if query contains multiple operations.")
        return operations[0] if operations else GraphQLError("Must provide an operation.")
    for operation in operations:
        if operation.name and operation.name.value == operation_name:
            return operation
    return GraphQLError(f"Unknown operation named '{operation_name}'.")
