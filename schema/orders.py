"""Orders and redemptions as clients see them."""

from datetime import datetime
from typing import Annotated

import strawberry

from domain.merchants.rules import manages
from domain.orders import model
from domain.orders.model import OrderState
from domain.shared.errors import Forbidden
from domain.shared.ids import MerchantId, StoreId
from domain.shared.paging import PageRequest
from domain.shared.principal import Principal
from schema.carts import CartInput
from schema.context import Context, Info, Later
from schema.coupons import Coupon
from schema.enums import publish_enum
from schema.merchants import Store, find_store
from schema.money import Money
from schema.node_ids import NodeType, node_id
from schema.nodes import Node
from schema.order_problems import (
    BudgetExhaustedProblem,
    CouponExpiredProblem,
    CouponNotUsableProblem,
    NotEligibleProblem,
    RedemptionCodeExpiredProblem,
    ReservationExpiredProblem,
)
from schema.paging import Connection, connection
from schema.problems import (
    IdempotencyKeyReusedProblem,
    InvalidStateChangeProblem,
    NotFoundProblem,
    OperationInProgressProblem,
)
from schema.quotes import FunderAmount, Quote, used_coupon
from schema.refund_causes import RefundCause
from schema.scalars import SafeInt
from schema.till_problems import RedemptionCodeUsedProblem

publish_enum(
    OrderState,
    "Where an order is: paid, then received or cancelled.",
    values={
        "PAID": "The money is there; its points are promised.",
        "RECEIVED": "The member has it; the return window of its points runs.",
        "CANCELLED": "Nothing of it holds: coupons are given back, points withdrawn.",
    },
)


@strawberry.type(description="One use of a coupon 核销.")
class Redemption(Node):
    order_ref: str = strawberry.field(description="What its order system or till calls the order.")
    discount: Money = strawberry.field(description="What the coupon took off.")
    shares: list[FunderAmount] = strawberry.field(description="Who bears it; they sum to the discount.")
    refunded: Money = strawberry.field(description="What refunds have taken back of it; all of it reverses the use.")
    redeemed_at: datetime = strawberry.field(description="When it was used.")
    reversed_at: datetime | None = strawberry.field(description="When the use was undone; null: it stands.")
    entity: strawberry.Private[model.Redemption]

    @staticmethod
    def from_domain(redemption: model.Redemption) -> "Redemption":
        """The domain's redemption as clients see it."""
        currency = redemption.currency
        return Redemption(
            id=node_id(NodeType.Redemption, redemption.id, member_id=redemption.member_id),
            order_ref=redemption.order_ref,
            discount=Money.of(redemption.discount_minor, currency),
            shares=[FunderAmount.from_domain(share, currency=currency) for share in redemption.shares],
            refunded=Money.of(redemption.refunded_minor, currency),
            redeemed_at=redemption.redeemed_at,
            reversed_at=redemption.reversed_at,
            entity=redemption,
        )

    @strawberry.field(description="The coupon that was used.")
    async def coupon(self, info: Info) -> Coupon:
        """Its coupon."""
        return await used_coupon(info.context, self.entity.coupon)

    @strawberry.field(description="The store in which it was used; null: in none.", graphql_type=Store | None)
    def store(self, info: Info) -> Later[Store | None]:
        """Its store."""
        return find_store(info.context, self.entity.store_id)


async def load_redemption(context: Context, key: model.RedemptionKey) -> Redemption | None:
    """A redemption by its key, where the viewer may see it: staff of some stores see what happened in those."""
    found = await context.load.redemptions.load(key)
    if found is None or not _in_sight(found, context=context):
        return None
    return Redemption.from_domain(found)


async def redemptions_page(context: Context, merchant_id: MerchantId, *, page: PageRequest) -> Connection[Redemption]:
    """What was redeemed at a merchant; FORBIDDEN for everybody but its staff and the programme's own."""
    if not manages(context.scope, merchant_id):
        raise Forbidden("a merchant's redemptions are shown to its staff alone")
    found = await context.load.redemptions_of_merchant.load((merchant_id, (page, stores_of(context.principal))))
    return connection(found, nodes=[Redemption.from_domain(redemption) for redemption in found.items])


