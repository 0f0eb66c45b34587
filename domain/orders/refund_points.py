"""The points of a refund: those that were paid return to their lots, those that were earned are taken back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from domain.orders.errors import Lapsed
from domain.orders.model import Order
from domain.orders.ports import OrdersTransaction
from domain.orders.refund_decision import points_moved
from domain.orders.refund_model import Part, RefundedOrder
from domain.orders.reservation_model import ReservationState
from domain.points.journal import Account
from domain.points.ledger import open_account, post
from domain.points.policy import PointsPolicy
from domain.points.rules import cancel_pending, claw_back, give_back
from domain.shared.ids import MemberId
from domain.shared.time import end_of_validity, local_date

REASON = "refund"


@dataclass(frozen=True, slots=True)
class RefundedPoints:
    """The order with what is left of its points, and how many were returned and taken back."""

    order: Order
    returned: int
    clawed_back: int


async def refund_points(
    tx: OrdersTransaction, found: RefundedOrder, *, parts: Sequence[Part], policy: PointsPolicy
) -> RefundedPoints:
    """Moves an order's points to where they are with these parts left; its coupons and budgets are done."""
    moved = points_moved(found, parts=parts)
    if moved.returned:
        await _return(tx, found, points=moved.returned, policy=policy)
    order = await _claw_back(tx, found.order, points=moved.clawed_back) if moved.clawed_back else found.order
    return RefundedPoints(order, moved.returned, moved.clawed_back)


async def _return(tx: OrdersTransaction, found: RefundedOrder, *, points: int, policy: PointsPolicy) -> None:
    key = found.order.key
    account = await open_account(tx, key.member_id)
    spent = await tx.refunds.spent(key)
    entry = give_back(
        points,
        draws=[draw for draw, _ in spent],
        already=found.points_returned,
        expired={lot.id for _, lot in spent if lot.is_expired(tx.now)},
        to_new_lot=policy.returned_grace_days > 0,
    )
    days = policy.returned_grace_days or policy.valid_days
    expires_at = end_of_validity(tx.now, days_after_claim=days, zone=tx.programme.zone)
    await post(tx, account, entry, reason=REASON, order_id=key.order_id, expires_at=expires_at)
    # What went back to a lot that has expired expires with it, at once.
    await open_account(tx, key.member_id)


async def _claw_back(tx: OrdersTransaction, order: Order, *, points: int) -> Order:
    """Takes points from what the order promises, or from its own lots, with the tier's metric; the rest is owed.

    But for what expired unused: it is not there any more, and the member has had nothing of it.
    Raises Lapsed where points would be owed that are held though their time is over, as free as they read, not moved.
    """
    key = order.key
    account = await open_account(tx, key.member_id)
    from_pending = min(points, order.points_pending)
    if from_pending:
        account, _ = await post(tx, account, cancel_pending(from_pending), reason=REASON, order_id=key.order_id)
        await tx.refunds.lower_pending(key, points=from_pending)
    rest = points - from_pending
    if rest:
        earned = await tx.refunds.earned(key)
        # What is over has been posted as expired by now: nothing is left of it.
        lots, expired = ((), 0) if earned is None else (earned.lots, earned.expired)
        entry = claw_back(rest, pending=0, lots=lots, expired=expired)
        if entry.on(Account.DEBT):
            await _require_nothing_lapsed(tx, key.member_id)
        await post(tx, account, entry, reason=REASON, order_id=key.order_id)
        on = None if earned is None else local_date(earned.at, zone=tx.programme.zone)
        await tx.members.count_towards_tier(key.member_id, amount=-rest, on=on)
    return replace(order, points_pending=order.points_pending - from_pending, points_earned=order.points_earned - rest)


async def _require_nothing_lapsed(tx: OrdersTransaction, member_id: MemberId) -> None:
    # Asked of those alone who would owe. After the accounts: whoever locks a member's reservations has its streams.
    held = await tx.reservations.lock_held(member_id)
    if any(one.points and one.state_at(tx.now) is ReservationState.EXPIRED for one in held):
        raise Lapsed(member_id)
