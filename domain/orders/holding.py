"""What a reservation holds, taken and given up; the budgets are left to the caller, who posts to them once."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.coupons.model import WalletChange
from domain.orders.budgets import BudgetChange, free
from domain.orders.model import ORDER_SYSTEM, OrderKey, OrderRef
from domain.orders.ports import OrdersTransaction
from domain.orders.reservation_model import Reservation, ReservationState
from domain.points.errors import InsufficientPoints
from domain.points.ledger import live_lots, open_account, post
from domain.points.rules import NotEnoughPoints, SpendingBlocked, give_back, spend
from domain.shared.events import WALLET, Event
from domain.shared.ids import MemberId


async def hold(tx: OrdersTransaction, reservation: Reservation) -> Sequence[Event]:
    """Stores a reservation and takes its coupons, which were locked; returns what the member is told at the end."""
    await tx.reservations.hold(reservation)
    return _told(reservation, change=WalletChange.RESERVED)


async def give_up(tx: OrdersTransaction, reservation: Reservation, *, state: ReservationState) -> Sequence[Event]:
    """Gives the coupons of a reservation back, each with the validity that it has; returns what is told at the end."""
    await tx.reservations.give_up(reservation, state=state)
    return _told(reservation, change=WalletChange.RELEASED)


async def take_points(tx: OrdersTransaction, reservation: Reservation) -> None:
    """Takes what the reservation holds from the member's lots, as the order will have paid it; accounts come last.

    Refusals: InsufficientPoints.
    """
    points = reservation.points
    if not points:
        return
    account = await open_account(tx, reservation.key.member_id)
    lots = await live_lots(tx, reservation.key.member_id)
    try:
        entry = spend(points, lots=lots, debt=account.debt, at=tx.now)
    except NotEnoughPoints as few:
        shortfall = few.required - few.available
        raise InsufficientPoints(required=points, available=few.available, shortfall=shortfall) from None
    except SpendingBlocked as blocked:
        raise InsufficientPoints(required=points, available=0, shortfall=points + blocked.debt) from None
    await post(tx, account, entry, reason="reserved", order_id=reservation.order_id)


async def return_points(tx: OrdersTransaction, reservation: Reservation) -> None:
    """Returns what was held to the very lots that it came from; what has expired in the meantime expires with them."""
    if not reservation.points:
        return
    member_id = reservation.key.member_id
    account = await open_account(tx, member_id)
    spent = await tx.refunds.spent(OrderKey(member_id, reservation.order_id))
    entry = give_back(
        reservation.points, draws=[draw for draw, _ in spent], already=0, expired=frozenset(), to_new_lot=False
    )
    await post(tx, account, entry, reason="released", order_id=reservation.order_id)
    await open_account(tx, member_id)


async def held_for(tx: OrdersTransaction, ref: OrderRef, *, member_id: MemberId) -> Reservation | None:
    """What is held for an order of the order system, its time over or not, locked; tills have references of their own.

    The member's streams must be locked.
    """
    if ref.source_id != ORDER_SYSTEM:
        return None
    held = [one for one in await tx.reservations.lock_held(member_id) if one.order_ref == ref.ref]
    assert len(held) <= 1, "an order that reserves again holds what it reserved last"
    return held[0] if held else None


@dataclass(frozen=True, slots=True)
class GivenUp:
    """What was given up leaves to be done: budgets to be freed, members to be told at the end."""

    freed: Sequence[BudgetChange] = ()
    told: Sequence[Event] = ()


async def give_up_unused(tx: OrdersTransaction, ref: OrderRef, *, member_id: MemberId) -> GivenUp:
    """Gives up what is held for an order that is paid without it: nobody could redeem it any more."""
    held = await held_for(tx, ref, member_id=member_id)
    if held is None:
        return GivenUp()
    run_out = held.state_at(tx.now) is ReservationState.EXPIRED
    told = await give_up(tx, held, state=ReservationState.EXPIRED if run_out else ReservationState.RELEASED)
    await return_points(tx, held)
    return GivenUp([free(discount) for discount in held.discounts], told)


def _told(reservation: Reservation, *, change: WalletChange) -> Sequence[Event]:
    return [Event(one.member_id, WALLET, change.value, one.coupon_id) for one in reservation.coupons]
