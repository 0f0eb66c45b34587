"""An order is refunded, wholly or by line and unit, any number of times: money, coupons, points and budgets at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from domain.coupons.facts import Unasked
from domain.coupons.offer import Offer
from domain.coupons.pricing import FunderAmount
from domain.orders.budgets import discount_of, give_back
from domain.orders.drawing import Drawing
from domain.orders.errors import Lapsed
from domain.orders.lapsing import Begin, do_without_lapsed
from domain.orders.model import ORDER_SYSTEM, Order, OrderKey, OrderRef, OrderState
from domain.orders.paying import lock_member
from domain.orders.ports import OrdersTransaction
from domain.orders.refund_decision import decide_refund, is_priced_anew, uses_that_stand
from domain.orders.refund_model import (
    SHIPPING,
    CouponUse,
    OrderRefunded,
    RedemptionRefund,
    Refund,
    RefundCause,
    RefundedOrder,
    Returned,
    Settled,
)
from domain.orders.refund_points import refund_points
from domain.orders.refund_rules import kept_minor, units_asked
from domain.orders.restoring import REFUNDED, REVERSED, comes_back, grace_until, merchant_events, wallet_event
from domain.orders.rules import Seller
from domain.points.policy import DEFAULT_POLICY, PointsPolicy
from domain.shared.errors import BadUserInput, InvalidStateChange, NotFound
from domain.shared.events import Event
from domain.shared.idempotency import Done, Once, answer_together, replay
from domain.shared.ids import CouponId


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """Refunds units of an order's lines, by line; None: all that is left of it."""

    order_ref: str
    units: Mapping[str, int] | None
    seller: Seller
    once: Once
    cause: RefundCause = RefundCause.CUSTOMER

    def __post_init__(self) -> None:
        """Refuse what returns nothing."""
        if self.units is not None and (not self.units or min(self.units.values()) < 1):
            raise BadUserInput("a refund returns one unit at least", path=["input", "lines"])


async def refund_order(
    command: RefundOrder, *, begin: Begin, policy: PointsPolicy = DEFAULT_POLICY
) -> Done[OrderRefunded]:
    """Refunds units of an order: what was paid for them, by the policies that its coupons were redeemed under.

    Coupons of which nothing is left come back with the validity that they had, or with days of grace where the merchant
    is at fault and their template promised them; discounts return to their budgets;
    points that were paid return to their lots; points that were earned are taken back, and owed where they are gone.
    Any sequence of refunds sums to one full refund.

    Refusals: NotFound, RefundExceedsOrder, InvalidStateChange, IdempotencyKeyReused.
    """

    async def use_case(alone: Once) -> Done[OrderRefunded]:
        return await _refund(replace(command, once=alone), begin=begin, policy=policy)

    return await answer_together(command.once, use_case)


async def _refund(command: RefundOrder, *, begin: Begin, policy: PointsPolicy) -> Done[OrderRefunded]:
    async with begin(command.seller.scope) as tx:
        # Before the order is looked for: by now its name may be that of another too.
        receipt = await tx.receipts.find(command.once)
        if receipt is not None:
            return replay(receipt, once=command.once, result_type=OrderRefunded)
        key = await _find(tx, command)
    scope = command.seller.scope if key is None else command.seller.scope_with(key.member_id)

    async def decide(tx: OrdersTransaction, _: Drawing) -> OrderRefunded:
        if key is None:
            raise NotFound("Order")
        await lock_member(tx, key.member_id)
        order = await tx.orders.lock_or_none(key)
        if order is None or (command.seller.store_ids and order.store_id not in command.seller.store_ids):
            raise NotFound("Order")
        if order.state is OrderState.CANCELLED:
            raise InvalidStateChange(order.state.value, REFUNDED)
        found = await tx.refunds.found(order)
        units = units_asked(found.parts, lines=command.units)
        back = await give_money_back(tx, found, units=units, policy=policy, cause=command.cause)
        await tx.events.append(back.events)
        return back.refunded

    return await do_without_lapsed(command.once, scope=scope, decide=decide, result_type=OrderRefunded, begin=begin)


async def _find(tx: OrdersTransaction, command: RefundOrder) -> OrderKey | None:
    """The order that the seller calls so, if there is one."""
    seller = command.seller
    sources: Sequence[UUID] = [ORDER_SYSTEM] if seller.is_order_system else list(seller.scope.merchant_ids)
    found = [key for source in sources if (key := await tx.orders.find(OrderRef(source, command.order_ref)))]
    if len(found) > 1:
        raise BadUserInput("several of your merchants have an order of this reference", path=["input", "orderRef"])
    return found[0] if found else None


@dataclass(frozen=True, slots=True)
class GivenBack:
    """A refund that was done: its result, the order after it, and what is to be told at the end of the transaction."""

    refunded: OrderRefunded
    order: Order
    events: Sequence[Event]


