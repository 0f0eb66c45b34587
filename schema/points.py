"""Points, lots, transactions and check-ins as clients see them."""

from datetime import date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Final

import strawberry

from domain.points import model
from domain.shared.errors import BadUserInput
from domain.shared.events import POINTS
from domain.shared.ids import MemberId
from schema.asked import asked_below
from schema.context import Info
from schema.enums import publish_enum
from schema.node_ids import NodeType, node_id
from schema.nodes import Node
from schema.paging import PAGE_SIZE_DEFAULT, After, Connection, First, connection, page_request
from schema.problems import IdempotencyKeyReusedProblem, NotFoundProblem, OperationInProgressProblem, Problem
from schema.scalars import SafeInt

if TYPE_CHECKING:
    from schema.coupons import Coupon

MAX_WITHIN_DAYS = 3660


class PointsTransactionKind(Enum):
    """Why points moved; a promise (PENDING) is no movement of what is available."""

    EARN = "EARN"
    SPEND = "SPEND"
    EXPIRE = "EXPIRE"
    REFUND = "REFUND"
    CLAWBACK = "CLAWBACK"
    ADJUST = "ADJUST"


publish_enum(
    PointsTransactionKind,
    "Why points moved.",
    values={
        "EARN": "Earned by an order or a check-in.",
        "SPEND": "Spent on a reward or an order.",
        "EXPIRE": "Expired, which is not spent.",
        "REFUND": "Returned when what they were spent on was.",
        "CLAWBACK": "Taken back when the order that earned them was returned.",
        "ADJUST": "Corrected by an operator.",
    },
)


@strawberry.type(description="Points that were earned together and expire together.")
class PointsLot(Node):
    earned: SafeInt = strawberry.field(description="How many there were.")
    remaining: SafeInt = strawberry.field(description="How many are left.")
    earned_at: datetime = strawberry.field(description="Since when.")
    expires_at: datetime | None = strawberry.field(description="Until before this instant; null: for ever.")

    @staticmethod
    def from_domain(lot: model.PointsLot) -> "PointsLot":
        """The domain's lot as clients see it."""
        return PointsLot(
            id=node_id(NodeType.PointsLot, lot.id, member_id=lot.member_id),
            earned=SafeInt(lot.earned),
            remaining=SafeInt(lot.remaining),
            earned_at=lot.earned_at,
            expires_at=lot.expires_at,
        )


@strawberry.type(description="One movement of the available balance.")
class PointsTransaction(Node):
    kind: PointsTransactionKind = strawberry.field(description="Why.")
    delta: SafeInt = strawberry.field(description="How many came (positive) or went (negative).")
    balance_after: SafeInt = strawberry.field(description="The available balance after it.")
    reason: str = strawberry.field(description="In words.")
    occurred_at: datetime = strawberry.field(description="When.")

    @staticmethod
    def from_domain(transaction: model.PointsTransaction) -> "PointsTransaction":
        """The domain's transaction as clients see it."""
        return PointsTransaction(
            id=node_id(NodeType.PointsTransaction, transaction.id, member_id=transaction.member_id),
            kind=PointsTransactionKind[transaction.kind.name],
            delta=SafeInt(transaction.delta),
            balance_after=SafeInt(transaction.balance_after),
            reason=transaction.reason,
            occurred_at=transaction.occurred_at,
        )


# An account's fields that are read by themselves.
_BESIDE_THE_BALANCE: Final = frozenset({"__typename", "id", "expiring", "transactions", "as_of", "sequence"})


def _available_of(self: "PointsAccount") -> SafeInt:
    return SafeInt(self.balance.available)


def _pending_of(self: "PointsAccount") -> SafeInt:
    return SafeInt(self.balance.pending)


def _debt_of(self: "PointsAccount") -> SafeInt:
    return SafeInt(self.balance.debt)


def _lifetime_earned_of(self: "PointsAccount") -> SafeInt:
    return SafeInt(self.balance.lifetime_earned)


