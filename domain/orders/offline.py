"""What a till redeemed while it had no network, handed in later: row by row, each its own decision."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, TypeAlias

from domain.coupons.cart import Cart
from domain.coupons.ports import RedemptionTokens
from domain.orders.completing import Purchase, complete
from domain.orders.drawing import Drawing
from domain.orders.holding import give_up_unused
from domain.orders.lapsing import Begin, SweepCampaign, without_lapsed
from domain.orders.model import CouponsRedeemed, OrderRef
from domain.orders.offline_outcomes import OfflineOutcome, read_outcome, write_outcome
from domain.orders.paying import Payment, lock_member
from domain.orders.places import Place, find_place
from domain.orders.ports import OrdersTransaction
from domain.orders.rules import Seller, at_store, till_cart
from domain.orders.scanning import (
    Scanned,
    count_less,
    lock_usable,
    price_alone,
    quote_alone,
    use_token,
    used_before,
)
from domain.orders.tills import MAX_TILL_ID_LENGTH, NO_TILL_ID, OfflineLimits, OfflineLimitsSet, OfflineScan
from domain.points.policy import DEFAULT_POLICY, PointsPolicy
from domain.shared.batches import RowKept
from domain.shared.errors import BadUserInput, NotFound, Refusal
from domain.shared.events import JSON
from domain.shared.idempotency import Done, Once, ReceiptExists, do_once, encode, replay
from domain.shared.ids import MerchantId, OrderId, StoreId
from domain.shared.references import is_reference
from domain.shared.time import local_date

BeginOwn: TypeAlias = Callable[[], AbstractAsyncContextManager[OrdersTransaction]]

MAX_OFFLINE_ROWS: Final = 200


@dataclass(frozen=True, slots=True)
class OfflineRedemption:
    """One scan without a network: the token, the order that it was for, and when it was by the till's clock."""

    token: str
    order_ref: str
    cart: Cart
    scanned_at: datetime


@dataclass(frozen=True, slots=True)
class SyncOfflineRedemptions:
    """Hands in what a till of a store redeemed without a network."""

    store_id: StoreId
    rows: tuple[OfflineRedemption, ...]
    seller: Seller
    once: Once
    till_id: str = NO_TILL_ID

    def __post_init__(self) -> None:
        """Refuse a batch without rows, one that is too large, and a till without a proper name."""
        if self.till_id != NO_TILL_ID and not is_reference(self.till_id, most=MAX_TILL_ID_LENGTH):
            raise BadUserInput(f"tillId has 1 to {MAX_TILL_ID_LENGTH} printable characters", path=["input", "tillId"])
        if not 1 <= len(self.rows) <= MAX_OFFLINE_ROWS:
            raise BadUserInput(
                f"redemptions must be 1 to {MAX_OFFLINE_ROWS}, not {len(self.rows)}", path=["input", "redemptions"]
            )


@dataclass(frozen=True, slots=True)
class OfflineSynced:
    """The result of a batch as it is kept: a row's outcome for each row."""

    rows: tuple[Mapping[str, JSON], ...]

    @property
    def outcomes(self) -> Sequence[OfflineOutcome]:
        """The outcomes, in the order of the rows."""
        return [read_outcome(row) for row in self.rows]


