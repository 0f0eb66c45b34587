"""What is sent and answered when templates are written and coupons claimed."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry.scalars import JSON

from domain.coupons.cart import Channel, MemberPriceRule
from domain.coupons.conditions import MAX_DEPTH, MAX_NODES
from domain.coupons.lanes import Lane
from domain.coupons.model import RefundPolicy
from domain.coupons.offer import Funder, PercentBase, ThresholdBase
from schema.coupon_problems import (
    ClaimLimitReachedProblem,
    EndedProblem,
    InvalidTermsProblem,
    NotStartedProblem,
    SoldOutProblem,
)
from schema.coupon_templates import CouponKind, CouponTemplate
from schema.coupons import Coupon
from schema.enums import publish_enum
from schema.problems import (
    IdempotencyKeyReusedProblem,
    InvalidStateChangeProblem,
    NotFoundProblem,
    OperationInProgressProblem,
)
from schema.scalars import CurrencyCode, SafeInt

publish_enum(
    RefundPolicy,
    "What a partial refund does to the discount.",
    values={
        "KEEP_ALLOCATION": "Each line is refunded at what was paid for it; the coupon stays used.",
        "REPRICE": "What remains is priced anew; the coupon may be given back.",
        "CLAWBACK": "What no longer qualifies becomes due.",
    },
)
publish_enum(
    Lane,
    "The stages of pricing, in the order in which they are passed.",
    name="DiscountLane",
    values={
        "ITEM": "Discounts of single items.",
        "STORE_ORDER": "Discounts by a merchant.",
        "PLATFORM_ORDER": "Discounts by the platform.",
        "SHIPPING": "Discounts of shipping.",
        "POINTS": "Points that are spent.",
        "TENDER": "Gift cards and other tenders.",
    },
)


@strawberry.input(
    description="What a coupon may act on; what is not given does not restrict, an empty list is refused."
)
class ScopeInput:
    product_refs: list[str] | None = strawberry.field(
        default=None, description="Products; or a category, either will do."
    )
    category_refs: list[str] | None = strawberry.field(default=None, description="Categories.")
    merchant_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Merchants whose goods it acts on; of a merchant's template that merchant alone."
    )
    store_ids: list[strawberry.ID] | None = strawberry.field(default=None, description="Stores where it can be used.")
    excluded_product_refs: list[str] | None = strawberry.field(default=None, description="Products that it spares.")
    channels: list[Channel] | None = strawberry.field(default=None, description="Channels where it can be used.")


@strawberry.input(description="When coupons can be used: from and until, or daysAfterClaim.")
class ValidityInput:
    from_: datetime | None = strawberry.field(default=None, name="from", description="From this instant.")
    until: datetime | None = strawberry.field(
        default=None, description="Until before this instant, not before claiming closes."
    )
    days_after_claim: int | None = strawberry.field(
        default=None,
        description="So many days of the programme, the day of the claim first: 7 ends at 00:00 on the 8th day.",
    )


@strawberry.input(description="How coupons go together with others. Two of one stage combine by mutual consent alone.")
class StackingInput:
    lane: Lane | None = strawberry.field(default=None, description="The stage; else its kind's, else its issuer's.")
    tags: list[str] | None = strawberry.field(default=None, description="What others may name it by.")
    combines_with_tags: list[str] | None = strawberry.field(default=None, description="Whom it consents to.")
    exclusive_group: str | None = strawberry.field(default=None, description="An order takes one of a group.")
    priority: int | None = strawberry.field(default=0, description="In one stage the higher acts first.")
    max_per_order: int | None = strawberry.field(default=1, description="How many of this template an order takes.")


@strawberry.input(description="Who bears how much.")
class FunderShareInput:
    funder: Funder = strawberry.field(description="Who.")
    basis_points: int = strawberry.field(description="Of 10000; all shares sum to 10000.")


@strawberry.input(description="A coupon template to write; it begins as a draft that nobody can claim.")
class CreateCouponTemplateInput:
    name: str = strawberry.field(description="1 to 128 characters.")
    kind: CouponKind = strawberry.field(description="How it takes money off.")
    terms: JSON = strawberry.field(
        description="By kind, amounts in minor units: THRESHOLD_AMOUNT_OFF {thresholdMinor, amountMinor}; "
        "AMOUNT_OFF {amountMinor}; PERCENT_OFF {payableBasisPoints, maxDiscountMinor?, thresholdMinor?}, 8.5折 is 8500"
        "; FREE_SHIPPING {maxMinor?, thresholdMinor?}; BUY_X_GET_Y {buyQuantity, getQuantity, payableBasisPoints?}, "
        "without a share free; FIXED_PRICE {priceMinor}, of one unit; PRODUCT_EXCHANGE {productRefs}, one unit of one."
    )
    currency_code: CurrencyCode = strawberry.field(description="The currency of its amounts and of the carts it fits.")
    campaign_id: strawberry.ID | None = strawberry.field(default=None, description="A campaign of the same owner.")
    merchant_id: strawberry.ID | None = strawberry.field(
        default=None, description="Whose it is; without one the platform's, which operators write."
    )
    scope: ScopeInput | None = strawberry.field(default=None, description="What it acts on; nothing given: everything.")
    with_member_price: MemberPriceRule | None = strawberry.field(
        default=MemberPriceRule.COMBINES, description="Whether it acts on lines with a memberPrice."
    )
    stock: SafeInt = strawberry.field(description="How many coupons there are in all.")
    limit_per_member: int | None = strawberry.field(default=None, description="How many one member may claim.")
    limit_per_member_per_day: int | None = strawberry.field(
        default=None, description="How many one member may claim on a day of the programme."
    )
    limit_per_member_per_week: int | None = strawberry.field(
        default=None, description="… in a week of the programme, which begins on Monday."
    )
    limit_per_member_per_month: int | None = strawberry.field(
        default=None, description="… in a calendar month of the programme."
    )
    limit_per_store: int | None = strawberry.field(
        default=None, description="How many of its coupons may be used in one store; what is given back does not count."
    )
    self_claim: bool | None = strawberry.field(
        default=True,
        description="Whether members claim it themselves. If not, its coupons are issued, had for a code or exchanged "
        "for points.",
    )
    claim_opens_at: datetime = strawberry.field(description="Claiming is open from this instant.")
    claim_closes_at: datetime = strawberry.field(description="Until before this instant.")
    validity: ValidityInput = strawberry.field(description="When its coupons can be used.")
    threshold_base: ThresholdBase | None = strawberry.field(
        default=ThresholdBase.BEFORE_THIS, description="What a threshold is held against."
    )
    percent_base: PercentBase | None = strawberry.field(
        default=PercentBase.REMAINING, description="What a share is taken of; of kinds that take one (PERCENT_OFF)."
    )
    stacking: StackingInput | None = strawberry.field(default=None, description="How it goes with others; alone.")
    funders: list[FunderShareInput] | None = strawberry.field(
        default=None,
        description="Who bears it; whoever issues it, unless given. Operators promise the platform's part.",
    )
    refund_policy: RefundPolicy | None = strawberry.field(
        default=RefundPolicy.KEEP_ALLOCATION, description="What a partial refund does to the discount."
    )
    merchant_fault_grace_days: int | None = strawberry.field(
        default=0,
        description="For how many days of the programme a coupon is valid at least that comes back by the merchant's "
        "fault (RefundCause), the day of its return first; 0: its validity is the original one.",
    )
    conditions: JSON | None = strawberry.field(
        default=None,
        description="Conditions of use, checked wherever a coupon is priced, and not when it is claimed; rulesText has "
        "them. A tree of objects with one name each: {all: […]}, {any: […]}, {none: […]}. Of the goods in scope before "
        "any discount: {cartAmountMinor: {atLeast?, atMost?}}, {cartQuantity: {atLeast?, atMost?}}. Of place and time: "
        '{channel: ["ONLINE", "IN_STORE"]}; {store: ["<Store id>", …]}; {weekday: ["MONDAY", …]}; {timeOfDay: {from: '
        '"11:00", until: "14:00"}}, until not included, over midnight where it is the earlier; days and hours are of '
        'the programme. Of the member: {memberTier: {atLeast: "GOLD"}}, a tier by its code, rank or id; {memberTags: '
        '["VIP", …]}, marked with one of these; {firstOrder: true}; {orderNumber: {atLeast?, atMost?}}, counting from '
        "1 those that were paid and neither cancelled nor returned whole, or that hold something, this one too; "
        "{birthdayMonth: true}. "
        f"At most {MAX_DEPTH} groups deep and {MAX_NODES} conditions.",
    )
    idempotency_key: strawberry.ID = strawberry.field(description="Made by the client before it sends.")


@strawberry.type(description="The draft is written.")
class CreateCouponTemplateSuccess:
    coupon_template: CouponTemplate = strawberry.field(description="The draft.")
    replayed: bool = strawberry.field(description="Whether this is the first answer again.")


@strawberry.input(description="A draft to publish.")
class PublishCouponTemplateInput:
    coupon_template_id: strawberry.ID = strawberry.field(description="The draft.")
    idempotency_key: strawberry.ID = strawberry.field(description="Made by the client before it sends.")


@strawberry.type(description="The template is published: its terms are fixed.")
class PublishCouponTemplateSuccess:
    coupon_template: CouponTemplate = strawberry.field(description="The template.")
    replayed: bool = strawberry.field(description="Whether this is the first answer again.")


@strawberry.input(description="A coupon to claim.")
class ClaimCouponInput:
    coupon_template_id: strawberry.ID = strawberry.field(description="What to claim a coupon of.")
    idempotency_key: strawberry.ID = strawberry.field(description="Made by the client before it sends.")


@strawberry.type(description="The coupon is in the wallet.")
class ClaimCouponSuccess:
    coupon: Coupon = strawberry.field(description="The coupon.")
    replayed: bool = strawberry.field(description="Whether this is the first answer again.")


CreateCouponTemplateResult = Annotated[
    CreateCouponTemplateSuccess
    | NotFoundProblem
    | InvalidTermsProblem
    | IdempotencyKeyReusedProblem
    | OperationInProgressProblem,
    strawberry.union("CreateCouponTemplateResult", description="The draft, or why not."),
]
PublishCouponTemplateResult = Annotated[
    PublishCouponTemplateSuccess
    | NotFoundProblem
    | InvalidStateChangeProblem
    | IdempotencyKeyReusedProblem
    | OperationInProgressProblem,
    strawberry.union("PublishCouponTemplateResult", description="The template, or why not."),
]
ClaimCouponResult = Annotated[
    ClaimCouponSuccess
    | NotFoundProblem
    | NotStartedProblem
    | EndedProblem
    | ClaimLimitReachedProblem
    | SoldOutProblem
    | IdempotencyKeyReusedProblem
    | OperationInProgressProblem,
    strawberry.union("ClaimCouponResult", description="The coupon, or why not."),
]
