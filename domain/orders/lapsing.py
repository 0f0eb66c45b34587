"""What is held though its time is over stands in nobody's way: it is given up first, then one tries again."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, TypeAlias, TypeVar

from domain.orders import budgets
from domain.orders.errors import BudgetExhausted
from domain.orders.holding import give_up, return_points
from domain.orders.paying import lock_member
from domain.orders.ports import OrdersTransaction
from domain.orders.reservation_model import ReservationState
from domain.shared.ids import CampaignId, MemberId
from domain.shared.principal import Scope

Begin: TypeAlias = Callable[[Scope], AbstractAsyncContextManager[OrdersTransaction]]
Result = TypeVar("Result")

# Who finds the last of a budget held by many that have run out ends at most so many members' before it gives up.
MOST_ENDED: Final = 100
_ATTEMPTS: Final = 3


class Lapsed(Exception):
    """A reservation of this member is held though its time is over: nothing was decided, it is to be given up first."""

    def __init__(self, member_id: MemberId) -> None:
        super().__init__("a reservation's time is over")
        self.member_id = member_id


async def without_lapsed(attempt: Callable[[], Awaitable[Result]], *, begin: Begin) -> Result:
    """The outcome of a use-case as if the sweeper had just been there.

    Reservations that have run out are ended in transactions of their own, since whoever waits for a budget holds
    nothing that the owner of another reservation waits for.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return await attempt()
        except Lapsed as lapsed:
            await expire_member(lapsed.member_id, begin=begin)
        except BudgetExhausted as exhausted:
            if not await expire_reservations(limit=MOST_ENDED, begin=begin, campaign_id=exhausted.campaign_id):
                raise
    return await attempt()


async def expire_reservations(*, limit: int, begin: Begin, campaign_id: CampaignId | None = None) -> int:
    """Ends reservations whose time is over, of at most so many members; returns of how many members it ended any.

    Nothing depends on it: what has run out reads and is treated as ended before it is swept. A transaction for each
    member. With a campaign: of those that hold something of its budget.

    Refusals: none.
    """
    async with begin(Scope.system()) as tx:
        overdue = await tx.reservations.overdue(limit=limit, campaign_id=campaign_id)
    ended = 0
    for member_id in overdue:
        ended += await expire_member(member_id, begin=begin) > 0
    return ended


async def expire_member(member_id: MemberId, *, begin: Begin) -> int:
    """Ends the reservations of one member whose time is over; returns how many."""
    async with begin(Scope.system()) as tx:
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
