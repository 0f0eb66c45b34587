"""What tills without a network hand in, as clients see it."""

from datetime import datetime
from typing import Annotated

import strawberry

from schema.carts import CartInput
from schema.merchants import Merchant
from schema.money import Money, MoneyInput
from schema.orders import Redemption
from schema.problems import IdempotencyKeyReusedProblem, NotFoundProblem, OperationInProgressProblem, Problem


@strawberry.input(description="One scan without a network.")
class OfflineRedemptionInput:
    token: str = strawberry.field(description="What was scanned, verified by the till with the published key.")
    order_ref: str = strawberry.field(description="What the till calls the order, unique at its merchant.")
    cart: CartInput = strawberry.field(description="What was bought.")
    scanned_at: datetime = strawberry.field(
        description="When, by the till's clock: within the token's life and the last 72 hours."
    )


@strawberry.input(description="What a till of a store redeemed while it had no network.")
class SyncOfflineRedemptionsInput:
    store_id: strawberry.ID = strawberry.field(description="The store.")
    till_id: str | None = strawberry.field(
        default=None,
        description="What the store calls the till: 1 to 64 printable characters. Each has limits of its own, within "
        "those of the store; tills that say nothing of themselves are one till.",
    )
    redemptions: list[OfflineRedemptionInput] = strawberry.field(description="1 to 200, in the order of the scans.")
    idempotency_key: strawberry.ID = strawberry.field(description="Made by the till before it sends.")


@strawberry.type(description="What became of one scan.")
class OfflineOutcome:
    order_ref: str = strawberry.field(description="The row's order.")
    redemption: Redemption | None = strawberry.field(description="The use of the coupon; null: there is none.")
    problem: Problem | None = strawberry.field(description="Why there is none; null: there is one.")


@strawberry.type(description="Each row was decided by itself.")
class SyncOfflineRedemptionsSuccess:
    outcomes: list[OfflineOutcome] = strawberry.field(description="One for each row, in their order.")
    replayed: bool = strawberry.field(description="Whether this is the first answer again.")


@strawberry.input(description="What a store may redeem without a network on one of the programme's days.")
class SetOfflineLimitsInput:
    merchant_id: strawberry.ID = strawberry.field(description="The merchant.")
    store_id: strawberry.ID | None = strawberry.field(
        default=None, description="One of its stores; null: each of those that have no limits of their own."
    )
    max_count: int = strawberry.field(description="How many redemptions at most; 0: none.")
    max_amount: MoneyInput = strawberry.field(description="Discounts of how much in all, in the programme's currency.")
    max_count_per_till: int | None = strawberry.field(
        default=None,
        description="How many of them by one till; null: as many as the store. All tills together stay within the "
        "store's limits, whatever they call themselves.",
    )
    max_amount_per_till: MoneyInput | None = strawberry.field(
        default=None, description="Discounts of how much by one till; null: as much as the store."
    )
    idempotency_key: strawberry.ID = strawberry.field(description="Made by the client before it sends.")


@strawberry.type(description="The limits hold from now on; what was accepted of a day counts towards them.")
class SetOfflineLimitsSuccess:
    merchant: Merchant = strawberry.field(description="The merchant.")
    max_count: int = strawberry.field(description="How many redemptions of a store's day are accepted.")
    max_amount: Money = strawberry.field(description="Discounts of how much in all.")
    max_count_per_till: int | None = strawberry.field(
        description="How many of them are accepted of one till; null: as many as of the store."
    )
    max_amount_per_till: Money | None = strawberry.field(
        description="Discounts of how much of one till; null: as much as of the store."
    )
    replayed: bool = strawberry.field(description="Whether this is the first answer again.")


SyncOfflineRedemptionsResult = Annotated[
    SyncOfflineRedemptionsSuccess | NotFoundProblem | IdempotencyKeyReusedProblem | OperationInProgressProblem,
    strawberry.union("SyncOfflineRedemptionsResult", description="The outcome of each row, or why there is none."),
]
SetOfflineLimitsResult = Annotated[
    SetOfflineLimitsSuccess | NotFoundProblem | IdempotencyKeyReusedProblem | OperationInProgressProblem,
    strawberry.union("SetOfflineLimitsResult", description="The limits, or why not."),
]
