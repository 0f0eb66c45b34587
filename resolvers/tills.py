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
from domain.orders.tills import OfflineLimits
from domain.shared.errors import BadUserInput
from domain.shared.ids import StoreId
from resolvers.context import Info
from resolvers.inputs import merchant_id_of, ref_of
from resolvers.once import once
from resolvers.orders import seller_of
from schema.merchants import load_merchant
from schema.money import Money
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
        return SetOfflineLimitsSuccess(
            merchant=merchant,
            max_count=done.result.max_count,
            max_amount=Money.of(done.result.max_minor, context.programme.currency),
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


def _limits(given: SetOfflineLimitsInput, *, currency: str) -> OfflineLimits:
    amount = given.max_amount.to_domain(argument="input.maxAmount")
    if amount.currency != currency or amount.minor < 0:
        raise BadUserInput(f"input.maxAmount is 0 or more of {currency}", path=["input", "maxAmount"])
    if not 0 <= given.max_count <= MAX_COUNT:
        raise BadUserInput(f"input.maxCount must be 0 to {MAX_COUNT}", path=["input", "maxCount"])
    return OfflineLimits(given.max_count, amount.minor)
