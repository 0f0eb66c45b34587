"""Refusals of redemptions as clients see them."""

from datetime import datetime

import strawberry

from domain.coupons import eligibility as domain
from domain.coupons.offer import CouponState
from schema.context import Info
from schema.eligibility import Eligibility
from schema.money import Money
from schema.problems import Problem


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


@strawberry.type(description="What is left of the campaign's budget does not cover the discount.")
class BudgetExhaustedProblem(Problem):
    required: Money = strawberry.field(description="The discount.")
