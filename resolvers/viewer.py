"""Who asks, and what became of its earlier writes."""

from typing import Annotated

import strawberry

from resolvers.context import Info
from schema.viewer import OperationReceipt, Viewer


@strawberry.type
class ViewerQuery:
    @strawberry.field(description="Who asks.")
    def viewer(self, info: Info) -> Viewer:
        """The caller."""
        return Viewer.of(info.context.principal)

    @strawberry.field(
        description="What became of an earlier write of the same caller; null: nothing was committed under this key."
    )
    async def operation(
        self,
        info: Info,
        idempotency_key: Annotated[strawberry.ID, strawberry.argument(description="The key of the write.")],
    ) -> OperationReceipt | None:
        """The newest receipt under a key."""
        receipt = await info.context.reads.receipts.latest_of_key(
            caller_id=info.context.caller.caller_id, key=str(idempotency_key)
        )
        if receipt is None:
            return None
        return OperationReceipt(
            idempotency_key=strawberry.ID(receipt.key), mutation=receipt.mutation, committed_at=receipt.committed_at
        )