async def sync_offline_redemptions(
    command: SyncOfflineRedemptions,
    *,
    begin: Begin,
    tokens: RedemptionTokens,
    policy: PointsPolicy = DEFAULT_POLICY,
    sweep: SweepCampaign | None = None,
) -> Done[OfflineSynced]:
    """Decides each row by itself, in order, in a transaction of its own, by the rules of a till that is connected.

    What differs: the till's clock says when it was, within bounds; a coupon whose time ran out in between is used as it
    was then; and what is accepted counts towards the limits of the till's and the store's day. A row that is refused
    changes nothing and stands in the way of no other. A batch that was interrupted goes on under its key: rows that
    were decided stay as they were decided. Under another key an order that has used this coupon for this cart is
    answered again. A row's outcome may be NotFound, RedemptionCodeExpired, RedemptionCodeUsed, ScanTimeRefused,
    CouponNotUsable, CouponExpired, NotEligible, BudgetExhausted, InvalidStateChange or OfflineLimitReached.

    Refusals: NotFound, IdempotencyKeyReused.
    """
    while True:
        started = await _start(command, begin=begin)
        if isinstance(started, Done):
            return started
        desk = _Desk(command, started.merchant_id, begin, tokens, policy, sweep)
        outcomes = started.outcomes
        try:
            for place, row in enumerate(command.rows[len(outcomes) :], len(outcomes)):
                outcomes.append(await desk.decide(row, place=place))
        except RowKept:
            # Somebody else works on this batch, and has decided the row: what it decided is the answer.
            continue
        return await _keep(command, OfflineSynced(tuple(outcomes)), begin=begin)


@dataclass(frozen=True, slots=True)
class _Started:
    """Whose store it is, and the outcomes of the rows that are done."""

    merchant_id: MerchantId
    outcomes: list[Mapping[str, JSON]]


async def _start(command: SyncOfflineRedemptions, *, begin: Begin) -> Done[OfflineSynced] | _Started:
    """Notes the batch, before the first row of it is done; of one that is over the answer."""
    seller, once = command.seller, command.once
    async with begin(seller.scope) as tx:
        receipt = await tx.receipts.find(once)
        if receipt is not None:
            return replay(receipt, once=once, result_type=OfflineSynced)
        merchant_id = (await tx.templates.merchants_of_stores([command.store_id])).get(command.store_id)
        if merchant_id is None or not seller.sells_in(command.store_id, of=merchant_id):
            raise NotFound("Store")
        _require_sound(command, merchant_id=merchant_id)
        begun = await tx.batches.start(once, total=len(command.rows))
        once.require_input(begun.input_hash)
        return _Started(merchant_id, list(begun.outcomes))


async def _keep(command: SyncOfflineRedemptions, result: OfflineSynced, *, begin: Begin) -> Done[OfflineSynced]:
    """The batch is answered so from now on; who was first with the same key has the say."""
    once, scope = command.once, command.seller.scope
    try:
        async with begin(scope) as tx:
            await tx.batches.end(once)
            await tx.receipts.record(once, result=encode(result))
    except ReceiptExists:
        async with begin(scope) as tx:
            receipt = await tx.receipts.find(once)
            assert receipt is not None, "a receipt that stopped us is there to be read"
            return replay(receipt, once=once, result_type=OfflineSynced)
    return Done(result, replayed=False)


@dataclass(frozen=True, slots=True)
class _Desk:
    """Decides the rows of one batch; an outcome commits with what it tells of."""

    command: SyncOfflineRedemptions
    merchant_id: MerchantId
    begin: Begin
    tokens: RedemptionTokens
    policy: PointsPolicy
    sweep: SweepCampaign | None

    async def decide(self, row: OfflineRedemption, *, place: int) -> Mapping[str, JSON]:
        """The outcome of a row, as it is kept; raises RowKept where the row has one."""
        try:
            return await self._redeem(row, place=place)
        except Refusal as refusal:
            outcome = write_outcome(OfflineOutcome(row.order_ref, refusal=refusal))
        async with self.begin(self.command.seller.scope) as tx:
            await tx.batches.keep(self.command.once, place=place, outcome=outcome)
        return outcome

    async def _redeem(self, row: OfflineRedemption, *, place: int) -> Mapping[str, JSON]:
        permission, seller, store_id = self.tokens.read(row.token), self.command.seller, self.command.store_id
        if permission is None:
            raise NotFound("RedemptionCode")
        scope = seller.scope_with(permission.coupon.member_id)

        async def attempt(drawing: Drawing) -> Mapping[str, JSON]:
            async with self.begin(scope) as tx:
                on_date = local_date(row.scanned_at, zone=tx.programme.zone)
                scan = OfflineScan(row.scanned_at, self.merchant_id, store_id, on_date, self.command.till_id)
                scanned = Scanned(row.token, permission, scan)
                where = await find_place(tx, seller, cart=row.cart, store_id=store_id)
                done = await _redeem(tx, scanned, row=row, place=where, policy=self.policy, drawing=drawing)
                outcome = write_outcome(
                    OfflineOutcome(row.order_ref, member_id=done.member_id, redemption_id=done.redemption_ids[0])
                )
                await tx.batches.keep(self.command.once, place=place, outcome=outcome)
                return outcome

        return await without_lapsed(attempt, begin=self.begin, sweep=self.sweep)


