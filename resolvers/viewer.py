"""Who asks, and what became of its earlier writes."""

from datetime import datetime
from typing import Annotated

import strawberry

from resolvers.context import Info
from schema.scalars import SafeInt
from schema.viewer import OperationProgress, OperationReceipt, Viewer

IN_PARTS = "issueCoupons"


@strawberry.type
class ViewerQuery:
    @strawberry.field(description="Who asks.")
    def viewer(self, info: Info) -> Viewer:
        """The caller."""
        return Viewer.of(info.context.principal)

    @strawberry.field(
        description="What became of an earlier write of the same caller, and how far one in parts is; null: nothing "
        "was committed under this key."
    )
    async def operation(
        self,
        info: Info,
        idempotency_key: Annotated[strawberry.ID, strawberry.argument(description="The key of the write.")],
    ) -> OperationReceipt | None:
        """The newest receipt under a key."""
        caller_id, key, reads = info.context.caller.caller_id, str(idempotency_key), info.context.reads
        receipt = await reads.receipts.latest_of_key(caller_id=caller_id, key=key)
        if receipt is not None and receipt.mutation != IN_PARTS:
            return _receipt(receipt.key, mutation=receipt.mutation, committed_at=receipt.committed_at)
        progress = await reads.distribution.issue_progress(caller_id=caller_id, key=key)
        if progress is None:
            return None
        shown = OperationProgress(done=SafeInt(progress.done), total=SafeInt(progress.total))
        return _receipt(progress.key, mutation=IN_PARTS, committed_at=progress.changed_at, progress=shown)


def _receipt(
    key: str, *, mutation: str, committed_at: datetime, progress: OperationProgress | None = None
) -> OperationReceipt:
    return OperationReceipt(
        idempotency_key=strawberry.ID(key), mutation=mutation, committed_at=committed_at, progress=progress
    )
