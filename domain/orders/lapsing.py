"""What is held though its time is over stands in nobody's way: it is given up first, then one tries again."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, TypeAlias, TypeVar

from domain.orders import budgets
from domain.orders.drawing import Drawing
from domain.orders.errors import Lapsed, LapsedBudget, OnlyRestLeft
from domain.orders.holding import give_up, return_points
from domain.orders.paying import lock_member
from domain.orders.ports import OrdersTransaction
from domain.orders.reservation_model import ReservationState
from domain.points.lapsed import ReturnLapsed
from domain.shared.errors import Unavailable
from domain.shared.idempotency import Done, Once, answer_together, do_once
from domain.shared.ids import CampaignId, MemberId
from domain.shared.principal import Scope

Begin: TypeAlias = Callable[[Scope], AbstractAsyncContextManager[OrdersTransaction]]
BeginSystem: TypeAlias = Callable[[], AbstractAsyncContextManager[OrdersTransaction]]
SweepCampaign: TypeAlias = Callable[[CampaignId], Awaitable[int]]
Result = TypeVar("Result")

# Who finds a budget held by many that have run out ends those of at most so many members at a time.
MOST_ENDED: Final = 50
# … and so many times. What is held by more is exhausted to it, until the sweeper has been there.
MOST_SWEEPS: Final = 5
# A member's own are ended all at once: there is hardly a second time.
_MOST_OF_ONES_OWN: Final = 5


async def without_lapsed(
    attempt: Callable[[Drawing], Awaitable[Result]], *, begin: Begin, sweep: SweepCampaign | None = None
) -> Result:
    """The outcome of a use-case as if the sweeper had just been there.

    Reservations that have run out are ended in transactions of their own, since whoever waits for a budget holds
    nothing that the owner of another reservation waits for. Those of other members are ended by `sweep`, which the
    system lends, MOST_SWEEPS times; beyond it, and without it, a budget that they hold is exhausted until the sweeper
    has been there. Unavailable where a member's own run out again and again. What is refused in full, of budgets of
    which a coupon takes what there is, is attempted with that.

    Refusals: BudgetExhausted, and whatever `attempt` refuses.
    """
    own = sweeps = 0
    drawing = Drawing.IN_FULL
    while True:
        try:
            return await attempt(drawing)
        except OnlyRestLeft:
            drawing = Drawing.WHAT_IS_LEFT
        except Lapsed as lapsed:
            if own == _MOST_OF_ONES_OWN:
                raise Unavailable("reservations run out faster than they are ended") from None
            own += 1
            member_id = lapsed.member_id
            async with begin(Scope.of_member(member_id)) as tx:
                await expire_of_member(tx, member_id)
        except LapsedBudget as lapsed:
            if sweep is None or sweeps == MOST_SWEEPS:
                raise lapsed.exhausted from None
            sweeps += 1
            await sweep(lapsed.campaign_id)


async def do_without_lapsed(
    once: Once,
    *,
    scope: Scope,
    decide: Callable[[OrdersTransaction, Drawing], Awaitable[Result]],
    result_type: type[Result],
    begin: Begin,
    sweep: SweepCampaign | None = None,
) -> Done[Result]:
    """Decides a write once, as if the sweeper had just been there: see `without_lapsed`.

    What was in the way is ended by one, for all who send the write while it is under way in this process.

    Refusals: IdempotencyKeyReused, OperationInProgress, BudgetExhausted, and whatever `decide` refuses.
    """

    async def use_case(alone: Once) -> Done[Result]:
        async def attempt(drawing: Drawing) -> Done[Result]:
            return await do_once(
                alone, begin=lambda: begin(scope), decide=lambda tx: decide(tx, drawing), result_type=result_type
            )

        return await without_lapsed(attempt, begin=begin, sweep=sweep)

    return await answer_together(once, use_case)


async def expire_reservations(*, limit: int, begin: BeginSystem, campaign_id: CampaignId | None = None) -> int:
    """Ends reservations whose time is over, of at most so many members; returns of how many members it ended any.

    Nothing depends on it: what has run out reads and is treated as ended before it is swept. A transaction for each
    member. With a campaign: of those that hold something of its budget. `begin` is a transaction of the system.

    Refusals: none.
    """
    async with begin() as tx:
        overdue = await tx.reservations.overdue(limit=limit, campaign_id=campaign_id)
    ended = 0
    for member_id in overdue:
        async with begin() as tx:
            ended += await expire_of_member(tx, member_id) > 0
    return ended


def sweeper_of_campaigns(*, begin: BeginSystem) -> SweepCampaign:
    """What use-cases of the orders slice end the reservations with that hold a budget, and have run out."""

    async def sweep(campaign_id: CampaignId) -> int:
        return await expire_reservations(limit=MOST_ENDED, begin=begin, campaign_id=campaign_id)

    return sweep


def returner_of_points(*, begin: Begin) -> ReturnLapsed:
    """What use-cases of other slices end a member's own reservations with that hold points, and have run out."""

    async def return_lapsed(member_id: MemberId) -> None:
        async with begin(Scope.of_member(member_id)) as tx:
            await expire_of_member(tx, member_id)

    return return_lapsed


async def expire_of_member(tx: OrdersTransaction, member_id: MemberId) -> int:
    """Ends the reservations of one member whose time is over; returns how many."""
    await lock_member(tx, member_id)
    held = await tx.reservations.lock_held(member_id)
    over = [one for one in held if one.state_at(tx.now) is ReservationState.EXPIRED]
    told = [event for one in over for event in await give_up(tx, one, state=ReservationState.EXPIRED)]
    short = await tx.budgets.post([budgets.free(discount) for one in over for discount in one.discounts])
    assert short is None, "what was held can be given up"
    for one in over:
        await return_points(tx, one)
    await tx.events.append(told)
    return len(over)