async def refund_what_is_left(
    tx: OrdersTransaction,
    order: Order,
    *,
    policy: PointsPolicy = DEFAULT_POLICY,
    cause: RefundCause = RefundCause.CUSTOMER,
) -> tuple[Order, Sequence[Event]]:
    """The same for an order that is cancelled, which was locked: the order after it, and what is to be told."""
    found = await tx.refunds.found(order)
    left = {part.id: part.remaining for part in found.parts if part.id != SHIPPING and part.remaining}
    if not left:
        return order, ()
    back = await give_money_back(tx, found, units=left, policy=policy, cause=cause)
    return back.order, back.events


async def give_money_back(
    tx: OrdersTransaction, found: RefundedOrder, *, units: Mapping[str, int], policy: PointsPolicy, cause: RefundCause
) -> GivenBack:
    """Refunds units of an order that was locked; what is to be told is left to the caller, merchants' streams last."""
    order = found.order
    settled = decide_refund(found, units=units, offers=await _offers(tx, found))
    redemptions = [_of_use(use, settled=settled) for use in uses_that_stand(found)]
    changed = [one for one in redemptions if one.taken_back_minor or one.receivable_minor]
    # Coupons, then budgets, then accounts, the merchants' streams at the end: the one order of locks.
    restored, events = await _restore(tx, changed, cause=cause)
    await _to_budgets(tx, changed)
    points = await refund_points(tx, found, parts=settled.parts, policy=policy)
    refund = Refund(
        id=tx.ids.new(),
        key=order.key,
        ordinal=found.refunds + 1,
        settled=settled,
        redemptions=tuple(changed),
        points_returned=points.returned,
        points_clawed_back=points.clawed_back,
        refunded_at=tx.now,
        cause=cause,
    )
    await tx.refunds.record(refund)
    await tx.orders.move(points.order)
    told = [
        event
        for one in changed
        for event in merchant_events([one.redemption], kind=REVERSED if one.is_over else REFUNDED)
    ]
    result = OrderRefunded(
        member_id=order.key.member_id,
        order_id=order.key.order_id,
        currency=order.currency,
        refund_minor=settled.amount_minor,
        receivable_minor=sum(one.receivable_minor for one in changed),
        restored=tuple(restored),
        points_returned=points.returned,
        points_clawed_back=points.clawed_back,
    )
    return GivenBack(result, points.order, (*events, *told))


async def _offers(tx: OrdersTransaction, found: RefundedOrder) -> Sequence[Offer]:
    """The coupons that stand, locked, where a refund asks what they would take off the rest."""
    if not is_priced_anew(found):
        return ()
    held = [await tx.redemptions.lock_coupon(use.redemption.coupon) for use in uses_that_stand(found)]
    # Who the member was is not asked again: that was decided when the order was paid.
    return [replace(one, owner=Unasked.AS_DECIDED).offer for one in held if one is not None]


def _of_use(use: CouponUse, *, settled: Settled) -> RedemptionRefund:
    taken = [one for one in settled.taken_back if one.bearer == use.bearer]
    by_funder: dict[str, FunderAmount] = {}
    for share in (share for one in taken for share in one.shares):
        before = by_funder.get(share.funder.value)
        amount = share.amount_minor + (before.amount_minor if before else 0)
        by_funder[share.funder.value] = FunderAmount(share.funder, amount)
    return RedemptionRefund(
        redemption=use.redemption,
        taken_back_minor=sum(one.amount_minor for one in taken),
        shares=tuple(by_funder.values()),
        receivable_minor=dict(settled.receivables_minor).get(use.bearer, 0),
        is_over=not kept_minor(settled.parts, bearer=use.bearer),
    )


async def _restore(
    tx: OrdersTransaction, redemptions: Sequence[RedemptionRefund], *, cause: RefundCause
) -> tuple[Sequence[CouponId], list[Event]]:
    """Gives coupons back of whose discount nothing is left, and to a balance its part of what is taken back.

    Answers those that the member has again, and what it is told. Raises Lapsed where a balance is held by what has run
    out: it is as free as it reads, but not moved.
    """
    zone = tx.programme.zone
    back = [
        Returned(
            one.redemption.coupon,
            one.taken_back_minor,
            grace_until(one.redemption, cause=cause, at=tx.now, zone=zone),
        )
        for one in sorted(redemptions, key=lambda one: str(one.redemption.coupon_id))
        if one.is_over or (one.redemption.from_balance and one.taken_back_minor)
    ]
    if not back:
        return (), []
    restored = await tx.redemptions.restore(back)
    for coupon in restored.values():
        if coupon.was_held_too_long:
            raise Lapsed(coupon.member_id)
    again = [coupon for one in back if comes_back(coupon := restored[one.coupon.coupon_id])]
    return [coupon.id for coupon in again], [wallet_event(coupon) for coupon in again]


async def _to_budgets(tx: OrdersTransaction, redemptions: Sequence[RedemptionRefund]) -> None:
    taken = [one for one in redemptions if one.taken_back_minor]
    short = await tx.budgets.post([give_back(discount_of(one.redemption, shares=one.shares)) for one in taken])
    assert short is None, "what was spent can be given back"
