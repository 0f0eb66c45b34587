"""A coupon is taken back: from the wallet of a member who shall not use it any more."""

from dataclasses import dataclass

from domain.coupons.model import CouponKey, WalletChange
from domain.coupons.offer import CouponState
from domain.orders.drawing import Drawing
from domain.orders.errors import Lapsed
from domain.orders.lapsing import Begin, do_without_lapsed
from domain.orders.paying import lock_member
from domain.orders.ports import OrdersTransaction
from domain.shared.errors import InvalidStateChange, NotFound
from domain.shared.events import WALLET, Event
from domain.shared.idempotency import Done, Once
from domain.shared.ids import CouponId, MemberId
from domain.shared.principal import Scope


@dataclass(frozen=True, slots=True)
class VoidCoupon:
    """Takes a coupon back. `scope` reaches the member; `reason` is told to it."""

    coupon: CouponKey
    reason: str
    scope: Scope
    once: Once


@dataclass(frozen=True, slots=True)
class CouponVoided:
    """The result of taking a coupon back."""

    member_id: MemberId
    coupon_id: CouponId


async def void_coupon(command: VoidCoupon, *, begin: Begin) -> Done[CouponVoided]:
    """Moves a coupon from CLAIMED to VOIDED. One that is held, used, expired or voided is not taken back.

    Refusals: NotFound, InvalidStateChange, IdempotencyKeyReused.
    """
    key = command.coupon

    async def decide(tx: OrdersTransaction, _: Drawing) -> CouponVoided:
        await lock_member(tx, key.member_id)
        held = await tx.redemptions.lock_coupon(key)
        if held is None:
            raise NotFound("Coupon")
        if held.coupon.was_held_too_long:
            raise Lapsed(key.member_id)
        if held.coupon.state is not CouponState.CLAIMED:
            raise InvalidStateChange(held.coupon.state.value, CouponState.VOIDED.value)
        await tx.redemptions.void(key)
        told = Event(key.member_id, WALLET, WalletChange.VOIDED.value, key.coupon_id, {"reason": command.reason})
        await tx.events.append([told])
        return CouponVoided(key.member_id, key.coupon_id)

    return await do_without_lapsed(
        command.once, scope=command.scope, decide=decide, result_type=CouponVoided, begin=begin
    )
