"""Tills without a network: who may, which use-case."""

import strawberry

from domain.orders.model import RedemptionKey
from domain.orders.offline import (
    MAX_OFFLINE_ROWS,
    OfflineRedemption,
    SetOfflineLimits,
    SyncOfflineRedemptions,
    set_offline_limits,
    sync_offline_redemptions,
)
from domain.orders.tills import NO_TILL_ID, OfflineLimits
from domain.shared.errors import BadUserInput
from domain.shared.ids import StoreId
from resolvers.context import Info
from resolvers.inputs import merchant_id_of, ref_of
from resolvers.once import once
from resolvers.orders import seller_of
from schema.merchants import load_merchant
from schema.money import Money, MoneyInput
from schema.node_ids import NodeType, expect_id
from schema.orders import Redemption
from schema.tills import (
    OfflineOutcome,
    OfflineRedemptionInput,
    SetOfflineLimitsInput,
    SetOfflineLimitsResult,
    SetOfflineLimitsSuccess,
    SyncOfflineRedemptionsInput,
    SyncOfflineRedemptionsResult,
    SyncOfflineRedemptionsSuccess,
)

MAX_COUNT = 1_000_000


@strawberry.type
class TillsMutation:
    @strawberry.mutation(
        description="Hands in what a store redeemed while it had no network: each row is decided by itself."
    )
    async def sync_offline_redemptions(
        self, info: Info, input: SyncOfflineRedemptionsInput
    ) -> SyncOfflineRedemptionsResult:
        """Hands in a batch."""
        context = info.context
        if len(input.redemptions) > MAX_OFFLINE_ROWS:
            raise BadUserInput(
                f"redemptions must be 1 to {MAX_OFFLINE_ROWS}, not {len(input.redemptions)}",
                path=["input", "redemptions"],
            )
        seller = seller_of(context.caller)
        command = SyncOfflineRedemptions(
            store_id=StoreId(expect_id(input.store_id, NodeType.Store, argument="input.storeId").id),
            rows=tuple(_row(row, place=place) for place, row in enumerate(input.redemptions)),
            seller=seller,
            once=once(info, input),
            till_id=_till_id(input.till_id),
        )
        done = await sync_offline_redemptions(
            command,
            begin=context.begin_within,
            tokens=context.redemption_tokens,
            sweep=context.sweep_campaign,
        )
        context.forget()
        outcomes = done.result.outcomes
        keys = [
            RedemptionKey(one.member_id, one.redemption_id)
            for one in outcomes
            if one.member_id is not None and one.redemption_id is not None
        ]
        found = await context.reads.orders.redemptions_by_key(keys, scope=seller.scope)
        by_id = {redemption.id: Redemption.from_domain(redemption) for redemption in found.values()}
        return SyncOfflineRedemptionsSuccess(
            outcomes=[
                OfflineOutcome(
                    order_ref=one.order_ref,
                    redemption=None if one.redemption_id is None else by_id[one.redemption_id],
                    problem=None if one.refusal is None else context.problem_of(one.refusal),
                )
                for one in outcomes
            ],
            replayed=done.replayed,
        )

    @strawberry.mutation(description="Says how much a store may redeem without a network on one day.")
    async def set_offline_limits(self, info: Info, input: SetOfflineLimitsInput) -> SetOfflineLimitsResult:
        """Sets a store's limits."""
        context = info.context
        merchant_id = merchant_id_of(input.merchant_id)
        assert merchant_id is not None, "the schema asks for it"
        store = input.store_id and expect_id(input.store_id, NodeType.Store, argument="input.storeId")
        command = SetOfflineLimits(
            merchant_id=merchant_id,
            store_id=StoreId(store.id) if store else None,
            limits=_limits(input, currency=context.programme.currency),
            once=once(info, input),
        )
        done = await set_offline_limits(command, begin=context.begin)
        merchant = await load_merchant(context, merchant_id)
        assert merchant is not None, "whose limits were set is there"
        per_till = done.result.max_minor_per_till
        return SetOfflineLimitsSuccess(
            merchant=merchant,
            max_count=done.result.max_count,
            max_amount=Money.of(done.result.max_minor, context.programme.currency),
            max_count_per_till=done.result.max_count_per_till,
            max_amount_per_till=None if per_till is None else Money.of(per_till, context.programme.currency),
            replayed=done.replayed,
        )


def _row(given: OfflineRedemptionInput, *, place: int) -> OfflineRedemption:
    argument = f"input.redemptions.{place}"
    if given.scanned_at.tzinfo is None:
        raise BadUserInput(f"{argument}.scannedAt needs an offset", path=f"{argument}.scannedAt".split("."))
    return OfflineRedemption(
        token=given.token,
        order_ref=ref_of(given.order_ref, argument=f"{argument}.orderRef"),
        cart=given.cart.to_domain(argument=f"{argument}.cart"),
        scanned_at=given.scanned_at,
    )


def _till_id(given: str | None) -> str:
    """The till's name; an empty one is none, and no way to say nothing."""
    if given == NO_TILL_ID:
        raise BadUserInput("input.tillId has 1 character at least", path=["input", "tillId"])
    return given or NO_TILL_ID


def _limits(given: SetOfflineLimitsInput, *, currency: str) -> OfflineLimits:
    of_till = given.max_amount_per_till
    return OfflineLimits(
        _count(given.max_count, argument="maxCount"),
        _minor(given.max_amount, currency=currency, argument="maxAmount"),
        None if given.max_count_per_till is None else _count(given.max_count_per_till, argument="maxCountPerTill"),
        None if of_till is None else _minor(of_till, currency=currency, argument="maxAmountPerTill"),
    )


def _count(given: int, *, argument: str) -> int:
    if not 0 <= given <= MAX_COUNT:
        raise BadUserInput(f"input.{argument} must be 0 to {MAX_COUNT}", path=["input", argument])
    return given


def _minor(given: MoneyInput, *, currency: str, argument: str) -> int:
    amount = given.to_domain(argument=f"input.{argument}")
    if amount.currency != currency or amount.minor < 0:
        raise BadUserInput(f"input.{argument} is 0 or more of {currency}", path=["input", argument])
    return amount.minor