@strawberry.type(description="A member's points 积分.")
class PointsAccount(Node):
    entity: strawberry.Private[model.PointsAccount | None]
    member_id: strawberry.Private[MemberId]
    available: SafeInt = strawberry.field(resolver=_available_of, description="What may be spent now.")
    pending: SafeInt = strawberry.field(
        resolver=_pending_of, description="Promised by orders whose return window is still open."
    )
    debt: SafeInt = strawberry.field(resolver=_debt_of, description="Owed after a return; new earnings repay it first.")
    lifetime_earned: SafeInt = strawberry.field(
        resolver=_lifetime_earned_of, description="Everything that was ever earned."
    )

    @staticmethod
    def from_domain(account: model.PointsAccount) -> "PointsAccount":
        """The domain's account as clients see it."""
        return PointsAccount(
            id=node_id(NodeType.PointsAccount, account.member_id), entity=account, member_id=account.member_id
        )

    @staticmethod
    async def of_member(member_id: MemberId, info: Info) -> "PointsAccount":
        """A member's account; its balance is read where it is asked for."""
        asked = asked_below(info)
        if asked is not None and asked.names() <= _BESIDE_THE_BALANCE:
            return PointsAccount(id=node_id(NodeType.PointsAccount, member_id), entity=None, member_id=member_id)
        return PointsAccount.from_domain(await info.context.load.points_accounts.load(member_id))

    @property
    def balance(self) -> model.PointsAccount:
        """What was read of it."""
        assert self.entity is not None, "whoever looks at the balance has asked for it"
        return self.entity

    @strawberry.field(description="The lots that expire soonest, at most 200.")
    async def expiring(
        self,
        info: Info,
        within_days: Annotated[int | None, strawberry.argument(description="From now, 1 to 3660.")] = 30,
    ) -> list[PointsLot]:
        """Lots that will expire."""
        days = 30 if within_days is None else within_days
        if not 1 <= days <= MAX_WITHIN_DAYS:
            raise BadUserInput(f"withinDays must be 1 to {MAX_WITHIN_DAYS}", path=["withinDays"])
        found = await info.context.reads.points.expiring(self.member_id, within_days=days, scope=info.context.scope)
        return [PointsLot.from_domain(lot) for lot in found]

    @strawberry.field(description="Every movement, newest first.")
    async def transactions(
        self, info: Info, first: First = PAGE_SIZE_DEFAULT, after: After = None
    ) -> Connection[PointsTransaction]:
        """A page of transactions."""
        page = await info.context.load.points_transactions.load((self.member_id, page_request(first, after)))
        return connection(page, nodes=[PointsTransaction.from_domain(t) for t in page.items])

    @strawberry.field(description="The available balance as it stood at an instant, by the journal.")
    async def as_of(
        self, info: Info, at: Annotated[datetime, strawberry.argument(description="The instant.")]
    ) -> SafeInt:
        """The balance at an instant."""
        return SafeInt(await info.context.reads.points.available_at(self.member_id, at=at, scope=info.context.scope))

    @strawberry.field(description="The last event of these points; give it to pointsChanged(since:).")
    async def sequence(self, info: Info) -> SafeInt:
        """The last event's number."""
        return SafeInt(await info.context.load.sequences.load((self.member_id, POINTS)))


@strawberry.type(description="Daily check-in 签到.")
class CheckInStatus:
    checked_in_today: bool = strawberry.field(description="Whether today's is done, by the programme's day.")
    streak_days: int = strawberry.field(description="Days without a gap, up to today or yesterday.")
    cycle_days: int = strawberry.field(description="After so many days the rewards start over.")
    next_reward: str | None = strawberry.field(description="What the next check-in gives.")
    member_id: strawberry.Private[MemberId]

    @staticmethod
    def from_domain(status: model.CheckInStatus, *, member_id: MemberId, locale: str) -> "CheckInStatus":
        """The domain's status as clients see it."""
        standing = status.standing
        points = standing.next_points
        return CheckInStatus(
            checked_in_today=standing.checked_in_today,
            streak_days=standing.streak_days,
            cycle_days=standing.cycle_days,
            next_reward=None if not points else (f"{points} points" if locale == "en" else f"{points} 积分"),
            member_id=member_id,
        )

    @strawberry.field(description="The days of a month on which the member checked in.")
    async def calendar(
        self, info: Info, month: Annotated[date, strawberry.argument(description="Any day of the month.")]
    ) -> list[date]:
        """Days of a month."""
        return list(
            await info.context.reads.points.check_in_days(self.member_id, month=month, scope=info.context.scope)
        )


@strawberry.type(description="The member has too few points, or owes some.")
class InsufficientPointsProblem(Problem):
    required: SafeInt = strawberry.field(description="What it takes.")
    available: SafeInt = strawberry.field(description="What there is.")
    shortfall: SafeInt = strawberry.field(description="What is missing.")


@strawberry.type(description="Today's check-in is done.")
class AlreadyCheckedInProblem(Problem):
    next_at: datetime = strawberry.field(description="From when the next one may be had.")


@strawberry.input(description="A correction of a balance, by hand.")
class AdjustPointsInput:
    member_id: strawberry.ID = strawberry.field(description="Whose.")
    delta: SafeInt = strawberry.field(description="How many to give (positive) or take (negative).")
    reason: str = strawberry.field(description="Why; the member reads it. 1 to 200 characters.")
    expires_at: datetime | None = strawberry.field(
        default=None, description="When points that are given expire; null: never."
    )
    idempotency_key: strawberry.ID = strawberry.field(description="Made by the client before it sends.")


@strawberry.type(description="The balance is corrected.")
class AdjustPointsSuccess:
    transaction: PointsTransaction = strawberry.field(description="The movement.")
    account: PointsAccount = strawberry.field(description="The account after it.")
    replayed: bool = strawberry.field(description="Whether this is the first answer again.")


@strawberry.input(description="Today's check-in.")
class CheckInInput:
    idempotency_key: strawberry.ID = strawberry.field(description="Made by the client before it sends.")


@strawberry.type(description="Today's check-in is done now.")
class CheckInSuccess:
    status: CheckInStatus = strawberry.field(description="Where the member stands now.")
    points_earned: SafeInt = strawberry.field(description="What it gave.")
    coupons: list[Annotated["Coupon", strawberry.lazy("schema.coupons")]] = strawberry.field(
        description="Coupons that it gave besides."
    )
    replayed: bool = strawberry.field(description="Whether this is the first answer again.")


CheckInResult = Annotated[
    CheckInSuccess | AlreadyCheckedInProblem | IdempotencyKeyReusedProblem | OperationInProgressProblem,
    strawberry.union("CheckInResult", description="The check-in, or why not."),
]
AdjustPointsResult = Annotated[
    AdjustPointsSuccess
    | NotFoundProblem
    | InsufficientPointsProblem
    | IdempotencyKeyReusedProblem
    | OperationInProgressProblem,
    strawberry.union("AdjustPointsResult", description="The movement, or why not."),
]