async def _redeem(
    tx: OrdersTransaction,
    scanned: Scanned,
    *,
    row: OfflineRedemption,
    place: Place,
    policy: PointsPolicy,
    drawing: Drawing,
) -> CouponsRedeemed:
    member_id = scanned.permission.coupon.member_id
    payment = Payment(OrderRef(place.source_id, row.order_ref), member_id, place.cart)
    await lock_member(tx, member_id)
    existing = await tx.orders.find(payment.ref)
    if existing is not None:
        return await used_before(tx, existing, payment=payment, coupon=scanned.permission.coupon)
    unused = await give_up_unused(tx, payment.ref, member_id=member_id)
    held = await lock_usable(tx, scanned)
    # A clock that is a little slow may say that it was before the coupon was claimed.
    at = max(row.scanned_at, held.coupon.claimed_at)
    price_with = await price_alone(tx, payment, held=held, at=at, policy=policy)
    quote = quote_alone(price_with)
    order_id = OrderId(tx.ids.new())
    await use_token(tx, scanned, quote=quote, order_id=order_id)
    purchase = Purchase(
        payment,
        place,
        quote,
        [held],
        order_id=order_id,
        freed=unused.freed,
        told=unused.told,
        scanned_at=row.scanned_at,
        price_with=price_with,
        drawing=drawing,
    )
    redemptions = await complete(tx, purchase)
    await count_less(tx, scanned, quoted=quote, redemptions=redemptions)
    return CouponsRedeemed(member_id, order_id, tuple(one.id for one in redemptions), repeated=False)


def _require_sound(command: SyncOfflineRedemptions, *, merchant_id: MerchantId) -> None:
    """Refuse a batch with a cart of another store or merchant before anything of it is done; says which row."""
    for place, row in enumerate(command.rows):
        try:
            cart = at_store(row.cart, command.store_id)
            if not command.seller.is_order_system:
                till_cart(cart, merchant_id=merchant_id)
        except BadUserInput as wrong:
            path = ["input", "redemptions", str(place), "cart"]
            raise BadUserInput(f"redemptions.{place}.cart: {wrong.message}", path=path) from wrong


@dataclass(frozen=True, slots=True)
class SetOfflineLimits:
    """Says what a store may redeem without a network; without a store, each of a merchant's that has no limits."""

    merchant_id: MerchantId
    store_id: StoreId | None
    limits: OfflineLimits
    once: Once


async def set_offline_limits(command: SetOfflineLimits, *, begin: BeginOwn) -> Done[OfflineLimitsSet]:
    """Sets the limits of a store's day, and of each of its tills. What was accepted before stands, and counts.

    Refusals: NotFound, IdempotencyKeyReused.
    """

    async def decide(tx: OrdersTransaction) -> OfflineLimitsSet:
        if not await tx.merchants.exists(command.merchant_id):
            raise NotFound("Merchant")
        if command.store_id is not None:
            merchants = await tx.templates.merchants_of_stores([command.store_id])
            if merchants.get(command.store_id) != command.merchant_id:
                raise NotFound("Store")
        await tx.tills.set_limits(command.merchant_id, command.store_id, limits=command.limits)
        return OfflineLimitsSet(command.merchant_id, command.store_id, **asdict(command.limits))

    return await do_once(command.once, begin=begin, decide=decide, result_type=OfflineLimitsSet)
