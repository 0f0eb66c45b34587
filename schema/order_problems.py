"""Refusals of redemptions as clients see them."""

from datetime import datetime

import strawberry

from domain.coupons import eligibility as domain
from domain.coupons.model import CouponKey
from domain.coupons.offer import CouponState, Funder
from domain.orders import model
from schema.context import Info
from schema.coupons import Coupon
from schema.eligibility import Eligibility
from schema.money import Money
from schema.problems import Problem
from schema.quotes import Quote, used_coupon


@strawberry.type(description="The code that was scanned is too old. The member's phone shows a new one.")
class RedemptionCodeExpiredProblem(Problem):
    expired_at: datetime = strawberry.field(description="Since when.")


@strawberry.type(description="The coupon was used, is held for another order, or was taken back.")
class CouponNotUsableProblem(Problem):
    state: CouponState = strawberry.field(description="The state that it is in.")


@strawberry.type(description="The coupon's validity is over.")
class CouponExpiredProblem(Problem):
    expired_at: datetime = strawberry.field(description="Since when.")


@strawberry.type(description="The coupon does not act on this cart.")
class NotEligibleProblem(Problem):
    decision: strawberry.Private[domain.Eligibility]
    currency: strawberry.Private[str]

    @strawberry.field(description="Which condition is not met, and what would help.")
    def eligibility(self, info: Info) -> Eligibility:
        """The proof."""
        return Eligibility.from_domain(self.decision, currency=self.currency, locale=info.context.locale)


@strawberry.type(description="More is to be refunded than is left of the order.")
class RefundExceedsOrderProblem(Problem):
    line_id: strawberry.ID | None = strawberry.field(description="The line; null: nothing is left of the order.")
    requested: int | None = strawberry.field(description="The units that were asked for; null: all that are left.")
    remaining: int = strawberry.field(description="The units that are left.")


@strawberry.type(description="What is left of the campaign's budget does not cover the discount.")
class BudgetExhaustedProblem(Problem):
    required: Money = strawberry.field(description="What must be left for the discount.")
    funder: Funder | None = strawberry.field(description="Whose part of the budget it is; null: that of all funders.")


@strawberry.type(description="Two of the coupons do not go together.")
class StackingConflictProblem(Problem):
    decision: strawberry.Private[domain.Eligibility]
    currency: strawberry.Private[str]
    key: strawberry.Private[CouponKey]
    rival: strawberry.Private[CouponKey]

    @strawberry.field(description="The coupon that does not act.")
    async def coupon(self, info: Info) -> Coupon:
        """The coupon."""
        return await used_coupon(info.context, self.key)

    @strawberry.field(description="The coupon that is in its way.")
    async def conflicts_with(self, info: Info) -> Coupon:
        """Its rival."""
        return await used_coupon(info.context, self.rival)

    @strawberry.field(description="Which rule they do not meet.")
    def eligibility(self, info: Info) -> Eligibility:
        """The proof."""
        return Eligibility.from_domain(self.decision, currency=self.currency, locale=info.context.locale)


@strawberry.type(description="The price is no longer the one that was shown.")
class QuoteChangedProblem(Problem):
    changed: strawberry.Private[model.Quote]

    @strawberry.field(description="The price of now; reserve with its token, or without one.")
    def quote(self, info: Info) -> Quote:
        """The quote of now."""
        return Quote.from_domain(self.changed, locale=info.context.locale)


@strawberry.type(description="The reservation has run out, and what it held was taken: price the order anew.")
class ReservationExpiredProblem(Problem):
    expired_at: datetime = strawberry.field(description="Since when.")
