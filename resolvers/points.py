"""Points: who may, which use-case."""

import strawberry

from domain.points.use_cases import AdjustPoints, CheckIn, adjust_points, check_in
from domain.shared.ids import EntryId, LotId, MemberId
from resolvers.context import Info
from resolvers.inputs import bounded
from resolvers.once import once
from schema.node_ids import NodeType, expect_id
from schema.points import (
    AdjustPointsInput,
    AdjustPointsResult,
    AdjustPointsSuccess,
    CheckInInput,
    CheckInResult,
    CheckInStatus,
    CheckInSuccess,
    PointsAccount,
    PointsLot,
    PointsTransaction,
)
from schema.scalars import SafeInt

MAX_REASON_LENGTH = 200


@strawberry.type
class PointsMutation:
    @strawberry.mutation(description="Gives or takes points by hand, with a reason.")
    async def adjust_points(self, info: Info, input: AdjustPointsInput) -> AdjustPointsResult:
        """Corrects a balance."""
        command = AdjustPoints(
            member_id=MemberId(expect_id(input.member_id, NodeType.Member, argument="input.memberId").id),
            delta=input.delta,
            reason=bounded(input.reason, MAX_REASON_LENGTH, argument="input.reason"),
            expires_at=input.expires_at,
            once=once(info, input),
        )
        done = await adjust_points(command, begin=info.context.begin, return_lapsed=info.context.return_lapsed_points)
        info.context.forget()
        transaction = await transaction_by_id(info, done.result.member_id, done.result.entry_id)
        assert transaction is not None, "what was posted is there"
        account = await info.context.load.points_accounts.load(done.result.member_id)
        return AdjustPointsSuccess(
            transaction=transaction, account=PointsAccount.from_domain(account), replayed=done.replayed
        )

    @strawberry.mutation(description="Checks the member in, once a day of the programme.")
    async def check_in(self, info: Info, input: CheckInInput) -> CheckInResult:
        """Checks in."""
        member_id = info.context.member_id
        done = await check_in(CheckIn(member_id=member_id, once=once(info, input)), begin=info.context.begin)
        status = await info.context.reads.points.check_in_status(member_id, scope=info.context.scope)
        return CheckInSuccess(
            status=CheckInStatus.from_domain(status, member_id=member_id, locale=info.context.locale),
            points_earned=SafeInt(done.result.points),
            # The default cycle gives points alone; a cycle that gives coupons issues them in the same transaction.
            coupons=[],
            replayed=done.replayed,
        )


async def transaction_by_id(info: Info, member_id: MemberId, entry_id: EntryId) -> PointsTransaction | None:
    """A transaction within the caller's scope."""
    found = await info.context.load.points_transactions_by_id.load((member_id, entry_id))
    return None if found is None else PointsTransaction.from_domain(found)


async def lot_by_id(info: Info, member_id: MemberId, lot_id: LotId) -> PointsLot | None:
    """A lot within the caller's scope."""
    found = await info.context.load.points_lots.load((member_id, lot_id))
    return None if found is None else PointsLot.from_domain(found)


async def account_by_id(info: Info, member_id: MemberId) -> PointsAccount | None:
    """A member's account, where the caller may see the member."""
    if await info.context.load.members.load(member_id) is None:
        return None
    return PointsAccount.from_domain(await info.context.load.points_accounts.load(member_id))
