"""The points of an order: promised when paid, released after the return window."""

from dataclasses import replace
from datetime import timedelta

from domain.orders.model import Order
from domain.orders.ports import OrdersTransaction
from domain.points.ledger import open_account, post
from domain.points.policy import PointsPolicy
from domain.points.rules import earn_pending, release_pending
from domain.shared.time import end_of_validity, local_date, start_of_day


async def promise_points(tx: OrdersTransaction, order: Order) -> None:
    """Posts what a new order promises as pending, which nobody sees as earned or spent."""
    if not order.points_pending:
        return
    account = await open_account(tx, order.key.member_id)
    await post(tx, account, earn_pending(order.points_pending), reason="order", order_id=order.key.order_id)
    await tx.orders.add_pending(order.key, points=order.points_pending)


async def start_return_window(tx: OrdersTransaction, order: Order, *, policy: PointsPolicy) -> Order:
    """Lets the points of an order that was received be due when the window is over; with no window they are due now.

    Points of an order that is received on 1 March with seven days are due at 00:00 on 8 March, by the programme's days.
    """
    if not order.points_pending:
        return order
    if policy.release_days == 0:
        return await release(tx, order, policy=policy)
    received_on = local_date(tx.now, zone=tx.programme.zone)
    release_at = start_of_day(received_on + timedelta(days=policy.release_days), zone=tx.programme.zone)
    await tx.orders.release_later(order.key, release_at=release_at)
    return order


async def release(tx: OrdersTransaction, order: Order, *, policy: PointsPolicy) -> Order:
    """Turns what an order promises into points that may be spent, and counts them towards the tier."""
    account = await open_account(tx, order.key.member_id)
    points = await tx.orders.take_pending(order.key)
    if not points:
        return order
    expires_at = end_of_validity(tx.now, days_after_claim=policy.valid_days, zone=tx.programme.zone)
    entry = release_pending(points, debt=account.debt)
    await post(tx, account, entry, reason="order", order_id=order.key.order_id, expires_at=expires_at)
    await tx.members.count_towards_tier(order.key.member_id, amount=points)
    return replace(order, points_pending=order.points_pending - points, points_earned=order.points_earned + points)
