"""Batches that tests issue; run by itself, a process that issues one slowly and can be killed.

python -m tests.issuing DATABASE_URL TEMPLATE_ID ROWS
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from domain.coupons.distribution import IssuedBatch
from domain.coupons.issuing import IssueCoupons, issue_coupons
from domain.shared.ids import MemberId, TemplateId
from domain.shared.principal import Scope
from persistence.unit_of_work import SqlUnitOfWork
from tests.coupon_world import NAMES, World, member, once, world

ROWS_PER_CHUNK = 10


def batch(
    template_id: TemplateId,
    member_ids: list[MemberId],
    *,
    key: str = "batch",
    reason: str = "补偿",
    scope: Scope | None = None,
    content: bytes = b"1",
) -> IssueCoupons:
    return IssueCoupons(
        template_id=template_id,
        member_ids=tuple(member_ids),
        reason=reason,
        scope=scope or Scope.system(),
        once=once(NAMES, key=key, mutation="issueCoupons", content=content),
    )


async def issue(laurel: World, command: IssueCoupons, *, chunk: int = 500) -> IssuedBatch:
    return await issue_coupons(command, begin=lambda: laurel.database.begin(Scope.system()), chunk=chunk)


async def _issue_slowly(url: str, template_id: TemplateId, rows: int) -> None:
    async with world(url, size=2) as laurel:

        @asynccontextmanager
        async def begin() -> AsyncIterator[SqlUnitOfWork]:
            async with laurel.database.begin(Scope.system()) as tx:
                yield tx
                # Within the transaction: whoever kills this process kills it in the middle of a chunk.
                await asyncio.sleep(0.03)

        command = batch(template_id, [member(n) for n in range(rows)])
        await issue_coupons(command, begin=begin, chunk=ROWS_PER_CHUNK)


if __name__ == "__main__":
    asyncio.run(_issue_slowly(sys.argv[1], TemplateId(UUID(sys.argv[2])), int(sys.argv[3])))