def stores_of(principal: Principal | None) -> frozenset[StoreId]:
    """The stores that staff are held to; none named: all of their merchants', or nobody's staff."""
    if principal is None or principal.scope.everything:
        return frozenset()
    return principal.store_ids


def _in_sight(redemption: model.Redemption, *, context: Context) -> bool:
    stores = stores_of(context.principal)
    return redemption.member_id == context.scope.member_id or not stores or redemption.store_id in stores


@strawberry.input(description="What was reserved, or the coupon of a scanned code, for an order that is being paid.")
class RedeemCouponsInput:
    order_ref: str = strawberry.field(
        description="What the order system, or the till's merchant, calls the order: 1 to 128 characters."
    )
    reservation_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="What was reserved under this orderRef: its cart is paid, at the price that was promised.",
    )
    redemption_token: str | None = strawberry.field(
        default=None, description="The token of the code that the member's phone shows, where nothing was reserved."
    )
    cart: CartInput | None = strawberry.field(
        default=None,
        description="What is paid, with a token and only with it. At a till: goods of its own merchant, and IN_STORE "
        "whatever it says.",
    )
    store_id: strawberry.ID | None = strawberry.field(
        default=None, description="The store in which it is paid: one of the till's own. Also as cart.storeId."
    )
    idempotency_key: strawberry.ID = strawberry.field(description="Made by the client before it sends.")


@strawberry.type(description="The coupons are used, and the order is recorded as PAID.")
class RedeemCouponsSuccess:
    redemptions: list[Redemption] = strawberry.field(description="What was used.")
    quote: Quote = strawberry.field(description="The price that was paid.")
    late_capture: bool = strawberry.field(
        description="Whether the reservation had run out, and nobody else had taken what it held."
    )
    replayed: bool = strawberry.field(
        description="Whether this is the first answer again; also when the same order is completed a second time."
    )


@strawberry.input(description="What became of an order.")
class RecordOrderInput:
    order_ref: str = strawberry.field(
        description="What the order system, or the till's merchant, calls the order: 1 to 128 characters."
    )
    member_id: strawberry.ID = strawberry.field(description="Whose order it is.")
    state: OrderState = strawberry.field(description="PAID, then RECEIVED or CANCELLED.")
    cart: CartInput | None = strawberry.field(default=None, description="What was paid; with PAID, and only with it.")
    cause: RefundCause | None = strawberry.field(
        default=RefundCause.CUSTOMER,
        description="Why it is CANCELLED: MERCHANT_FAULT is said with that state alone. What was said first counts.",
    )
    idempotency_key: strawberry.ID = strawberry.field(description="Made by the client before it sends.")


@strawberry.type(description="The order is recorded.")
class RecordOrderSuccess:
    order_ref: str = strawberry.field(description="The order.")
    state: OrderState = strawberry.field(description="Where it is now.")
    points_pending: SafeInt = strawberry.field(description="Promised by it, until its return window is over.")
    points_earned: SafeInt = strawberry.field(description="Earned by it, and free to be spent.")
    replayed: bool = strawberry.field(
        description="Whether this is the first answer again; also when the same is told a second time."
    )


RedeemCouponsResult = Annotated[
    RedeemCouponsSuccess
    | NotFoundProblem
    | RedemptionCodeExpiredProblem
    | RedemptionCodeUsedProblem
    | ReservationExpiredProblem
    | CouponNotUsableProblem
    | CouponExpiredProblem
    | NotEligibleProblem
    | BudgetExhaustedProblem
    | InvalidStateChangeProblem
    | IdempotencyKeyReusedProblem
    | OperationInProgressProblem,
    strawberry.union("RedeemCouponsResult", description="What was used, or why not."),
]
RecordOrderResult = Annotated[
    RecordOrderSuccess
    | NotFoundProblem
    | InvalidStateChangeProblem
    | IdempotencyKeyReusedProblem
    | OperationInProgressProblem,
    strawberry.union("RecordOrderResult", description="The order, or why not."),
]
