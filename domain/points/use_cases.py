"""What can be done with points."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from domain.points.checkin import check_in as check_in_on
from domain.points.errors import AlreadyCheckedIn, InsufficientPoints
from domain.points.lapsed import ReturnLapsed, with_lapsed_returned
from domain.points.ledger import live_lots, open_account, post
from domain.points.model import CheckedIn, PointsAdjusted
from domain.points.policy import DEFAULT_POLICY, PointsPolicy
from domain.points.ports import PointsTransactionPort
from domain.points.rules import NotEnoughPoints, adjust, earn
from domain.shared.errors import BadUserInput, NotFound
from domain.shared.idempotency import Done, Once, answer_together, do_once
from domain.shared.ids import MemberId
from domain.shared.money import SAFE_INT_MAX
from domain.shared.time import end_of_validity, local_date, start_of_day

Begin: TypeAlias = Callable[[], AbstractAsyncContextManager[PointsTransactionPort]]

# A streak longer than this is still a streak; its number stops growing.
STREAK_LOOKBACK = timedelta(days=1000)


@dataclass(frozen=True, slots=True)
class AdjustPoints:
    """Corrects a balance by hand; `expires_at` is that of points given, None: never."""

    member_id: MemberId
    delta: int
    reason: str
    expires_at: datetime | None
    once: Once


@dataclass(frozen=True, slots=True)
class CheckIn:
    """A member's daily check-in."""

    member_id: MemberId
    once: Once


async def adjust_points(
    command: AdjustPoints, *, begin: Begin, return_lapsed: ReturnLapsed | None = None
) -> Done[PointsAdjusted]:
    """Gives or takes points with a reason. Points given repay what is owed first; taking makes no debt.

    What is held for orders though its time is over is there; without `return_lapsed`, once the sweeper has been there.

    Refusals: NotFound, InsufficientPoints, IdempotencyKeyReused.
    """
    if command.delta == 0 or abs(command.delta) > SAFE_INT_MAX:
        raise BadUserInput("delta must give or take something", path=["input", "delta"])

    async def decide(tx: PointsTransactionPort) -> PointsAdjusted:
        if await tx.members.lock_or_none(command.member_id) is None:
            raise NotFound("Member")
        if command.expires_at is not None and command.expires_at <= tx.now:
            raise BadUserInput("expiresAt must be in the future", path=["input", "expiresAt"])
        account = await open_account(tx, command.member_id)
        if account.available + command.delta > SAFE_INT_MAX:
            raise BadUserInput("no account holds that many points", path=["input", "delta"])
        try:
            entry = adjust(command.delta, lots=await live_lots(tx, command.member_id), debt=account.debt, at=tx.now)
        except NotEnoughPoints as missing:
            raise InsufficientPoints(
                required=missing.required,
                available=missing.available,
                shortfall=missing.required - missing.available,
                some_lapsed=bool(await tx.points.with_lapsed([command.member_id])),
            ) from None
        _, entry_id = await post(tx, account, entry, reason=command.reason, expires_at=command.expires_at)
        return PointsAdjusted(command.member_id, entry_id)

    async def use_case(alone: Once) -> Done[PointsAdjusted]:
        async def attempt() -> Done[PointsAdjusted]:
            return await do_once(alone, begin=begin, decide=decide, result_type=PointsAdjusted)

        return await with_lapsed_returned(attempt, member_id=command.member_id, return_lapsed=return_lapsed)

    return await answer_together(command.once, use_case)


async def check_in(command: CheckIn, *, begin: Begin, policy: PointsPolicy = DEFAULT_POLICY) -> Done[CheckedIn]:
    """Checks a member in on the programme's local day, once; the streak follows from the days themselves.

    Refusals: AlreadyCheckedIn, IdempotencyKeyReused.
    """

    async def decide(tx: PointsTransactionPort) -> CheckedIn:
        account = await open_account(tx, command.member_id)
        today = local_date(tx.now, zone=tx.programme.zone)
        dates = await tx.points.check_in_dates(command.member_id, since=today - STREAK_LOOKBACK)
        today_is = check_in_on(today, earlier=dates, cycle=policy.check_in)
        added = await tx.points.add_check_in(
            command.member_id, on=today, streak_days=today_is.streak_days, points=today_is.points
        )
        if not added:
            raise AlreadyCheckedIn(next_at=start_of_day(today + timedelta(days=1), zone=tx.programme.zone))
        if today_is.points:
            expires_at = end_of_validity(tx.now, days_after_claim=policy.valid_days, zone=tx.programme.zone)
            entry = earn(today_is.points, debt=account.debt)
            await post(tx, account, entry, reason="check-in", expires_at=expires_at)
        return CheckedIn(command.member_id, today, today_is.points)

    return await do_once(command.once, begin=begin, decide=decide, result_type=CheckedIn)


async def expire_points(*, begin: Begin, limit: int = 100) -> int:
    """Posts the lots that have expired, member by member; returns how many members it served. Run it again for more.

    Refusals: none.
    """
    async with begin() as tx:
        due = await tx.points.due_lots(limit=limit)
    for member_id in due:
        async with begin() as tx:
            await open_account(tx, member_id)
    return len(due)
