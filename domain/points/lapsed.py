"""Points that are held for an order though its time is over stand in nobody's way: they are returned first."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias, TypeVar

from domain.points.errors import InsufficientPoints
from domain.shared.errors import Unavailable
from domain.shared.ids import MemberId

Result = TypeVar("Result")

# A member's own return all at once: there is hardly a second time.
_MOST_RETURNED: Final = 5

# What the system lends to those who find too few points, since what holds points is no affair of this slice: it returns
# what is held of a member's own though its time is over, in a transaction of its own.
ReturnLapsed: TypeAlias = Callable[[MemberId], Awaitable[None]]


async def with_lapsed_returned(
    attempt: Callable[[], Awaitable[Result]], *, member_id: MemberId, return_lapsed: ReturnLapsed | None
) -> Result:
    """The outcome of a use-case as if the sweeper of reservations had just been there.

    Who finds enough points pays nothing for it. Who finds too few, while some are held for too long, is decided again:
    what was refused has left nothing, no receipt either. Unavailable where a member's own run out again and again.

    Refusals: InsufficientPoints, and whatever `attempt` refuses.
    """
    for _ in range(_MOST_RETURNED):
        try:
            return await attempt()
        except InsufficientPoints as few:
            if return_lapsed is None or not few.some_lapsed:
                raise
        await return_lapsed(member_id)
    raise Unavailable("reservations run out faster than they are ended")
